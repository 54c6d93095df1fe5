public import HyphaBase
public import HyphaPacket
import HyphaWire

/// All connections to stock neighbours of one worker, by connection id: a place in the low 16 bits, earlier uses of the
/// place in the others.
///
/// Whoever drives the sockets feeds what it received through `next`, writes what `nextWrite` lists and says how much of it
/// went with `written`, and closes what `popExpired` names. Nothing here calls the system. Owned by one thread.
///
/// When packet memory is short, the connection that holds the most gives up its oldest data first.
public struct StreamHub: ~Copyable {
    /// Low bits of an id that are its place.
    static let placeBits: UInt32 = 16

    private enum State: UInt8 {
        case free
        case open
        /// Closed while the kernel still writes.
        case ending
    }

    public let memory: StreamMemory
    public let limits: StreamLimits
    /// Initialised up to `used`.
    private let links: UnsafeMutablePointer<StreamLink>
    private let ids: UnsafeMutablePointer<UInt32>
    private let states: UnsafeMutablePointer<State>
    private let capacity: Int
    /// One past the highest place that was ever open.
    private var used = 0
    /// Slots that each connection holds, side by side for the search of the largest.
    private let held: UnsafeMutablePointer<UInt32>
    private let flowKey: UInt64
    private var closed = StreamCounters()
    private var tally = StreamTally()
    /// Frames that wait on all connections.
    public private(set) var waitingFrames = 0
    /// Next place that `popExpired` looks at, and when it begins again.
    private var sweepPlace = 0
    private var nextSweep = Instant.zero

    /// Room for `capacity` connections, at most 65,536; memory for one is touched when it is first needed. `memory` must
    /// outlive the hub. `flowKey` is random, so that nobody can choose addresses that share a class with others.
    public init(memory: StreamMemory, limits: StreamLimits, capacity: Int, flowKey: UInt64) {
        let count = max(0, min(capacity, 1 << Int(StreamHub.placeBits)))
        self.memory = memory
        self.limits = limits
        self.capacity = count
        self.flowKey = flowKey
        links = .allocate(capacity: max(1, count))
        ids = .allocate(capacity: max(1, count))
        ids.initialize(repeating: 0, count: max(1, count))
        states = .allocate(capacity: max(1, count))
        states.initialize(repeating: .free, count: max(1, count))
        held = .allocate(capacity: max(1, count))
        held.initialize(repeating: 0, count: max(1, count))
    }

    /// Closes all connections. Nothing may be under way in the kernel any more.
    deinit {
        for i in 0..<used where states[i] != .free {
            if links[i].isWriting { _ = links[i].written(0, limits, memory, now: .zero) }
            links[i].close(memory)
        }
        links.deallocate()
        ids.deallocate()
        states.deallocate()
        held.deallocate()
    }

    // MARK: connections

    /// A new connection; false when its place is taken or beyond the capacity.
    public mutating func open(_ id: UInt32, now: Instant) -> Bool {
        let place = Int(id & (1 &<< StreamHub.placeBits &- 1))
        guard place < capacity, states[place] == .free else { return false }
        while used <= place {
            (links + used).initialize(to: StreamLink(now: now))
            used += 1
        }
        links[place] = StreamLink(now: now)
        ids[place] = id
        states[place] = .open
        return true
    }

    /// Ends a connection: its memory is free at once, or after `written` when a write is under way. True when nothing is
    /// under way any more.
    @discardableResult
    public mutating func close(_ id: UInt32) -> Bool {
        guard let place = place(id), states[place] == .open else { return true }
        discard(place)
        if links[place].isWriting {
            states[place] = .ending
            return false
        }
        vacate(place)
        return true
    }

    /// Whether the id is of an open connection.
    public func isOpen(_ id: UInt32) -> Bool {
        guard let place = place(id) else { return false }
        return states[place] == .open
    }

    /// Connections open.
    public var openCount: Int {
        var count = 0
        for i in 0..<used where states[i] == .open { count += 1 }
        return count
    }

    // MARK: in

    /// The next frame of a connection out of what was received before and `input`, whose bytes it uses up from the front.
    /// Call until it says that all are used up. The caller keeps its own reference on the input's buffer; every frame has
    /// one of its own.
    public mutating func next(_ id: UInt32, _ input: inout Train.Piece, now: Instant) -> StreamEvent {
        guard let place = place(id), states[place] == .open else { return .exhausted }
        let event = links[place].next(&input, memory, now: now)
        if case .frame = event { return event }
        links[place].addPassedOver(to: &tally)
        return event
    }

