public import HyphaBase
public import HyphaPacket
import HyphaWire

/// All connections to stock neighbours of one worker, by link id.
///
/// Whoever drives the sockets feeds what it received through `next`, writes what `nextWrite` lists and says how much of it
/// went with `written`, and closes what `popExpired` names. Nothing here calls the system. Owned by one thread.
///
/// When packet memory is short, the connection that holds the most gives up its oldest data first.
public struct StreamHub: ~Copyable {
    /// Low bits of a link id that are its place; the others tell its uses apart.
    static let placeBits: UInt32 = 16

    private struct Place {
        var link: StreamLink
        var id: UInt32
        var isOpen = false
        /// Closed while the kernel still writes.
        var isEnding = false
    }

    public let memory: StreamMemory
    public let limits: StreamLimits
    private let places: UnsafeMutablePointer<Place>
    private let capacity: Int
    private var free: [UInt32]
    /// Slots that each connection holds, side by side for the search of the largest.
    private let held: UnsafeMutablePointer<UInt32>
    private let flowKey: UInt64
    private var closed = StreamCounters()
    /// Next place that `popExpired` looks at, and when it begins again.
    private var sweepPlace = 0
    private var nextSweep = Instant.zero

    /// Room for `capacity` connections, at most 65,536. `memory` must outlive the hub. `flowKey` is random, so that nobody can choose addresses that
    /// share a class with others.
    public init(memory: StreamMemory, limits: StreamLimits, capacity: Int, flowKey: UInt64) {
        let count = max(1, min(capacity, 1 << Int(StreamHub.placeBits)))
        self.memory = memory
        self.limits = limits
        self.capacity = count
        self.flowKey = flowKey
        free = (0..<UInt32(count)).reversed()
        places = .allocate(capacity: count)
        for i in 0..<count {
            (places + i).initialize(to: Place(link: StreamLink(now: .zero), id: UInt32(i)))
        }
        held = .allocate(capacity: count)
        held.initialize(repeating: 0, count: count)
    }

    /// Closes all connections. Nothing may be under way in the kernel any more.
    deinit {
        for i in 0..<capacity where places[i].isOpen || places[i].isEnding {
            if places[i].link.isWriting { _ = places[i].link.written(0, memory, now: .zero) }
            places[i].link.close(memory)
        }
        places.deallocate()
        held.deallocate()
    }

    // MARK: connections

    /// A new connection; nil when there is no place.
    public mutating func open(now: Instant) -> UInt32? {
        guard let place = free.popLast() else { return nil }
        let record = places + Int(place)
        record.pointee.link = StreamLink(now: now)
        record.pointee.isOpen = true
        return record.pointee.id
    }

    /// Ends a connection: its memory is free at once, or after `written` when a write is under way. True when nothing is
    /// under way any more, so that the socket may be closed without waiting.
    @discardableResult
    public mutating func close(_ id: UInt32) -> Bool {
        guard let place = place(id), places[place].isOpen else { return true }
        places[place].isOpen = false
        places[place].link.close(memory)
        held[place] = UInt32(places[place].link.slots)
        if places[place].link.isWriting {
            places[place].isEnding = true
            return false
        }
        vacate(place)
        return true
    }

    /// Whether the id is of an open connection.
    public func isOpen(_ id: UInt32) -> Bool { place(id).map { places[$0].isOpen } ?? false }

    /// Connections open.
    public var openCount: Int {
        var count = 0
        for i in 0..<capacity where places[i].isOpen { count += 1 }
        return count
    }

    // MARK: in

    /// The next frame of a connection out of what was received before and `input`, whose bytes it uses up from the front.
    /// Call until it says that all are used up. The caller keeps its own reference on the input's buffer; every frame has
    /// one of its own.
    public mutating func next(_ id: UInt32, _ input: inout Train.Piece, now: Instant) -> StreamEvent {
        guard let place = place(id), places[place].isOpen else { return .exhausted }
        return places[place].link.next(&input, memory, now: now)
    }

    // MARK: out

    /// Queues a copy of a data frame, header included.
    public mutating func send(data frame: UnsafeRawBufferPointer, to id: UInt32, now: Instant) -> StreamAdmission {
        guard let place = place(id), places[place].isOpen, let base = frame.baseAddress,
            frame.count >= StockData.headerSize
        else { return StreamAdmission(.noLink) }
        let needed = StreamNode.slots(for: frame.count)
        // Bounded: every round frees at least one slot.
        while !memory.hasSlots(needed), makeRoom() {}
        let admission = places[place].link.send(
            data: frame, flow: flowClass(base), limits, memory, now: now)
        held[place] = UInt32(places[place].link.slots)
        return admission
    }

