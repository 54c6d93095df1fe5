import HyphaBase
import HyphaInterchange
import HyphaPacket
import HyphaStreams
import HyphaWire

/// The TCP links of a worker: their frames in and out, and what has to be remembered of each connection.
///
/// | budget | of the pool | when used up |
/// |---|---|---|
/// | waiting frames | `streamQueueSlots` | the connection that holds the most drops its oldest data |
/// | half-received frames | a slot for each connection | drop `noBuffer` |
/// | half-received long frames | `streamSlabs` | drop `noBuffer` |
/// | what waits for control | `StreamPauses` | drop `puntFull` |
struct Streams: ~Copyable {
    /// What is known of one place for a connection.
    struct Place {
        /// The connection that has the place, or had it last.
        var connection: UInt32 = .max
        /// Number of the dial while it is under way; max otherwise.
        var dial: UInt32 = .max
        /// 1 + `StreamEnd` when the worker closed it for that.
        var end: UInt8 = 0
        /// Closes when what waits is written.
        var isLeaving = false
        /// In the list of those with something to write.
        var isDirty = false
        /// It came in too soon after others of its address: nobody was told of it.
        var isRefused = false
        /// When the kernel was asked for its round trip last, and what control was told, microseconds.
        var measured = Instant.zero
        var roundTrip: UInt32 = 0
        /// The kernel took less than it was offered: the next write waits for room.
        var isFull = false
        /// Bytes that the kernel may hold unsent, as it was told last; 0: as of any new connection.
        var unsent: UInt32 = 0
        var answer = HelloAnswer()
    }

    /// On the heap so that it ends before its memory.
    private let hubMemory: UnsafeMutablePointer<StreamHub>
    private let memory: StreamMemory
    let numbering: LinkNumbering
    private let arrivals: StreamArrivals
    private var limitTold: Instant?
    let places: UnsafeMutablePointer<Place>
    /// Places of the connections with something to write.
    let dirty: UnsafeMutablePointer<UInt32>
    var dirtyCount = 0
    var offers: StreamOffers
    var holds: StreamHolds
    var pauses: StreamPauses
    let pieces: UnsafeMutableBufferPointer<Train.Piece>
    let events: UnsafeMutableBufferPointer<ConnectionEvent>
    /// Buffers of the frames in the vector, one reference for each.
    let owned: UnsafeMutablePointer<UInt32>
    var ownedCount = 0

    init(_ configuration: WorkerConfiguration, pool: PacketPool) {
        numbering = configuration.links
        let count = Int(numbering.streams)
        memory = StreamMemory(
            pool: pool, queueSlots: configuration.streamQueueSlots, assemblySlots: count,
            assemblySlabs: configuration.streamSlabs)
        hubMemory = .allocate(capacity: 1)
        hubMemory.initialize(
            to: StreamHub(
                memory: memory, limits: Streams.limits(configuration), capacity: count,
                flowKey: configuration.stock.hashKey))
        arrivals = StreamArrivals(key: configuration.stock.hashKey)
        places = .allocate(capacity: max(1, count))
        places.initialize(repeating: Place(), count: max(1, count))
        dirty = .allocate(capacity: max(1, count))
        dirty.initialize(repeating: 0, count: max(1, count))
        offers = StreamOffers(pool: pool)
        holds = StreamHolds(capacity: count)
        pauses = StreamPauses(pool: pool, capacity: count)
        pieces = .allocate(capacity: Streams.writePieces)
        pieces.initialize(repeating: Train.Piece(buffer: 0, offset: 0, length: 0))
        events = .allocate(capacity: 1)
        events.initialize(repeating: ConnectionEvent(connection: 0, kind: .closed(0)))
        owned = .allocate(capacity: PacketVector.capacity)
        owned.initialize(repeating: 0, count: PacketVector.capacity)
    }

    deinit {
        hubMemory.deinitialize(count: 1)
        hubMemory.deallocate()
        memory.deallocate()
        arrivals.deallocate()
        places.deallocate()
        dirty.deallocate()
        offers.deallocate()
        holds.deallocate()
        pauses.deallocate()
        pieces.deallocate()
        events.deallocate()
        owned.deallocate()
    }

    /// One link may hold half of what all may, so that others have room while it makes some.
    private static func limits(_ configuration: WorkerConfiguration) -> StreamLimits {
        var limits = StreamLimits()
        limits.linkSlots = configuration.streamQueueSlots / 2
        return limits
    }

    /// Pieces of one write at most.
    static let writePieces = 64

    @inline(__always)
    var hub: UnsafeMutablePointer<StreamHub> { hubMemory }

    /// The record of a connection's place; nil for a place beyond the number of connections.
    @inline(__always)
    func place(_ connection: UInt32) -> UnsafeMutablePointer<Place>? {
        let place = connection & 0xFFFF
        return place < numbering.streams ? places + Int(place) : nil
    }

    /// Gives a place to a connection: under dial `dial`, or max when it came in.
    func occupy(_ connection: UInt32, dial: UInt32) -> Bool {
        guard let place = place(connection) else { return false }
        let isDirty = place.pointee.isDirty
        place.initialize(to: Place(connection: connection, dial: dial, isDirty: isDirty))
        return true
    }

