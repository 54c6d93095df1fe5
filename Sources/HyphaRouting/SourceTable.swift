import HyphaBase
import HyphaWire

/// Feasibility distances: for each prefix and router id the best that this node ever announced.
///
/// They never get worse. They are kept for more than twice the longest hold time after the last use, so that nobody can
/// still have a route through us that is older than our memory of it.
struct SourceTable: Sendable {
    struct Entry: Sendable {
        /// Number of the next entry of the same prefix.
        var next: UInt32
        /// Number of the router id.
        var routerID: UInt32
        var lastUse: Tick
        /// Since when the distance has its seqno.
        var seqnoSince: Tick
        var distance: FeasibilityDistance

        /// Whether an origin could have come to this seqno in its own time: it changes it every few seconds at most. A
        /// seqno further ahead may be forged, to make the origin's true announcements look old.
        func isPlausible(_ seqno: Seqno, now: Instant) -> Bool {
            guard seqno.isNewer(than: distance.seqno) else { return true }
            let minutes = max(1, now.milliseconds(since: seqnoSince.instant) / 60_000)
            return UInt64(seqno.value &- distance.seqno.value) <= SourceTable.seqnosPerMinute * minutes
        }
    }

    /// How fast an origin may change its seqno; at least so many at once.
    static let seqnosPerMinute: UInt64 = 16

    /// How long an entry outlives its last use, in milliseconds.
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