    /// Queues a copy of a control frame, header included. It goes before all data.
    public mutating func send(control frame: UnsafeRawBufferPointer, to id: UInt32, now: Instant) -> StreamAdmission {
        guard let place = place(id), places[place].isOpen else { return StreamAdmission(.noLink) }
        let needed = StreamNode.slots(for: frame.count)
        while !memory.hasSlots(needed), makeRoom() {}
        let admission = places[place].link.send(control: frame, limits, memory, now: now)
        held[place] = UInt32(places[place].link.slots)
        return admission
    }

    /// Fills `pieces` with what to write next on a connection and returns how many; 0 when nothing waits or a write is
    /// under way. The memory stays until `written`, which must follow.
    public mutating func nextWrite(_ id: UInt32, _ pieces: UnsafeMutableBufferPointer<Train.Piece>) -> Int {
        guard let place = place(id), places[place].isOpen else { return 0 }
        return places[place].link.nextWrite(pieces, limits, memory)
    }

    /// The last write of a connection ended; the kernel took `count` bytes of it, 0 when it failed. True when more waits.
    @discardableResult
    public mutating func written(_ id: UInt32, _ count: Int, now: Instant) -> Bool {
        guard let place = place(id), places[place].isOpen || places[place].isEnding else { return false }
        _ = places[place].link.written(count, memory, now: now)
        held[place] = UInt32(places[place].link.slots)
        if places[place].isEnding {
            places[place].link.close(memory)
            vacate(place)
            return false
        }
        return places[place].link.hasWaiting
    }

    /// Whether frames wait on a connection.
    public func hasWaiting(_ id: UInt32) -> Bool {
        place(id).map { places[$0].isOpen && places[$0].link.hasWaiting } ?? false
    }

    // MARK: time

    /// A connection that must be closed, and why. Call until nil; all are looked at once a second.
    public mutating func popExpired(now: Instant) -> (id: UInt32, why: StreamEnd)? {
        guard now >= nextSweep else { return nil }
        while sweepPlace < capacity {
            let place = sweepPlace
            sweepPlace += 1
            guard places[place].isOpen, let why = places[place].link.end(limits, now: now) else { continue }
            return (places[place].id, why)
        }
        sweepPlace = 0
        nextSweep = now.advanced(byMilliseconds: 1_000)
        return nil
    }

    /// When `popExpired` has work again.
    public var nextDeadline: Instant { nextSweep }

    // MARK: figures

    /// Counters of a connection.
    public func counters(_ id: UInt32) -> StreamCounters? {
        place(id).flatMap { places[$0].isOpen ? places[$0].link.counters : nil }
    }

    /// Counters of all connections there ever were.
    public var totals: StreamCounters {
        var sum = closed
        for i in 0..<capacity where places[i].isOpen || places[i].isEnding { sum += places[i].link.counters }
        return sum
    }

    /// Data packets and control frames that wait on all connections.
    public var waiting: (data: Int, control: Int) {
        var sum = (data: 0, control: 0)
        for i in 0..<capacity where places[i].isOpen || places[i].isEnding {
            sum.data += places[i].link.waitingData
            sum.control += places[i].link.waitingControl
        }
        return sum
    }

    // MARK: inside

    private func place(_ id: UInt32) -> Int? {
        let place = Int(id & (1 &<< StreamHub.placeBits &- 1))
        guard place < capacity, places[place].id == id else { return nil }
        return place
    }

    private mutating func vacate(_ place: Int) {
        closed += places[place].link.counters
        places[place].isEnding = false
        places[place].id &+= 1 &<< StreamHub.placeBits
        held[place] = 0
        free.append(UInt32(place))
    }

    /// Drops the oldest data of the largest flow of the connection that holds the most slots; false when none has any.
    private mutating func makeRoom() -> Bool {
        var heaviest: Int?
        var most: UInt32 = 0
        for i in 0..<capacity where held[i] > most && places[i].link.hasDroppable {
            most = held[i]
            heaviest = i
        }
        guard let heaviest, places[heaviest].link.displaceOne(memory) else { return false }
        held[heaviest] = UInt32(places[heaviest].link.slots)
        return true
    }

    /// The class of a data frame's source and destination.
    private func flowClass(_ frame: UnsafeRawPointer) -> Int {
        StreamFlow.number(StockData.source(frame), StockData.destination(frame), key: flowKey)
    }
}
