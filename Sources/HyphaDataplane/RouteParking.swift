import HyphaBase
import HyphaPacket

/// Packets that wait until a route to a /64 is known, each copied into a slot of its own: those of the TUN for their
/// destination, stock bodies for the key of their source.
///
/// | bound | from the TUN | stock bodies | when reached |
/// |---|---|---|---|
/// | packets for one /64 | 16 | 16 | drop `parkFull` |
/// | /64s | 256 | 64 | drop `parkFull` |
/// | packets in all | configured | 256 | drop `parkFull` |
/// | size | a slot without its head | the same | drop `parkFull` |
/// | time | 16 s | 5 s | drop `parkTimeout` |
struct RouteParking {
    struct Bounds {
        var perPrefix: UInt16 = 16
        var prefixes: Int
        var packets: Int
        var timeoutMilliseconds: UInt64
    }

    /// What stands in the first bytes of a slot.
    private struct Head {
        var next: UInt32
        var length: UInt32
        /// Packets that it stands for.
        var packets: UInt32
        var since: Instant
    }

    /// Who waits for one /64.
    private struct Queue {
        var prefix: UInt64
        var first: UInt32
        var last: UInt32
        var count: UInt16
        /// 1 when control was asked for the route.
        var isAsked: UInt8
    }

    /// A waiting packet starts here in its slot.
    static let packetOffset = 64

    private let pool: PacketPool
    private let counters: WorkerCounters
    private let bounds: Bounds
    /// The first `queueCount` are in use.
    private let queues: UnsafeMutablePointer<Queue>
    private var queueCount = 0
    /// Slots in use.
    private(set) var count = 0
    /// Packets that the slots stand for.
    private(set) var packets = 0

    init(pool: PacketPool, counters: WorkerCounters, _ bounds: Bounds) {
        self.pool = pool
        self.counters = counters
        self.bounds = bounds
        queues = .allocate(capacity: max(1, bounds.prefixes))
        queues.initialize(
            repeating: Queue(prefix: 0, first: .max, last: .max, count: 0, isAsked: 0), count: max(1, bounds.prefixes))
    }

    func deallocate() { queues.deallocate() }

    private func find(_ prefix: UInt64) -> Int? {
        for i in 0..<queueCount where queues[i].prefix == prefix { return i }
        return nil
    }

    /// Copies `length` bytes to the end of the queue of a /64; false when there is no room. They stand for `packets`.
    mutating func park(
        _ bytes: UnsafeRawPointer, length: Int, packets amount: Int, for prefix: UInt64, now: Instant
    ) -> Bool {
        guard length <= PacketPool.slotSize - RouteParking.packetOffset, count < bounds.packets else { return false }
        let place: Int
        if let found = find(prefix) {
            guard queues[found].count < bounds.perPrefix else { return false }
            place = found
        } else {
            guard queueCount < bounds.prefixes else { return false }
            place = queueCount
        }
        guard let slot = pool.takeSlot() else { return false }
        if place == queueCount {
            queues[place] = Queue(prefix: prefix, first: .max, last: .max, count: 0, isAsked: 0)
            queueCount += 1
        }
        let base = pool.base(slot)
        base.storeBytes(
            of: Head(
                next: .max, length: UInt32(truncatingIfNeeded: length), packets: UInt32(truncatingIfNeeded: amount),
                since: now), as: Head.self)
        (base + RouteParking.packetOffset).copyMemory(from: bytes, byteCount: length)
        if queues[place].count == 0 {
            queues[place].first = slot
        } else {
            pool.base(queues[place].last).storeBytes(of: slot, as: UInt32.self)
        }
        queues[place].last = slot
        queues[place].count += 1
        count += 1
        packets += amount
        counters.add(.parkedTotal, amount)
        return true
    }

    /// True when packets wait for the /64 and control was not asked yet.
    func isUnasked(_ prefix: UInt64) -> Bool {
        guard let place = find(prefix) else { return false }
        return queues[place].isAsked == 0
    }

    func noteAsked(_ prefix: UInt64) {
        if let place = find(prefix) { queues[place].isAsked = 1 }
    }

    /// The packet that waits longest for a /64, taken out: its slot, its bytes behind `packetOffset`, and how many packets
    /// it stands for. The caller owns the slot.
    mutating func takeFirst(_ prefix: UInt64) -> (slot: UInt32, length: Int, packets: Int)? {
        guard let place = find(prefix) else { return nil }
        let slot = queues[place].first
        let head = pool.base(slot).load(as: Head.self)
        queues[place].first = head.next
        queues[place].count -= 1
        if queues[place].count == 0 {
            queueCount -= 1
            queues[place] = queues[queueCount]
        }
        count -= 1
        packets -= Int(head.packets)
        return (slot, Int(head.length), Int(head.packets))
    }

    /// Drops what waited too long.
    mutating func expire(now: Instant) {
        var place = queueCount
        while place > 0 {
            place -= 1
            let prefix = queues[place].prefix
            while let slot = firstSlot(prefix),
                now.milliseconds(since: pool.base(slot).load(as: Head.self).since) >= bounds.timeoutMilliseconds
            {
                dropFirst(prefix, .parkTimeout)
            }
        }
    }

    private func firstSlot(_ prefix: UInt64) -> UInt32? {
        guard let place = find(prefix) else { return nil }
        return queues[place].first
    }

    private mutating func dropFirst(_ prefix: UInt64, _ reason: DropReason) {
        guard let old = takeFirst(prefix) else { return }
        counters.drop(reason, old.packets)
        pool.release(old.slot)
    }

    /// Drops everything that waits for a /64.
    mutating func dropAll(_ prefix: UInt64, _ reason: DropReason) {
        while find(prefix) != nil { dropFirst(prefix, reason) }
    }

    /// Drops everything.
    mutating func dropAll(_ reason: DropReason) {
        while queueCount > 0 { dropFirst(queues[0].prefix, reason) }
    }
}
