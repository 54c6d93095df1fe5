import HyphaBase
import HyphaPacket
import HyphaSession
import HyphaWire

/// Packets that come in two pieces (docs/protocol.md, "FRAGMENT"). The piece that comes first is copied into a slot and
/// waits there; the second one turns into the whole packet, in its own place in the vector.
///
/// | bound | value | when reached |
/// |---|---|---|
/// | packets begun, of one link | 64 | the link's oldest ends as `fragmentLost` |
/// | packets begun, in all | 1,024 | the oldest ends as `fragmentLost` |
/// | time | 100 ms | drop `fragmentLost` |
/// | piece | 2,048 bytes, one slot | drop `badFragment` |
/// | whole | 4,096 bytes: two pieces | |
/// | memory | slots of the pool, room in a slab | drop `noBuffer`, both pieces |
///
/// In the law a piece is `waiting`, then `punted` when it became part of a whole, which is `injected`. All memory is
/// allocated once.
struct Reassembly {
    static let capacity = 1_024
    static let perLink = 64
    static let timeoutMilliseconds: UInt64 = 100
    /// Bytes of the larger piece of the largest packet.
    static let maxPiece = PacketPool.slotSize

    /// A packet of which one piece waits. It is known by session, lane and id.
    private struct Begun {
        var since = Instant.zero
        var link: UInt32 = 0
        var session: UInt32 = 0
        /// The slot that the piece fills from its first byte on.
        var slot: UInt32 = 0
        var length: UInt16 = 0
        var id: UInt16 = 0
        var lane: UInt8 = 0
        var part: UInt8 = 0
    }

    private let pool: PacketPool
    private let counters: WorkerCounters
    private let linkLimit: Int
    private let begun: UnsafeMutablePointer<Begun>
    /// Places in `begun` that are free, on top of each other.
    private let free: UnsafeMutablePointer<UInt16>
    private var freeCount: Int
    private let neighboursOfAll: UnsafeMutablePointer<AgeList.Neighbours>
    private let neighboursOfLink: UnsafeMutablePointer<AgeList.Neighbours>
    private var all = AgeList()
    private let ofLink: UnsafeMutablePointer<AgeList>
    /// Buffers that the wholes of the vector at hand stand in, each with a reference.
    private let held: UnsafeMutablePointer<UInt32>
    private var heldCount = 0

    /// Links have ids below `links`.
    init(pool: PacketPool, counters: WorkerCounters, links: Int) {
        self.pool = pool
        self.counters = counters
        linkLimit = links
        let count = Reassembly.capacity
        begun = .allocate(capacity: count)
        begun.initialize(repeating: Begun(), count: count)
        free = .allocate(capacity: count)
        for i in 0..<count { (free + i).initialize(to: UInt16(count - 1 - i)) }
        freeCount = count
        neighboursOfAll = .allocate(capacity: count)
        neighboursOfAll.initialize(repeating: AgeList.Neighbours(), count: count)
        neighboursOfLink = .allocate(capacity: count)
        neighboursOfLink.initialize(repeating: AgeList.Neighbours(), count: count)
        ofLink = .allocate(capacity: max(1, links))
        ofLink.initialize(repeating: AgeList(), count: max(1, links))
        held = .allocate(capacity: PacketVector.capacity)
        held.initialize(repeating: 0, count: PacketVector.capacity)
    }

    func deallocate() {
        begun.deallocate()
        free.deallocate()
        neighboursOfAll.deallocate()
        neighboursOfLink.deallocate()
        ofLink.deallocate()
        held.deallocate()
    }

    /// Pieces that wait, each in a slot.
    var waiting: Int { Int(all.count) }

    /// Takes an opened and admitted piece that came over the link `id`: it waits, completes a packet or is dropped.
    ///
    /// In the second case the descriptor is the whole from here on, as if it had come in one fully sealed datagram. It
    /// stays valid until `releaseWholes`.
    @inline(never)
    mutating func take(
        _ packet: UnsafeMutablePointer<Descriptor>, link id: UInt32, _ slab: inout FrameSlab,
        _ context: borrowing StageContext
    ) {
        counters.add(.fragmentsReceived)
        expire(now: context.now)
        let head = pool.base(packet.pointee.buffer) + Int(packet.pointee.offset) + LinkHeader.size
        let part = head.load(fromByteOffset: 2, as: UInt8.self)
        let total = head.load(fromByteOffset: 3, as: UInt8.self)
        let length =
            Int(packet.pointee.length) &- LinkHeader.size &- LinkHeader.fragmentHeadSize &- LinkHeader.tagSize
        guard total == 2, part <= 1, length > 0, length <= Reassembly.maxPiece, Int(id) < linkLimit else {
            packet.pointee.drop(.badFragment)
            return
        }
        let number = UInt16(littleEndian: head.loadUnaligned(as: UInt16.self))
        let piece = UnsafeRawPointer(head + LinkHeader.fragmentHeadSize)
        guard let place = find(id, packet.pointee.link, packet.pointee.lane, number) else {
            wait(packet, piece, length, link: id, number, part, context.now)
            return
        }
        guard begun[Int(place)].part != part else {
            packet.pointee.drop(.badFragment)
            return
        }
        complete(packet, piece, length, isFirst: part == 0, place, &slab)
    }

