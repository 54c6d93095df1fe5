import HyphaBase

/// Inner packets and virtio headers, made and checked the slow and obvious way.
enum Inner {
    /// The Internet checksum of RFC 1071 over 16-bit words in network order.
    static func checksum(_ bytes: [UInt8]) -> UInt16 {
        var sum = 0
        for i in stride(from: 0, to: bytes.count, by: 2) {
            sum += Int(bytes[i]) << 8 | (i + 1 < bytes.count ? Int(bytes[i + 1]) : 0)
        }
        while sum > 0xFFFF { sum = (sum & 0xFFFF) + (sum >> 16) }
        return UInt16(sum)
    }

    static func be16(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 255), UInt8(value & 255)] }
    static func be32(_ value: UInt32) -> [UInt8] { be16(Int(value >> 16)) + be16(Int(value & 0xFFFF)) }

    static func pseudoHeader(_ packet: [UInt8], length: Int, next: UInt8) -> [UInt8] {
        Array(packet[8..<40]) + be32(UInt32(length)) + [0, 0, 0, next]
    }

    static func ipv6(
        from source: IPv6Address, to destination: IPv6Address, next: UInt8, payload: [UInt8], hopLimit: UInt8 = 64,
        label: UInt32 = 0x12345
    ) -> [UInt8] {
        be32(0x6000_0000 | label) + be16(payload.count) + [next, hopLimit] + source.bytes + destination.bytes + payload
    }

    /// UDP with a right checksum.
    static func udp(
        from source: IPv6Address, to destination: IPv6Address, ports: (Int, Int) = (4_000, 5_000), payload: [UInt8],
        hopLimit: UInt8 = 64
    ) -> [UInt8] {
        let segment = be16(ports.0) + be16(ports.1) + be16(payload.count + 8) + [0, 0] + payload
        return complete(
            ipv6(from: source, to: destination, next: 17, payload: segment, hopLimit: hopLimit), transport: 40,
            checksumOffset: 6, next: 17)
    }

    struct TCPFields {
        var ports = (4_000, 5_000)
        var sequence: UInt32 = 1_000
        var acknowledgement: UInt32 = 77
        var flags: UInt8 = 0x10
        var window = 500
        var urgent = 0
        var options: [UInt8] = []
    }

    static func tcp(
        from source: IPv6Address, to destination: IPv6Address, _ fields: TCPFields = TCPFields(), payload: [UInt8],
        hopLimit: UInt8 = 64, label: UInt32 = 0x12345
    ) -> [UInt8] {
        var segment = be16(fields.ports.0) + be16(fields.ports.1)
        segment += be32(fields.sequence) + be32(fields.acknowledgement)
        segment += [UInt8(20 + fields.options.count) << 2, fields.flags] + be16(fields.window) + [0, 0]
        segment += be16(fields.urgent) + fields.options + payload
        return complete(
            ipv6(from: source, to: destination, next: 6, payload: segment, hopLimit: hopLimit, label: label),
            transport: 40, checksumOffset: 16, next: 6)
    }

    /// Writes the right checksum into a packet.
    static func complete(_ packet: [UInt8], transport: Int, checksumOffset: Int, next: UInt8) -> [UInt8] {
        var out = packet
        let at = transport + checksumOffset
        out[at] = 0
        out[at + 1] = 0
        let segment = Array(out[transport...])
        var sum = ~checksum(pseudoHeader(out, length: segment.count, next: next) + segment)
        if sum == 0, next == 17 { sum = 0xFFFF }
        out[at] = UInt8(sum >> 8)
        out[at + 1] = UInt8(sum & 255)
        return out
    }

    /// Writes the sum over the pseudo-header alone, as the kernel leaves it for offload.
    static func partial(_ packet: [UInt8], transport: Int, checksumOffset: Int, next: UInt8) -> [UInt8] {
        var out = packet
        let sum = checksum(pseudoHeader(out, length: out.count - transport, next: next))
        out[transport + checksumOffset] = UInt8(sum >> 8)
        out[transport + checksumOffset + 1] = UInt8(sum & 255)
        return out
    }

    /// True when length fields and transport checksum of a UDP, TCP or ICMPv6 packet are right.
    static func isSound(_ packet: [UInt8]) -> Bool {
        guard packet.count >= 40, packet[0] >> 4 == 6, Int(packet[4]) << 8 | Int(packet[5]) == packet.count - 40 else {
            return false
        }
        let next = packet[6]
        guard [6, 17, 58].contains(next) else { return true }
        let segment = Array(packet[40...])
        if next == 17, segment.count < 8 || Int(segment[4]) << 8 | Int(segment[5]) != segment.count { return false }
        return checksum(pseudoHeader(packet, length: segment.count, next: next) + segment) == 0xFFFF
    }

    /// Ten bytes of virtio header.
    static func virtio(
        flags: UInt8 = 0, type: UInt8 = 0, headers: Int = 0, size: Int = 0, start: Int = 0, offset: Int = 0
    ) -> [UInt8] {
        [flags, type] + [headers, size, start, offset].flatMap { [UInt8($0 & 255), UInt8($0 >> 8 & 255)] }
    }

    /// A plain read of the TUN.
    static func read(_ packet: [UInt8]) -> [UInt8] { virtio() + packet }

    /// The packet with another hop limit, which no checksum covers.
    static func withHopLimit(_ packet: [UInt8], _ hopLimit: UInt8) -> [UInt8] {
        var out = packet
        out[7] = hopLimit
        return out
    }
}
