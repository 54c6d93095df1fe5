/// An underlay endpoint: address and UDP or TCP port. IPv4 is carried as ::ffff:a.b.c.d.
@frozen
public struct SocketAddress: Hashable, BitwiseCopyable, Sendable {
    /// IPv6 or mapped IPv4 address.
    public var address: IPv6Address
    /// Interface index of a link-local address, else 0.
    public var scope: UInt32
    /// Port, host order.
    public var port: UInt16

    @inlinable
    public init(address: IPv6Address, port: UInt16, scope: UInt32 = 0) {
        self.address = address
        self.scope = scope
        self.port = port
    }

    /// True for ::ffff:0:0/96.
    @inlinable
    public var isIPv4: Bool { address.mappedIPv4 != nil }

    /// Bytes of IP and UDP header in front of a datagram to this address.
    @inlinable
    public var headerOverhead: Int { isIPv4 ? 28 : 48 }
}

extension SocketAddress: CustomStringConvertible {
    public var description: String {
        if let v4 = address.mappedIPv4 {
            return "\(v4 >> 24).\(v4 >> 16 & 255).\(v4 >> 8 & 255).\(v4 & 255):\(port)"
        }
        return "[\(address)]:\(port)"
    }

    /// Parses "1.2.3.4:9651" or "[::1]:9651"; nil for anything else, host names included.
    public init?(_ text: some StringProtocol) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard digits.utf8.allSatisfy({ (48...57).contains($0) }), let port = UInt16(digits) else { return nil }
        let host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            guard let address = IPv6Address(host.dropFirst().dropLast()) else { return nil }
            self.init(address: address, port: port)
        } else if let v4 = IPv6Address.parseIPv4(host) {
            self.init(address: .mapped(ipv4: v4), port: port)
        } else {
            return nil
        }
    }
}
