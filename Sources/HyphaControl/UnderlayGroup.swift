import HyphaBase

/// Who shares a limit on connections: one IPv4 address, or one IPv6 /64.
struct UnderlayGroup: Hashable, Sendable {
    private let high: UInt64
    private let low: UInt64
    /// Interface of a link-local address.
    private let scope: UInt32

    init(_ address: SocketAddress) {
        let isIPv4 = address.isIPv4
        high = address.address.high
        low = isIPv4 ? address.address.low : 0
        scope = isIPv4 ? 0 : address.scope
    }

    /// True for addresses that nobody far away has: loopback, link-local and private ranges (RFC 1918, 3927, 4193).
    static func isNear(_ address: IPv6Address) -> Bool {
        if let ipv4 = address.mappedIPv4 {
            return ipv4 >> 24 == 10 || ipv4 >> 24 == 127 || ipv4 >> 20 == 0xAC1 || ipv4 >> 16 == 0xC0A8
                || ipv4 >> 16 == 0xA9FE
        }
        return address.high == 0 && address.low == 1 || address.high >> 54 == 0xFE80 >> 6
            || address.high >> 57 == 0xFC >> 1
    }
}
