import HyphaBase

/// IPv6 packets of a host.
enum Inner {
    /// Header and 12 bytes.
    static func udp(from: IPv6Address, to: IPv6Address, hopLimit: UInt8, size: Int = 52) -> [UInt8] {
        let length = size - 40
        return [0x60, 0, 0, 0, UInt8(length >> 8), UInt8(length & 255), 17, hopLimit] + from.bytes + to.bytes
            + [UInt8](repeating: 7, count: length)
    }
}
