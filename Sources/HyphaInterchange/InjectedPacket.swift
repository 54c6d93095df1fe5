public import HyphaBase

/// The head of a record in the injection ring: a packet that control made; the bytes follow it.
///
/// | off | size | field |
/// |---|---|---|
/// | 0 | 1 | kind |
/// | 1 | 1 | UDP socket |
/// | 2 | 2 | length of the bytes |
/// | 4 | 4 | link id, or TCP connection |
/// | 8 | 24 | destination (datagrams) |
/// | 32 | | bytes |
@frozen
public struct InjectedPacket: BitwiseCopyable, Sendable {
    @frozen
    public enum Kind: UInt8, BitwiseCopyable, Sendable {
        /// A ready datagram for `destination`: link handshakes.
        case datagram
        /// Routing header and body: enters at `route`, sealed in full.
        case overlay
        /// Control entries for the neighbour on `link`, sealed in full.
        case linkControl
        /// Whole control frames, one behind the other, for the TCP connection `link`.
        case streamControl
    }

    public var kind: Kind
    public var socket: UInt8
    public var length: UInt16
    public var link: UInt32
    public var destination: SocketAddress

    /// Bytes in front of the packet.
    public static let headSize = 32
    /// Most bytes of a packet.
    public static let maxPacket = 1_400

    public init(
        kind: Kind, length: Int, link: UInt32 = .max, socket: UInt8 = 0, destination: SocketAddress = .none
    ) {
        self.kind = kind
        self.length = UInt16(clamping: length)
        self.link = link
        self.socket = socket
        self.destination = destination
    }
}
