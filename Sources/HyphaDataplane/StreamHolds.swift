import HyphaBase
import HyphaInterchange
import HyphaPacket
import HyphaStreams

/// TCP links whose receive pauses for a moment: all that comes on them lately goes to one other link, which is fast and
/// full. What they bring would only be copied and then dropped; in the kernel it waits where it is.
///
/// | step | rule |
/// |---|---|
/// | sole target | for `soleMilliseconds` every data frame of the link went to this one; what ends here, leaves by HL1 or is dropped went elsewhere |
/// | begin | `beginBytes` wait for the target, which took `leastRate` lately |
/// | end | `endBytes` or less wait, the target is gone, or `mostMilliseconds` are over |
/// | after too long | nobody waits for this target again until its queue was down to `endBytes` |
///
/// So a peer that stops reading costs others that one pause, and a slow one nothing: for those there is the queue alone,
/// whose losses tell the flows to slow down. Single-threaded, allocates nothing after its beginning.
struct StreamHolds {
    static let soleMilliseconds: UInt64 = 100
    static let mostMilliseconds: UInt64 = 5
    static let beginBytes = 128 * 1_024
    static let endBytes = 64 * 1_024
    /// Bytes a second: a link of 2 Gbit/s.
    static let leastRate = 250_000_000
    /// From so many on, frames of one link make a vector of their own.
    private static let apartFrames = 64
    private static let apartBytes = 16_384

    struct Place {
        /// Whom the rest is about.
        var connection: UInt32 = .max
        /// Where all its data goes; max when there is not one such.
        var target: UInt32 = .max
        var since = Instant.zero
        var isHeld = false
        var heldAt = Instant.zero
        /// As a target: others have waited for too long.
        var isGivenUp = false
    }

    private let places: UnsafeMutablePointer<Place>
    private let capacity: Int
    /// Connections that are held.
    private let held: UnsafeMutablePointer<UInt32>
    private(set) var heldCount = 0
    /// Connections that data came from in this turn; their number is that of arrivals at most.
    private let recent: UnsafeMutablePointer<UInt32>
    private(set) var recentCount = 0
    /// Of the vector at hand: first of its sources in `recent`, frames that went to TCP links, and where.
    private var firstSource = 0
    private var departures = 0
    private var target: UInt32 = .max
    private var hasSeveralTargets = false

    init(capacity: Int) {
        self.capacity = capacity
        places = .allocate(capacity: max(1, capacity))
        places.initialize(repeating: Place(), count: max(1, capacity))
        held = .allocate(capacity: max(1, capacity))
        held.initialize(repeating: 0, count: max(1, capacity))
        recent = .allocate(capacity: StreamHolds.mostSources)
        recent.initialize(repeating: 0, count: StreamHolds.mostSources)
    }

    func deallocate() {
        places.deallocate()
        held.deallocate()
        recent.deallocate()
    }

    private static let mostSources = 64

    /// The record of a connection, empty when its place was another's before.
    @inline(__always)
    func place(_ connection: UInt32) -> UnsafeMutablePointer<Place>? {
        let number = Int(connection & 0xFFFF)
        guard number < capacity else { return nil }
        if places[number].connection != connection { places[number] = Place(connection: connection) }
        return places + number
    }

    /// The record of a connection if it is its own still.
    func find(_ connection: UInt32) -> UnsafeMutablePointer<Place>? {
        let number = Int(connection & 0xFFFF)
        return number < capacity && places[number].connection == connection ? places + number : nil
    }

    // MARK: Where data goes

    /// Whether the vector of so many frames should run before `length` bytes of a connection join it: one that brings
    /// much is told apart from others.
    @inline(__always)
    func isApart(_ connection: UInt32, length: Int, frames: Int) -> Bool {
        guard frames > 0, recentCount > firstSource, recent[recentCount &- 1] != connection else { return false }
        return frames >= StreamHolds.apartFrames || length >= StreamHolds.apartBytes
    }

    /// A data frame of a connection joins the vector.
    @inline(__always)
    mutating func note(source connection: UInt32) {
        if recentCount > firstSource, recent[recentCount &- 1] == connection { return }
        addSource(connection)
    }

