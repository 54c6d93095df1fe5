import HyphaBase
import HyphaWire

/// An overlay packet for this node, as control understands it.
enum OverlayPunt: Equatable, Sendable {
    /// INIT, RESP or COOKIE of an end-to-end handshake, by its length one of them and of the type that its routing
    /// header says.
    case handshake(RoutingHeader.Kind, [UInt8], source: IPv6Address, destination: IPv6Address)
    /// An error about a packet from `quotedSource` to `quotedDestination` under the receiver index `index`.
    case error(
        ErrorBody.Code, value: UInt16, index: UInt32, quotedSource: IPv6Address, quotedDestination: IPv6Address)
    case badError
    case bad
}