    /// The packet that a piece belongs to; the youngest are looked at first.
    private func find(_ link: UInt32, _ session: UInt32, _ lane: UInt8, _ id: UInt16) -> UInt16? {
        var place = ofLink[Int(link)].youngest
        while place != AgeList.none {
            let other = begun + Int(place)
            if other.pointee.id == id, other.pointee.lane == lane, other.pointee.session == session { return place }
            place = neighboursOfLink[Int(place)].older
        }
        return nil
    }

    /// The first piece of a packet to come is copied and waits.
    private mutating func wait(
        _ packet: UnsafeMutablePointer<Descriptor>, _ piece: UnsafeRawPointer, _ length: Int, link: UInt32,
        _ id: UInt16, _ part: UInt8, _ now: Instant
    ) {
        if ofLink[Int(link)].count == Reassembly.perLink { drop(ofLink[Int(link)].oldest, .fragmentLost) }
        if freeCount == 0 { drop(all.oldest, .fragmentLost) }
        guard freeCount > 0, let slot = pool.takeSlot() else {
            packet.pointee.drop(.noBuffer)
            return
        }
        pool.base(slot).copyMemory(from: piece, byteCount: length)
        freeCount -= 1
        let place = free[freeCount]
        begun[Int(place)] = Begun(
            since: now, link: link, session: packet.pointee.link, slot: slot,
            length: UInt16(truncatingIfNeeded: length), id: id, lane: packet.pointee.lane, part: part)
        all.append(place, neighboursOfAll)
        ofLink[Int(link)].append(place, neighboursOfLink)
        packet.pointee.disposition = .parked
    }

    /// Puts both pieces together in a slab.
    private mutating func complete(
        _ packet: UnsafeMutablePointer<Descriptor>, _ piece: UnsafeRawPointer, _ length: Int, isFirst: Bool,
        _ place: UInt16, _ slab: inout FrameSlab
    ) {
        let other = begun[Int(place)]
        let stored = UnsafeRawPointer(pool.base(other.slot))
        let whole = length &+ Int(other.length)
        let first = (isFirst ? piece : stored).load(as: UInt8.self)
        // Control never comes in pieces.
        guard first < 0x80, whole >= RoutingHeader.size, whole <= LinkHeader.fragmentedMaximum else {
            drop(place, .badFragment)
            packet.pointee.drop(.badFragment)
            return
        }
        let size = LinkHeader.size &+ whole &+ LinkHeader.tagSize
        guard let room = hold(size, &slab) else {
            drop(place, .noBuffer)
            packet.pointee.drop(.noBuffer)
            return
        }
        let inner = pool.base(room.buffer) + Int(room.offset) + LinkHeader.size
        let split = isFirst ? length : Int(other.length)
        (inner + (isFirst ? 0 : split)).copyMemory(from: piece, byteCount: length)
        (inner + (isFirst ? split : 0)).copyMemory(from: stored, byteCount: Int(other.length))
        remove(place)
        counters.add(.punted, 2)
        counters.add(.injected)
        counters.add(.reassembled)
        packet.pointee.buffer = room.buffer
        packet.pointee.offset = room.offset
        packet.pointee.length = UInt32(truncatingIfNeeded: size)
        packet.pointee.mode = .full
    }

    /// Room for a whole, with a reference until `releaseWholes`.
    private mutating func hold(_ size: Int, _ slab: inout FrameSlab) -> (buffer: UInt32, offset: UInt32)? {
        guard heldCount < PacketVector.capacity else { return nil }
        var room = slab.take(size)
        if room == nil {
            // The wholes in full slabs have references of their own.
            slab.releaseFull()
            room = slab.take(size)
        }
        guard let room else { return nil }
        pool.retain(room.buffer)
        held[heldCount] = room.buffer
        heldCount += 1
        return room
    }

    /// Gives up the memory of the wholes; call when their vector is done.
    @inline(__always)
    mutating func releaseWholes() {
        guard heldCount > 0 else { return }
        for i in 0..<heldCount { pool.release(held[i]) }
        heldCount = 0
    }

    /// Drops what has waited too long.
    mutating func expire(now: Instant) {
        while all.count > 0,
            now.milliseconds(since: begun[Int(all.oldest)].since) >= Reassembly.timeoutMilliseconds
        {
            drop(all.oldest, .fragmentLost)
        }
    }

    /// Drops what came under a session that ends. Its slot, lanes and ids may be another's soon.
    mutating func endSession(_ session: UInt32, link: UInt32) {
        guard Int(link) < linkLimit else { return }
        var place = ofLink[Int(link)].oldest
        while place != AgeList.none {
            let next = neighboursOfLink[Int(place)].younger
            if begun[Int(place)].session == session { drop(place, .fragmentLost) }
            place = next
        }
    }

    /// Drops everything that waits.
    mutating func dropAll(_ reason: DropReason) {
        while all.count > 0 { drop(all.oldest, reason) }
    }

    private mutating func drop(_ place: UInt16, _ reason: DropReason) {
        guard place != AgeList.none else { return }
        remove(place)
        counters.drop(reason)
    }

    private mutating func remove(_ place: UInt16) {
        let old = begun + Int(place)
        pool.release(old.pointee.slot)
        all.remove(place, neighboursOfAll)
        ofLink[Int(old.pointee.link)].remove(place, neighboursOfLink)
        free[freeCount] = place
        freeCount += 1
    }
}
