public import HyphaPacket
import HyphaWire

/// What waits to be written to one peer: control before data, each in order.
///
/// | when data comes and | then |
/// |---|---|
/// | there is neither room for any peer (`dataPackets`, `dataBytes`) nor does the peer take it all within `drainMilliseconds` | the oldest of the largest flow goes until there is |
/// | the link would hold more than `linkSlots` | the same |
/// | the link is steady, and the oldest of the largest flow has waited for `staleMilliseconds` | it goes, two at most for one that comes |
///
/// So a peer that reads slowly, or one flow that sends too much, costs itself. A flow is what has the same source and
/// destination; flows are counted in 64 classes by a keyed hash, and flows of one class share their fate. Frames under way
/// in the kernel are never dropped.
///
/// Law: frames queued = written + dropped + waiting, for data and for control.
public struct StreamQueue {
    static let classes = 64

    private var control = StreamList()
    private var data = StreamList()
    /// Frames handed out by `nextWrite`, and then the one that was written in part.
    private var flight = StreamList()
    /// Bytes of the first frame in flight that are written already.
    private var writtenOfFirst = 0
    public private(set) var isWriting = false

    // Of each class: its oldest and youngest frame among `data`, and their bytes.
    private var oldest = InlineArray<64, UInt32>(repeating: .max)
    private var youngest = InlineArray<64, UInt32>(repeating: .max)
    private var bytes = InlineArray<64, UInt32>(repeating: 0)

    /// Data packets and bytes held, those in flight included.
    public private(set) var dataPackets = 0
    public private(set) var dataBytes = 0
    public private(set) var controlFrames = 0
    public private(set) var controlBytes = 0
    /// Slots held.
    public private(set) var slots = 0

    public init() {}

    public var isEmpty: Bool { control.isEmpty && data.isEmpty && flight.isEmpty }
    /// Whether data waits that is not under way.
    public var hasDroppable: Bool { !data.isEmpty }

    /// Copies a control frame to the end of the control queue.
    public mutating func append(
        control frame: UnsafeRawBufferPointer, _ limits: StreamLimits, _ memory: StreamMemory
    ) -> StreamAdmission {
        guard controlFrames < limits.controlFrames, controlBytes + frame.count <= limits.controlBytes else {
            return StreamAdmission(.noRoom)
        }
        guard let first = copy(frame, kind: .control, flow: 0, memory) else { return StreamAdmission(.noMemory) }
        control.append(first, memory.pool)
        controlFrames += 1
        controlBytes += frame.count
        return StreamAdmission(.queued)
    }

    /// Copies a data frame to the end of the data queue. `flow` is its class, below 64.
    public mutating func append(
        data frame: UnsafeRawBufferPointer, flow: Int, _ pace: StreamPace, _ limits: StreamLimits,
        _ memory: StreamMemory
    ) -> StreamAdmission {
        let flow = flow & (StreamQueue.classes - 1)
        var displaced = 0
        while !hasRoom(frame.count, pace, limits) {
            guard let victim = largest(counting: frame.count, in: flow), oldest[victim] != StreamNode.none else {
                return StreamAdmission(.noRoom, displaced: displaced)
            }
            dropOldest(victim, memory)
            displaced += 1
        }
        if pace.isSteady { displaced += dropStale(pace, limits, memory) }
        guard let first = copy(frame, kind: .data, flow: flow, memory) else {
            return StreamAdmission(.noMemory, displaced: displaced)
        }
        memory.pool.node(first).pointee.queued = pace.microseconds
        data.append(first, memory.pool)
        if oldest[flow] == StreamNode.none {
            oldest[flow] = first
        } else {
            memory.pool.node(youngest[flow]).pointee.nextOfFlow = first
        }
        youngest[flow] = first
        bytes[flow] &+= UInt32(truncatingIfNeeded: frame.count)
        dataPackets += 1
        dataBytes += frame.count
        return StreamAdmission(.queued, displaced: displaced)
    }

    /// Copies a data frame of which the peer has the first `count` bytes into an empty queue: it goes on before all others
    /// and is never dropped. False when there are not enough slots.
    mutating func append(started frame: UnsafeRawBufferPointer, written count: Int, _ memory: StreamMemory) -> Bool {
        guard isEmpty, let first = copy(frame, kind: .data, flow: 0, memory) else { return false }
        flight.append(first, memory.pool)
        writtenOfFirst = count
        dataPackets += 1
        dataBytes += frame.count
        return true
    }

    /// Drops the oldest packet of the largest class; false when no data waits.
    mutating func dropOldestOfLargest(_ memory: StreamMemory) -> Bool {
        guard let victim = largest(counting: 0, in: 0), oldest[victim] != StreamNode.none else { return false }
        dropOldest(victim, memory)
        return true
    }