    /// Whether a connection that comes in from `remote` is taken. If not, control is told of it once a second.
    mutating func admits(_ remote: SocketAddress, now: Instant, _ punts: inout PuntRings) -> Bool {
        if arrivals.admits(remote, now: now) { return true }
        if let last = limitTold, now.milliseconds(since: last) < Streams.limitMilliseconds { return false }
        let group = remote.address.mappedIPv4.map { UInt64($0) } ?? remote.address.high
        if punts.notice(Notice(.streamsLimited, prefix: group)) { limitTold = now }
        return false
    }

    private static let limitMilliseconds: UInt64 = 1_000

    /// Until when nothing happens by itself.
    var nextDeadline: Instant { hub.pointee.nextDeadline }

    /// Frames that wait to be written, or for control.
    var waiting: Int { hub.pointee.waitingFrames &+ pauses.frames }

    /// Notes that a connection has something to write.
    @inline(__always)
    mutating func mark(_ connection: UInt32) {
        guard let place = place(connection), !place.pointee.isDirty else { return }
        place.pointee.isDirty = true
        dirty[dirtyCount] = connection & 0xFFFF
        dirtyCount &+= 1
    }

    /// Sends a packet, which is a stock frame by now, on its TCP link: together with others past an empty queue, else
    /// queued. Counts the drop when it cannot.
    mutating func append<IO: StreamIO & ~Copyable>(
        _ packet: Descriptor, _ context: borrowing StageContext, _ io: inout IO
    ) {
        guard let link = context.links[packet.link], link.pointee.isStream != 0 else {
            context.counters.drop(.linkDown)
            return
        }
        let offset = packet.offset &+ Descriptor.stockLead
        let frame = UnsafeRawBufferPointer(
            start: context.pool.base(packet.buffer) + Int(offset),
            count: Int(packet.length) &- Int(Descriptor.stockExcess))
        let connection = link.pointee.connection
        holds.note(departure: connection)
        guard let number = offer(for: connection, context, &io) else {
            let fate = hub.pointee.send(data: frame, to: connection, now: context.now).fate
            if fate == .queued {
                mark(connection)
            } else {
                context.counters.drop(Streams.reason(fate))
            }
            return
        }
        guard StockSafety.isSafe(data: frame) else {
            context.counters.drop(.unsafe)
            return
        }
        if offers.append(buffer: packet.buffer, offset: offset, length: frame.count, to: number) {
            makeOffer(number, context, &io)
        }
    }

    /// The open offer of a connection, or a new one when its frames may go past the queue.
    @inline(__always)
    private mutating func offer<IO: StreamIO & ~Copyable>(
        for connection: UInt32, _ context: borrowing StageContext, _ io: inout IO
    ) -> Int? {
        if let number = offers.find(connection) { return number }
        guard hub.pointee.canPass(connection) else { return nil }
        if offers.isFull { makeOffer(0, context, &io) }
        return offers.open(connection)
    }

    /// Gives all collected frames to the kernel, or to the queues when it takes no more.
    mutating func makeOffers<IO: StreamIO & ~Copyable>(_ context: borrowing StageContext, _ io: inout IO) {
        while offers.openCount > 0 { makeOffer(offers.openCount &- 1, context, &io) }
    }

    @inline(never)
    private mutating func makeOffer<IO: StreamIO & ~Copyable>(
        _ number: Int, _ context: borrowing StageContext, _ io: inout IO
    ) {
        let (offer, pieces) = offers.look(number)
        // What was queued meanwhile is control, and goes first.
        if hub.pointee.hasWaiting(offer.connection), let place = place(offer.connection), !place.pointee.isFull {
            drain(offer.connection, place, context, &io)
        }
        var taken = 0
        if hub.pointee.canPass(offer.connection) {
            taken = io.offer(offer.connection, pieces)
            context.counters.add(.streamWrites)
            context.counters.add(.streamSentBytes, taken)
        }
        let passage = hub.pointee.passed(
            pieces, frames: offer.frames, bytes: taken, to: offer.connection, now: context.now)
        offers.close(number)
        if passage.noRoom > 0 { context.counters.drop(.queueFull, passage.noRoom) }
        if passage.noMemory > 0 { context.counters.drop(.noBuffer, passage.noMemory) }
        if passage.gone > 0 { context.counters.drop(.linkDown, passage.gone) }
        if passage.isCut { io.close(offer.connection, reset: true) }
        if taken < offer.bytes, let place = place(offer.connection) {
            place.pointee.isFull = true
            limitUnsent(offer.connection, place, context, &io)
            mark(offer.connection)
        }
    }

    /// Bytes of one link that are written in one go: what other links say must not wait for much more.
    private static let mostAtOnce = 512 * 1_024

