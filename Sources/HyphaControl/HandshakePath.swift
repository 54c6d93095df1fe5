import HyphaBase

/// Where a handshake message came from, and so where its answer goes.
enum HandshakePath: Equatable, Sendable {
    /// A datagram: its sender and the UDP socket that received it.
    case underlay(SocketAddress, socket: UInt8)
    /// An overlay packet: its source address and the link that it came by.
    case overlay(IPv6Address, link: UInt32)

    /// The overlay address that it came from, zero for datagrams.
    var overlaySource: IPv6Address {
        if case .overlay(let source, _) = self { return source }
        return IPv6Address(high: 0, low: 0)
    }
}