    // MARK: out

    /// Queues a copy of a data frame, header included.
    public mutating func send(data frame: UnsafeRawBufferPointer, to id: UInt32, now: Instant) -> StreamAdmission {
        guard let place = place(id), states[place] == .open, let base = frame.baseAddress,
            frame.count >= StockData.headerSize
        else { return StreamAdmission(.noLink) }
        let needed = StreamNode.slots(for: frame.count)
        // Bounded: every round frees at least one slot.
        while !memory.hasSlots(needed), makeRoom() {}
        let admission = links[place].send(data: frame, flow: flowClass(base), limits, memory, now: now)
        note(admission, place)
        return admission
    }

    /// Whether data frames may go past the queue of a connection, straight to the peer: nothing waits, nothing is under
    /// way, and a frame that the peer takes in part could be kept. Tell `passed` what went.
    public mutating func canPass(_ id: UInt32) -> Bool {
        guard let place = place(id), states[place] == .open, !links[place].hasWaiting else { return false }
        while !memory.hasSlots(StreamHub.largestFrameSlots) {
            guard makeRoom() else { return false }
        }
        return true
    }

    private static let largestFrameSlots = StreamNode.slots(for: StreamFramer.maxFrame)

    /// The peer took the first `count` bytes of `frames` data frames, which fill `pieces` one behind the other, past the
    /// queue. The rest is queued, copied.
    public mutating func passed(
        _ pieces: UnsafeBufferPointer<Train.Piece>, frames: Int, bytes count: Int, to id: UInt32, now: Instant
    ) -> StreamPassage {
        guard let place = place(id), states[place] == .open else { return StreamPassage(gone: frames) }
        var left = count
        var whole = 0
        var wholeBytes = 0
        var passage = StreamPassage()
        var total = 0
        for piece in pieces { total &+= Int(piece.length) }
        if left >= total {
            (whole, wholeBytes) = (frames, total)
        } else {
            for piece in pieces {
                let start = UnsafeRawPointer(memory.pool.base(piece.buffer) + Int(piece.offset))
                var offset = 0
                while Int(piece.length) &- offset >= StockData.headerSize {
                    let length = StockData.headerSize &+ StockData.payloadLength(start + offset)
                    let frame = UnsafeRawBufferPointer(
                        start: start + offset, count: min(length, Int(piece.length) &- offset))
                    offset &+= length
                    if left >= length {
                        left &-= length
                        whole &+= 1
                        wholeBytes &+= length
                    } else if left > 0 {
                        guard links[place].passed(partOf: frame, bytes: left, memory, now: now) else {
                            // Nothing may follow the half of a frame.
                            notePassed(place, frames: whole, bytes: wholeBytes, now: now)
                            close(id)
                            return StreamPassage(gone: frames &- whole, isCut: true)
                        }
                        left = 0
                        waitingFrames &+= 1
                        held[place] = UInt32(truncatingIfNeeded: links[place].slots)
                    } else {
                        passage.note(send(data: frame, to: id, now: now).fate)
                    }
                }
            }
        }
        notePassed(place, frames: whole, bytes: wholeBytes, now: now)
        return passage
    }

    private mutating func notePassed(_ place: Int, frames: Int, bytes: Int, now: Instant) {
        guard frames > 0 else { return }
        links[place].passed(frames: frames, bytes: bytes, now: now)
        tally.written &+= frames
    }

    /// Queues a copy of a control frame, header included. It goes before all data.
    public mutating func send(control frame: UnsafeRawBufferPointer, to id: UInt32, now: Instant) -> StreamAdmission {
        guard let place = place(id), states[place] == .open else { return StreamAdmission(.noLink) }
        let needed = StreamNode.slots(for: frame.count)
        while !memory.hasSlots(needed), makeRoom() {}
        let admission = links[place].send(control: frame, limits, memory, now: now)
        note(admission, place)
        return admission
    }

    /// Fills `pieces` with what to write next on a connection and returns how many; 0 when nothing waits or a write is
    /// under way. The memory stays until `written`, which must follow.
    public mutating func nextWrite(_ id: UInt32, _ pieces: UnsafeMutableBufferPointer<Train.Piece>) -> Int {
        guard let place = place(id), states[place] == .open else { return 0 }
        return links[place].nextWrite(pieces, limits, memory)
    }