    /// Writes what waits on a connection until the kernel takes no more, or has taken enough for this turn.
    mutating func drain<IO: StreamIO & ~Copyable>(
        _ connection: UInt32, _ place: UnsafeMutablePointer<Place>, _ context: borrowing StageContext, _ io: inout IO
    ) {
        var left = Streams.mostAtOnce
        while !place.pointee.isFull, left > 0 {
            let count = hub.pointee.nextWrite(connection, pieces)
            guard count > 0 else { return }
            var asked = 0
            for i in 0..<count { asked &+= Int(pieces[i].length) }
            let taken = io.offer(connection, UnsafeBufferPointer(rebasing: pieces[0..<count]))
            context.counters.add(.streamWrites)
            context.counters.add(.streamSentBytes, taken)
            left &-= taken
            place.pointee.isFull = taken < asked
            if taken < asked { limitUnsent(connection, place, context, &io) }
            guard hub.pointee.written(connection, taken, now: context.now) else { return }
        }
    }

    /// Milliseconds for which the kernel may hold bytes that it has not sent once, and how many bytes at most. What is
    /// there when the peer has room again keeps it busy until the worker has written more.
    private static let unsentMilliseconds = 4
    private static let mostUnsent: UInt32 = 4 << 20

    /// The kernel is full: lets it hold what the peer takes in a moment, in powers of two.
    private mutating func limitUnsent<IO: StreamIO & ~Copyable>(
        _ connection: UInt32, _ place: UnsafeMutablePointer<Place>, _ context: borrowing StageContext, _ io: inout IO
    ) {
        let least = UInt32(truncatingIfNeeded: IO.leastUnsent)
        let wanted = UInt32(
            clamping: hub.pointee.drainRate(connection, now: context.now) / 1_000 &* Streams.unsentMilliseconds)
        var limit = least
        while limit < wanted, limit < Streams.mostUnsent { limit &<<= 1 }
        let now = max(place.pointee.unsent, least)
        // Twice as much at once, less only when it is much less.
        guard limit > now || limit < now / 2 else { return }
        place.pointee.unsent = limit
        io.limitUnsent(connection, Int(limit))
    }

    /// Queues whole control frames, one behind the other, made by control. Counts each.
    mutating func append(
        control bytes: UnsafeRawPointer, length: Int, to connection: UInt32, _ context: borrowing StageContext
    ) {
        var offset = 0
        while offset < length {
            guard case .control(let size) = StockFrame.scan(bytes + offset, count: length &- offset),
                size <= length &- offset
            else { return }
            context.counters.add(.injected)
            let frame = UnsafeRawBufferPointer(start: bytes + offset, count: size)
            let fate = hub.pointee.send(control: frame, to: connection, now: context.now).fate
            if fate != .queued { context.counters.drop(Streams.reason(fate)) }
            offset &+= size
        }
        mark(connection)
    }

    // MARK: Hellos

    /// Control says what the Hellos on a connection are answered with from now on; see `WorkerCommand`.
    mutating func answerHellos(of connection: UInt32, _ value: UInt32) {
        guard let place = place(connection), place.pointee.connection == connection else { return }
        place.pointee.answer.set(
            receiveCost: UInt16(truncatingIfNeeded: value), interval: UInt16(truncatingIfNeeded: value &>> 16))
    }

    /// Answers each Hello in the body of a control frame, before all data, and at once: the neighbour takes the time until
    /// then for the length of the way, and control may have to wait for a core.
    mutating func answerHellos<IO: StreamIO & ~Copyable>(
        in body: UnsafeRawBufferPointer, of connection: UInt32, _ context: borrowing StageContext, _ io: inout IO
    ) {
        guard let place = place(connection), place.pointee.answer.isGiven, !place.pointee.isLeaving else { return }
        var left = BabelTLVPacket.helloCount(body: body)
        guard left > 0 else { return }
        while left > 0 {
            guard place.pointee.answer.mayAnswer(now: context.now) else {
                context.counters.add(.hellosUnanswered, left)
                break
            }
            left &-= 1
            context.counters.add(.injected)
            let hub = hub
            let now = context.now
            let fate = place.pointee.answer.withFrame { hub.pointee.send(control: $0, to: connection, now: now).fate }
            if fate == .queued {
                context.counters.add(.hellosAnswered)
            } else {
                context.counters.drop(Streams.reason(fate))
            }
        }
        drain(connection, place, context, &io)
        mark(connection)
    }

    /// Why a frame that was not queued is dropped.
    private static func reason(_ fate: StreamAdmission.Fate) -> DropReason {
        switch fate {
        case .queued, .noRoom: .queueFull
        case .noMemory: .noBuffer
        case .unsafe: .unsafe
        case .noLink: .linkDown
        }
    }

    /// Adds what became of frames since the last call to the counters of the law.
    mutating func count(_ counters: WorkerCounters) {
        let tally = hub.pointee.takeTally()
        if tally.written > 0 { counters.add(.sent, tally.written) }
        if tally.displaced > 0 { counters.drop(.displaced, tally.displaced) }
        if tally.discarded > 0 { counters.drop(.linkDown, tally.discarded) }
        let passedOver = tally.meaningless &+ tally.tooLong &+ tally.unbuffered
        guard passedOver > 0 else { return }
        counters.add(.received, passedOver)
        counters.drop(.badFrame, tally.meaningless)
        counters.drop(.tooBig, tally.tooLong)
        counters.drop(.noBuffer, tally.unbuffered)
    }
}
