/// What a node writes to its TUN for a sequence of inner packets, made packet by packet in arrays: the rules of a merge
/// said once more.
struct SlowMerge {
    /// Writes so far, virtio headers in front.
    private(set) var writes: [[UInt8]] = []
    /// Inner packets in each write.
    private(set) var counts: [Int] = []
    private var open: [UInt8]?
    private var count = 0
    private var size = 0
    private var next: UInt32 = 0
    private var isClosed = false

    static func headerLength(_ packet: [UInt8]) -> Int? {
        guard packet.count > 60, packet[6] == 6 else { return nil }
        let header = 40 + Int(packet[52] >> 4) * 4
        return header >= 60 && packet.count > header && packet[53] & 0xE6 == 0 ? header : nil
    }

    static func sequence(_ packet: [UInt8]) -> UInt32 {
        packet[44..<48].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    }

    /// The headers without what may differ: payload length, sequence, PSH and FIN, checksum.
    static func fixed(_ packet: [UInt8], _ header: Int) -> [UInt8] {
        var out = Array(packet[..<header])
        for i in [4, 5, 44, 45, 46, 47, 56, 57] { out[i] = 0 }
        out[53] &= ~0x09
        return out
    }

    mutating func add(_ packet: [UInt8]) {
        let header = SlowMerge.headerLength(packet)
        if let header, let open, SlowMerge.headerLength(open) == header, !isClosed,
            SlowMerge.fixed(open, header) == SlowMerge.fixed(packet, header),
            SlowMerge.sequence(packet) == next, packet.count - header <= size,
            open.count + packet.count - header <= 65_490, count < 128
        {
            let payload = packet[header...]
            self.open = open + payload
            self.open?[53] |= packet[53] & 0x09
            count += 1
            next &+= UInt32(payload.count)
            isClosed = payload.count < size || packet[53] & 1 != 0
            return
        }
        flush()
        open = packet
        count = 1
        guard let header else {
            flush()
            return
        }
        size = packet.count - header
        next = SlowMerge.sequence(packet) &+ UInt32(size)
        isClosed = packet[53] & 1 != 0
    }

    mutating func flush() {
        guard var packet = open else { return }
        open = nil
        counts.append(count)
        guard count > 1, let header = SlowMerge.headerLength(packet) else {
            writes.append(Inner.virtio(flags: 2) + packet)
            return
        }
        packet.replaceSubrange(4..<6, with: Inner.be16(packet.count - 40))
        packet = Inner.partial(packet, transport: 40, checksumOffset: 16, next: 6)
        writes.append(Inner.virtio(flags: 1, type: 4, headers: header, size: size, start: 40, offset: 16) + packet)
    }

    /// The writes for packets that come in one turn.
    static func writes(_ packets: [[UInt8]]) -> (writes: [[UInt8]], counts: [Int]) {
        var merge = SlowMerge()
        for packet in packets { merge.add(packet) }
        merge.flush()
        return (merge.writes, merge.counts)
    }
}