    @inline(never)
    private mutating func addSource(_ connection: UInt32) {
        if recentCount == firstSource {
            departures = 0
            target = .max
            hasSeveralTargets = false
        }
        guard recentCount < StreamHolds.mostSources else {
            // Nobody is told apart any more in this turn.
            hasSeveralTargets = true
            return
        }
        recent[recentCount] = connection
        recentCount &+= 1
    }

    /// A packet leaves by a TCP link.
    @inline(__always)
    mutating func note(departure connection: UInt32) {
        departures &+= 1
        if connection != target {
            if target != .max { hasSeveralTargets = true }
            target = connection
        }
    }

    /// The vector of so many frames has run.
    mutating func conclude(frames: Int, now: Instant) {
        let isSole = !hasSeveralTargets && departures == frames && target != .max
        for i in firstSource..<recentCount {
            guard let place = place(recent[i]) else { continue }
            if !isSole {
                place.pointee.target = .max
            } else if place.pointee.target != target {
                place.pointee.target = target
                place.pointee.since = now
            }
        }
        firstSource = recentCount
    }

    // MARK: Pauses

    var hasWork: Bool { recentCount > 0 || heldCount > 0 }

    /// The connections of this turn that may be held, one after the other; nil at the end.
    mutating func nextCandidate(now: Instant) -> (source: UInt32, target: UInt32)? {
        while recentCount > 0 {
            recentCount &-= 1
            let source = recent[recentCount]
            guard let place = place(source), !place.pointee.isHeld, place.pointee.target != .max,
                place.pointee.target != source,
                now >= place.pointee.since.advanced(byMilliseconds: StreamHolds.soleMilliseconds)
            else { continue }
            return (source, place.pointee.target)
        }
        firstSource = 0
        return nil
    }

    mutating func hold(_ connection: UInt32, now: Instant) {
        guard let place = place(connection), !place.pointee.isHeld, heldCount < capacity else { return }
        place.pointee.isHeld = true
        place.pointee.heldAt = now
        held[heldCount] = connection
        heldCount &+= 1
    }

    func isHeld(_ connection: UInt32) -> Bool { find(connection)?.pointee.isHeld ?? false }

    /// A held connection, and whether it is one still: its place may be another's by now.
    func look(_ number: Int) -> (source: UInt32, place: Place) {
        let connection = held[number]
        return (connection, places[Int(connection & 0xFFFF)])
    }

    /// Ends a hold; the last one takes its number.
    mutating func release(_ number: Int) {
        if let place = find(held[number]) { place.pointee.isHeld = false }
        heldCount &-= 1
        held[number] = held[heldCount]
    }
}

extension Streams {
    /// Begins and ends pauses. When the next one has to end; the distant future when there is none.
    @inline(never)
    mutating func driveHolds<IO: StreamIO & ~Copyable>(
        _ context: borrowing StageContext, _ io: inout IO
    ) -> Instant {
        let now = context.now
        while let (source, target) = holds.nextCandidate(now: now) {
            guard let place = holds.place(target) else { continue }
            let waiting = hub.pointee.waitingBytes(target)
            if waiting <= StreamHolds.endBytes { place.pointee.isGivenUp = false }
            guard waiting >= StreamHolds.beginBytes, !place.pointee.isGivenUp, hub.pointee.isOpen(source),
                hub.pointee.drainRate(target, now: now) >= StreamHolds.leastRate
            else { continue }
            io.pauseReceive(source)
            holds.hold(source, now: now)
            context.counters.add(.streamHolds)
        }
        var next = Instant.distantFuture
        var number = 0
        while number < holds.heldCount {
            let (source, place) = holds.look(number)
            let end = place.heldAt.advanced(byMilliseconds: StreamHolds.mostMilliseconds)
            let isOver = now >= end
            if place.connection == source, !isOver,
                hub.pointee.waitingBytes(place.target) > StreamHolds.endBytes
            {
                next = min(next, end)
                number &+= 1
                continue
            }
            if isOver, place.connection == source, let target = holds.find(place.target) {
                target.pointee.isGivenUp = true
            }
            if !pauses.contains(source) { io.resumeReceive(source) }
            holds.release(number)
        }
        return next
    }
}
