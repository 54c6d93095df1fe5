import HyphaBase

/// A TCP or UDP super-packet as the kernel writes it to a TUN with offloads, and its segments made the slow way.
struct SuperPacket {
    /// IPv6 header and all that follows, checksum field with the pseudo-header sum.
    let bytes: [UInt8]
    let isTCP: Bool
    /// Where the transport header starts.
    let transport: Int
    let headerLength: Int
    let segmentSize: Int
    var flags: UInt8 = 1
    var ecn: UInt8 = 0

    var virtio: [UInt8] {
        Inner.virtio(
            flags: flags, type: (isTCP ? 4 : 5) | ecn, headers: headerLength, size: segmentSize, start: transport,
            offset: isTCP ? 16 : 6)
    }

    /// What the TUN reads.
    var read: [UInt8] { virtio + bytes }

    static func tcp(
        from source: IPv6Address, to destination: IPv6Address, _ fields: Inner.TCPFields, payload: [UInt8], size: Int,
        extensions: [UInt8] = []
    ) -> SuperPacket {
        var packet = Inner.tcp(from: source, to: destination, fields, payload: payload)
        let transport = 40 + extensions.count
        if !extensions.isEmpty {
            packet = Inner.ipv6(from: source, to: destination, next: 0, payload: extensions + packet[40...])
        }
        return SuperPacket(
            bytes: Inner.partial(packet, transport: transport, checksumOffset: 16, next: 6), isTCP: true,
            transport: transport, headerLength: transport + 20 + fields.options.count, segmentSize: size)
    }

    static func udp(
        from source: IPv6Address, to destination: IPv6Address, payload: [UInt8], size: Int
    ) -> SuperPacket {
        let packet = Inner.udp(from: source, to: destination, payload: payload)
        return SuperPacket(
            bytes: Inner.partial(packet, transport: 40, checksumOffset: 6, next: 17), isTCP: false, transport: 40,
            headerLength: 48, segmentSize: size)
    }

    /// The packets that it stands for, with right checksums.
    var segments: [[UInt8]] {
        let payload = Array(bytes[headerLength...])
        var out: [[UInt8]] = []
        for start in stride(from: 0, to: payload.count, by: segmentSize) {
            let part = Array(payload[start..<min(start + segmentSize, payload.count)])
            var packet = Array(bytes[..<headerLength]) + part
            packet.replaceSubrange(4..<6, with: Inner.be16(packet.count - 40))
            if isTCP {
                let at = transport + 4
                let first = packet[at..<(at + 4)].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
                packet.replaceSubrange(at..<(at + 4), with: Inner.be32(first &+ UInt32(start)))
                // FIN and PSH on the last, CWR on the first only.
                if start + segmentSize < payload.count { packet[transport + 13] &= 0xF6 }
                if start > 0 { packet[transport + 13] &= 0x7F }
            } else {
                packet.replaceSubrange(transport + 4..<transport + 6, with: Inner.be16(packet.count - transport))
            }
            out.append(
                Inner.complete(
                    packet, transport: transport, checksumOffset: isTCP ? 16 : 6, next: isTCP ? 6 : 17))
        }
        return out
    }
}