    /// The last write of a connection ended; the kernel took `count` bytes of it, 0 when it failed. True when more waits.
    @discardableResult
    public mutating func written(_ id: UInt32, _ count: Int, now: Instant) -> Bool {
        guard let place = place(id), states[place] != .free else { return false }
        let done = links[place].written(count, limits, memory, now: now)
        tally.written &+= done.data &+ done.control
        waitingFrames &-= done.data &+ done.control
        held[place] = UInt32(truncatingIfNeeded: links[place].slots)
        if states[place] == .ending {
            discard(place)
            vacate(place)
            return false
        }
        return links[place].hasWaiting
    }

    /// Whether frames wait on a connection.
    public func hasWaiting(_ id: UInt32) -> Bool {
        guard let place = place(id) else { return false }
        return states[place] == .open && links[place].hasWaiting
    }

    /// Bytes of data that wait on a connection, those under way in the kernel included.
    public func waitingBytes(_ id: UInt32) -> Int {
        guard let place = place(id), states[place] == .open else { return 0 }
        return links[place].waitingBytes
    }

    /// Bytes a second that the peer of a connection takes, as measured last; see `StreamRate`.
    public mutating func drainRate(_ id: UInt32, now: Instant) -> Int {
        guard let place = place(id), states[place] == .open else { return 0 }
        return links[place].drainRate(now: now)
    }

    // MARK: time

    /// A connection that must be closed, and why. Call until nil; all are looked at once a second.
    public mutating func popExpired(now: Instant) -> (id: UInt32, why: StreamEnd)? {
        guard now >= nextSweep else { return nil }
        while sweepPlace < used {
            let place = sweepPlace
            sweepPlace += 1
            guard states[place] == .open, let why = links[place].end(limits, now: now) else { continue }
            return (ids[place], why)
        }
        sweepPlace = 0
        nextSweep = now.advanced(byMilliseconds: 1_000)
        return nil
    }

    /// When `popExpired` has work again; never while there was no connection yet.
    public var nextDeadline: Instant { used == 0 ? .distantFuture : nextSweep }

    // MARK: figures

    /// Counters of a connection.
    public func counters(_ id: UInt32) -> StreamCounters? {
        place(id).flatMap { states[$0] == .open ? links[$0].counters : nil }
    }

    /// Counters of all connections there ever were.
    public var totals: StreamCounters {
        var sum = closed
        for i in 0..<used where states[i] != .free { sum += links[i].counters }
        return sum
    }

    /// Data packets and control frames that wait on all connections.
    public var waiting: (data: Int, control: Int) {
        var sum = (data: 0, control: 0)
        for i in 0..<used where states[i] != .free {
            sum.data += links[i].waitingData
            sum.control += links[i].waitingControl
        }
        return sum
    }

    /// What became of frames since the last call.
    public mutating func takeTally() -> StreamTally {
        let all = tally
        tally = StreamTally()
        return all
    }

    // MARK: inside

    @inline(__always)
    private mutating func note(_ admission: StreamAdmission, _ place: Int) {
        held[place] = UInt32(truncatingIfNeeded: links[place].slots)
        tally.displaced &+= admission.displaced
        waitingFrames &+= (admission.fate == .queued ? 1 : 0) &- admission.displaced
    }

    private mutating func discard(_ place: Int) {
        let before = links[place].waitingData &+ links[place].waitingControl
        links[place].close(memory)
        let gone = before &- links[place].waitingData &- links[place].waitingControl
        tally.discarded &+= gone
        waitingFrames &-= gone
        held[place] = UInt32(truncatingIfNeeded: links[place].slots)
    }

    private func place(_ id: UInt32) -> Int? {
        let place = Int(id & (1 &<< StreamHub.placeBits &- 1))
        guard place < used, ids[place] == id else { return nil }
        return place
    }

    private mutating func vacate(_ place: Int) {
        closed += links[place].counters
        states[place] = .free
        held[place] = 0
    }

    /// Drops the oldest data of the largest flow of the connection that holds the most slots; false when none has any.
    private mutating func makeRoom() -> Bool {
        var heaviest: Int?
        var most: UInt32 = 0
        for i in 0..<used where held[i] > most && links[i].hasDroppable {
            most = held[i]
            heaviest = i
        }
        guard let heaviest, links[heaviest].displaceOne(memory) else { return false }
        held[heaviest] = UInt32(truncatingIfNeeded: links[heaviest].slots)
        tally.displaced &+= 1
        waitingFrames &-= 1
        return true
    }

    /// The class of a data frame's source and destination.
    private func flowClass(_ frame: UnsafeRawPointer) -> Int {
        StreamFlow.number(StockData.source(frame), StockData.destination(frame), key: flowKey)
    }
}
