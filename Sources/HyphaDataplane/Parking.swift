import HyphaBase
import HyphaPacket

/// Packets from the TUN that wait for an end-to-end session, each copied into a slot of its own. How long the negotiation
/// with the peer lets them wait is its own affair (`StockNegotiation`); the bounds here hold in any case.
///
/// | bound | value | when reached |
/// |---|---|---|
/// | packets for one peer | 16 | drop `parkFull` |
/// | packets in all | configured | drop `parkFull` |
/// | size | one slot | drop `parkFull` |
/// | time | 5 s | drop `parkTimeout` |
struct Parking {
    static let perPeer: UInt16 = 16
    static let timeoutMilliseconds: UInt64 = 5_000

    /// What stands in the first bytes of a parked slot.
    struct Head {
        var next: UInt32
        var length: UInt32
        var segments: UInt32
        var since: Instant
    }
    /// The virtio header of a parked packet starts here in its slot.
    static let packetOffset = 32

    private let pool: PacketPool
    private let counters: WorkerCounters
    private let limit: Int
    /// Slots in use.
    private(set) var count = 0
    /// Packets that the slots stand for.
    private(set) var packets = 0

    init(pool: PacketPool, counters: WorkerCounters, limit: Int) {
        self.pool = pool
        self.counters = counters
        self.limit = limit
    }

    /// Whether `length` bytes for a peer would find a place.
    func hasRoom(length: Int, for peer: UnsafeMutablePointer<PeerRecord>) -> Bool {
        length <= PacketPool.slotSize - Parking.packetOffset && peer.pointee.parkedCount < Parking.perPeer
            && count < limit && pool.freeSlotCount > 0
    }

    /// Copies a read of the TUN (virtio header in front) to the end of a peer's queue; counts the drop when it cannot.
    mutating func park(
        _ bytes: UnsafeRawPointer, length: Int, segments: Int, for peer: UnsafeMutablePointer<PeerRecord>, now: Instant
    ) {
        guard length <= PacketPool.slotSize - Parking.packetOffset, peer.pointee.parkedCount < Parking.perPeer,
            count < limit, let slot = pool.takeSlot()
        else {
            counters.drop(.parkFull, segments)
            return
        }
        let base = pool.base(slot)
        base.storeBytes(
            of: Head(next: .max, length: UInt32(length), segments: UInt32(segments), since: now), as: Head.self)
        (base + Parking.packetOffset).copyMemory(from: bytes, byteCount: length)
        if peer.pointee.parkedCount == 0 {
            peer.pointee.firstParked = slot
        } else {
            pool.base(peer.pointee.lastParked).storeBytes(of: slot, as: UInt32.self)
        }
        peer.pointee.lastParked = slot
        peer.pointee.parkedCount += 1
        count += 1
        packets += segments
        counters.add(.parkedTotal, segments)
    }

    /// The oldest parked packet of a peer, taken out of the queue: slot, length behind `packetOffset`, segments. The
    /// caller owns the slot.
    mutating func takeFirst(
        _ peer: UnsafeMutablePointer<PeerRecord>
    ) -> (slot: UInt32, length: Int, segments: Int)? {
        guard peer.pointee.parkedCount > 0 else { return nil }
        let slot = peer.pointee.firstParked
        let head = pool.base(slot).load(as: Head.self)
        peer.pointee.firstParked = head.next
        peer.pointee.parkedCount -= 1
        count -= 1
        packets -= Int(head.segments)
        return (slot, Int(head.length), Int(head.segments))
    }

    /// Drops what has waited too long for a peer.
    mutating func expire(_ peer: UnsafeMutablePointer<PeerRecord>, now: Instant) {
        while peer.pointee.parkedCount > 0 {
            let since = pool.base(peer.pointee.firstParked).load(as: Head.self).since
            guard now.milliseconds(since: since) >= Parking.timeoutMilliseconds, let old = takeFirst(peer) else {
                return
            }
            counters.drop(.parkTimeout, old.segments)
            pool.release(old.slot)
        }
    }

    /// Drops everything that waits for a peer.
    mutating func dropAll(_ peer: UnsafeMutablePointer<PeerRecord>, _ reason: DropReason) {
        while let old = takeFirst(peer) {
            counters.drop(reason, old.segments)
            pool.release(old.slot)
        }
    }
}