    /// Fills `pieces` with what to write next, in order, and returns how many; 0 when nothing waits, or while a write is
    /// under way. The memory stays until `written`. At most `limits.writeBytes`, unless the first frame alone is longer.
    public mutating func nextWrite(
        _ pieces: UnsafeMutableBufferPointer<Train.Piece>, _ limits: StreamLimits, _ memory: StreamMemory
    ) -> Int {
        guard !isWriting else { return 0 }
        var count = 0
        var total = 0
        if !flight.isEmpty {
            describe(flight.first, skipping: writtenOfFirst, pieces, &count, &total, memory.pool)
        }
        while !control.isEmpty, fits(control.first, pieces.count, count, total, limits, memory.pool) {
            let frame = control.first
            control.remove(frame, memory.pool)
            flight.append(frame, memory.pool)
            describe(frame, skipping: 0, pieces, &count, &total, memory.pool)
        }
        while control.isEmpty, !data.isEmpty, fits(data.first, pieces.count, count, total, limits, memory.pool) {
            let frame = data.first
            detach(frame, memory.pool)
            flight.append(frame, memory.pool)
            describe(frame, skipping: 0, pieces, &count, &total, memory.pool)
        }
        isWriting = count > 0
        return count
    }

    /// Frames and bytes that a write completed.
    @frozen
    public struct Written: Equatable, Sendable {
        public var data = 0
        public var control = 0
        public init() {}
    }

    /// The kernel took the first `count` bytes of the last write, fewer than it was given or none. Frames that it took
    /// whole are gone; one that it took in part goes on first; the others wait again, where control may overtake them.
    public mutating func written(_ count: Int, _ memory: StreamMemory) -> Written {
        var done = Written()
        guard isWriting else { return done }
        isWriting = false
        var left = max(0, count)
        while !flight.isEmpty {
            let frame = flight.first
            let node = memory.pool.node(frame)
            let rest = Int(node.pointee.frameLength) - writtenOfFirst
            guard left >= rest else { break }
            left -= rest
            writtenOfFirst = 0
            flight.remove(frame, memory.pool)
            if node.pointee.kind == StockFrame.Kind.data.rawValue { done.data += 1 } else { done.control += 1 }
            forget(frame, memory)
        }
        writtenOfFirst += flight.isEmpty ? 0 : left
        while !flight.isEmpty, !(flight.first == flight.last && writtenOfFirst > 0) {
            let frame = flight.last
            flight.remove(frame, memory.pool)
            putBack(frame, memory.pool)
        }
        return done
    }

    /// Frames that ended unsent.
    @frozen
    public struct Discarded: Equatable, Sendable {
        public var data = 0
        public var control = 0
        public init() {}
    }

    /// Drops everything, what is in flight included unless a write is under way; then call it again after `written`.
    public mutating func discard(_ memory: StreamMemory) -> Discarded {
        let before = (dataPackets, controlFrames)
        while !control.isEmpty {
            let frame = control.first
            control.remove(frame, memory.pool)
            forget(frame, memory)
        }
        while !data.isEmpty {
            let frame = data.first
            detach(frame, memory.pool)
            forget(frame, memory)
        }
        while !isWriting, !flight.isEmpty {
            let frame = flight.first
            flight.remove(frame, memory.pool)
            forget(frame, memory)
        }
        if !isWriting { writtenOfFirst = 0 }
        var gone = Discarded()
        gone.data = before.0 - dataPackets
        gone.control = before.1 - controlFrames
        return gone
    }

    // MARK: inside

    /// Whether another data frame may wait.
    private func hasRoom(_ count: Int, _ pace: StreamPace, _ limits: StreamLimits) -> Bool {
        guard slots + StreamNode.slots(for: count) <= limits.linkSlots else { return false }
        let total = dataBytes + count
        return dataPackets < limits.dataPackets && total <= limits.dataBytes || total <= pace.drained
    }

    /// Drops up to two packets that have waited for too long; how many.
    private mutating func dropStale(_ pace: StreamPace, _ limits: StreamLimits, _ memory: StreamMemory) -> Int {
        let limit = UInt32(clamping: limits.staleMilliseconds &* 1_000)
        var dropped = 0
        while dropped < 2, dataPackets > limits.freshPackets, let victim = largest(counting: 0, in: 0),
            oldest[victim] != StreamNode.none,
            pace.microseconds &- memory.pool.node(oldest[victim]).pointee.queued > limit
        {
            dropOldest(victim, memory)
            dropped += 1
        }
        return dropped
    }

