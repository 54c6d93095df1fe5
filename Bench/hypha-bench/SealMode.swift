/// How a link protects a packet (docs/protocol.md, "Seal modes").
enum SealMode: String, CaseIterable {
    /// Only the routing header is sealed; the body is sealed end to end already.
    case header
    /// The whole packet is sealed on every link.
    case full

    /// Datagram type on the wire.
    var datagramType: UInt8 { self == .full ? 4 : 5 }
}
