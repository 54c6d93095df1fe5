public import HyphaBase

/// ICMPv6 errors in their IPv6 packets.
public enum StockErrorPacket {
    /// Header 40, type, code, checksum, four bytes, then what is quoted.
    public static func make(
        type: UInt8, code: UInt8, source: IPv6Address, destination: IPv6Address, hopLimit: UInt8,
        rest: [UInt8] = [0, 0, 0, 0], quoting body: some Collection<UInt8>
    ) -> [UInt8] {
        let length = 8 + body.count
        var packet: [UInt8] = [0x60, 0, 0, 0, UInt8(length >> 8), UInt8(truncatingIfNeeded: length), 58, hopLimit]
        packet += source.bytes + destination.bytes + [type, code, 0, 0] + rest
        packet += body
        let checksum = StockErrorPacket.checksum(packet)
        packet[42] = UInt8(checksum >> 8)
        packet[43] = UInt8(truncatingIfNeeded: checksum)
        return packet
    }

    /// RFC 4443 section 2.3 over a packet whose checksum field is zero: both addresses, length, protocol, then the rest.
    private static func checksum(_ packet: [UInt8]) -> UInt16 {
        var sum = packet.count - 40 + 58
        for i in 8..<packet.count { sum += Int(packet[i]) << (i & 1 == 0 ? 8 : 0) }
        while sum > 0xFFFF { sum = sum >> 16 + sum & 0xFFFF }
        return ~UInt16(sum)
    }
}