    /// The class with the most bytes waiting, the first of equals, as if `extra` more were in class `flow`; nil when all
    /// are empty.
    private func largest(counting extra: Int, in flow: Int) -> Int? {
        var best: Int?
        var most = 0
        for i in 0..<StreamQueue.classes {
            let size = Int(bytes[i]) + (i == flow ? extra : 0)
            if size > most {
                most = size
                best = i
            }
        }
        return best
    }

    private mutating func dropOldest(_ flow: Int, _ memory: StreamMemory) {
        let frame = oldest[flow]
        guard frame != StreamNode.none else { return }
        detach(frame, memory.pool)
        forget(frame, memory)
    }

    /// Takes a frame, the oldest of its class, out of `data`.
    private mutating func detach(_ frame: UInt32, _ pool: PacketPool) {
        data.remove(frame, pool)
        let node = pool.node(frame)
        let flow = Int(node.pointee.flow)
        oldest[flow] = node.pointee.nextOfFlow
        if oldest[flow] == StreamNode.none { youngest[flow] = StreamNode.none }
        bytes[flow] &-= node.pointee.frameLength
        node.pointee.nextOfFlow = StreamNode.none
    }

    /// Puts a frame that was not written back to the front of its queue.
    private mutating func putBack(_ frame: UInt32, _ pool: PacketPool) {
        let node = pool.node(frame)
        guard node.pointee.kind == StockFrame.Kind.data.rawValue else {
            control.prepend(frame, pool)
            return
        }
        data.prepend(frame, pool)
        let flow = Int(node.pointee.flow)
        node.pointee.nextOfFlow = oldest[flow]
        if oldest[flow] == StreamNode.none { youngest[flow] = frame }
        oldest[flow] = frame
        bytes[flow] &+= node.pointee.frameLength
    }

    /// Ends a frame that is in no list any more.
    private mutating func forget(_ frame: UInt32, _ memory: StreamMemory) {
        let node = memory.pool.node(frame).pointee
        if node.kind == StockFrame.Kind.data.rawValue {
            dataPackets -= 1
            dataBytes -= Int(node.frameLength)
        } else {
            controlFrames -= 1
            controlBytes -= Int(node.frameLength)
        }
        slots -= Int(node.slots)
        var slot = frame
        while slot != StreamNode.none {
            let following = memory.pool.node(slot).pointee.nextSlot
            memory.releaseSlot(slot)
            slot = following
        }
    }

    /// Copies a frame into slots; nil when there are not enough.
    private mutating func copy(
        _ frame: UnsafeRawBufferPointer, kind: StockFrame.Kind, flow: Int, _ memory: StreamMemory
    ) -> UInt32? {
        let needed = StreamNode.slots(for: frame.count)
        guard let base = frame.baseAddress, needed > 0, memory.hasSlots(needed), let first = memory.takeSlot() else {
            return nil
        }
        var slot = first
        var position = 0
        while true {
            let node = memory.pool.node(slot)
            let size = min(StreamNode.capacity, frame.count - position)
            node.initialize(to: StreamNode())
            node.pointee.slotLength = UInt16(truncatingIfNeeded: size)
            (memory.pool.base(slot) + StreamNode.size).copyMemory(from: base + position, byteCount: size)
            position += size
            guard position < frame.count, let following = memory.takeSlot() else { break }
            node.pointee.nextSlot = following
            slot = following
        }
        let node = memory.pool.node(first)
        node.pointee.frameLength = UInt32(truncatingIfNeeded: frame.count)
        node.pointee.slots = UInt16(truncatingIfNeeded: needed)
        node.pointee.kind = kind.rawValue
        node.pointee.flow = UInt8(truncatingIfNeeded: flow)
        slots += needed
        return first
    }

    /// Whether another frame may join the write. The first one always may.
    private func fits(
        _ frame: UInt32, _ room: Int, _ count: Int, _ total: Int, _ limits: StreamLimits, _ pool: PacketPool
    ) -> Bool {
        let node = pool.node(frame)
        guard count > 0 else { return room > 0 }
        return count + Int(node.pointee.slots) <= room && total + Int(node.pointee.frameLength) <= limits.writeBytes
    }

    /// Appends the pieces of a frame from its byte `skipping` on, as many as there is room for.
    private func describe(
        _ frame: UInt32, skipping: Int, _ pieces: UnsafeMutableBufferPointer<Train.Piece>, _ count: inout Int,
        _ total: inout Int, _ pool: PacketPool
    ) {
        var slot = frame
        var skip = skipping
        while slot != StreamNode.none, count < pieces.count {
            let node = pool.node(slot).pointee
            let length = Int(node.slotLength)
            if skip < length {
                pieces[count] = Train.Piece(
                    buffer: slot, offset: UInt32(StreamNode.size + skip), length: UInt32(length - skip))
                count += 1
                total += length - skip
                skip = 0
            } else {
                skip -= length
            }
            slot = node.nextSlot
        }
    }
}
