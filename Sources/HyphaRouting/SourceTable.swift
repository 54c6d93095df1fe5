import HyphaBase

/// Feasibility distances: for each prefix and router id the best that this node ever announced.
///
/// They never get worse. They are kept as long as anybody may still have a route through us that is older than our memory
/// of it, see `Router.expireSources`.
struct SourceTable: Sendable {
    struct Entry: Sendable {
        /// Number of the next entry of the same prefix.
        var next: UInt32
        /// Number of the router id.
        var routerID: UInt32
        var lastUse: Tick
        /// When something was last said under it, or something else in its place.
        private(set) var lastTold: Tick
        /// Up to when the steps that the seqno took are accounted for, at one per `stepTime`.
        var stepsUntil: Tick
        private(set) var distance: FeasibilityDistance

        init(routerID: UInt32, distance: FeasibilityDistance, now: Instant) {
            next = RouteTable.none
            self.routerID = routerID
            self.distance = distance
            lastUse = Tick(now)
            lastTold = Tick(now)
            stepsUntil = Tick(now)
        }

        mutating func noteTold(now: Instant) {
            lastUse = Tick(now)
            lastTold = Tick(now)
        }

        /// Whether an origin could have come to this seqno in its own time. One that is further ahead may be forged, to make
        /// the origin's true announcements look old, and in the end to lead the seqno round the circle.
        func isPlausible(_ seqno: Seqno, now: Instant) -> Bool { plausibleFrom(seqno) <= now }

        /// From when on a seqno is plausible; the distant future for one that must never follow this one.
        func plausibleFrom(_ seqno: Seqno) -> Instant {
            guard seqno.isNewer(than: distance.seqno) else { return .zero }
            let ahead = UInt64(seqno.value &- distance.seqno.value)
            guard ahead <= SourceTable.mostSteps else { return .distantFuture }
            let wait = stepsUntil.instant.advanced(byMilliseconds: ahead * SourceTable.stepTime)
            // A tick for the rounding.
            let credit = (SourceTable.stepsAtOnce * SourceTable.stepTime + 32) * 1_000_000
            return Instant(nanoseconds: wait.nanoseconds > credit ? wait.nanoseconds - credit : 0)
        }

        /// Notes a better distance, and that its seqno has taken the steps to it.
        mutating func improve(_ new: FeasibilityDistance, now: Instant) {
            let steps = UInt64(new.seqno.value &- distance.seqno.value)
            distance = new
            guard steps > 0 else { return }
            let longest = (SourceTable.mostSteps - SourceTable.stepsAtOnce) * SourceTable.stepTime * 1_000_000
            let earliest = Instant(nanoseconds: now.nanoseconds > longest ? now.nanoseconds - longest : 0)
            stepsUntil = Tick(
                max(stepsUntil.instant, earliest).advanced(byMilliseconds: steps * SourceTable.stepTime))
        }
    }

    /// How fast a seqno may move: so many steps at once, and one more in so many milliseconds since. An origin keeps well
    /// within that (`OwnOrigin.largestStep`), and what it says may be old when it comes.
    static let stepsAtOnce: UInt64 = 256
    static let stepTime: UInt64 = 1_875
    /// The most at once, however long it did not move: as far as an origin comes while a distance outlives its last route.
    /// A small part of the circle: along any loop the steps would have to add up to all of it.
    static let mostSteps: UInt64 = 4_096
    /// A distance in use follows the seqno of its route when it is so far behind.
    static let lag: UInt16 = 64

    /// How long an entry is kept at least after something was said under it, in milliseconds: for longer than a neighbour
    /// believes what it heard on a link of which it does not notice that it is down.
    static let silence: UInt64 = 60_000
    /// After so long, in milliseconds, a neighbour on a stream that answers Hellos (a silent one is dead after 43 s) has
    /// acted on what it was sent, however full the buffers on the way were.
    static let streamDelay: UInt64 = 240_000
    /// How long an entry outlives its last use at most, in milliseconds.
    static let life = 2 * HoldTime.longest + 15_000

    private var entries: [Entry] = []
    private var free: [UInt32] = []
    private(set) var count = 0

    subscript(number: UInt32) -> Entry {
        get { entries[Int(number)] }
        _modify { yield &entries[Int(number)] }
    }

    /// The entry of a router id in the list that starts at `first`.
    func find(_ routerID: UInt32, from first: UInt32) -> UInt32? {
        var number = first
        while number != RouteTable.none {
            if entries[Int(number)].routerID == routerID { return number }
            number = entries[Int(number)].next
        }
        return nil
    }

    /// How many entries a list has.
    func length(from first: UInt32) -> Int {
        var number = first
        var length = 0
        while number != RouteTable.none {
            length += 1
            number = entries[Int(number)].next
        }
        return length
    }

    /// Puts an entry in front of a list.
    mutating func insert(_ entry: Entry, before first: inout UInt32) {
        var entry = entry
        entry.next = first
        if let reused = free.popLast() {
            entries[Int(reused)] = entry
            first = reused
        } else {
            entries.append(entry)
            first = UInt32(truncatingIfNeeded: entries.count - 1)
        }
        count += 1
    }

    /// Takes an entry out of its list.
    mutating func remove(_ number: UInt32, from first: inout UInt32) {
        if first == number {
            first = entries[Int(number)].next
        } else {
            var previous = first
            while entries[Int(previous)].next != number { previous = entries[Int(previous)].next }
            entries[Int(previous)].next = entries[Int(number)].next
        }
        free.append(number)
        count -= 1
    }
}
