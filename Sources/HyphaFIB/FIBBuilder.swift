public import HyphaWire

/// The prefixes of a forwarding table, from which snapshots are built.
///
/// Not thread-safe; a value. A change costs amortised O(log n); a build is a full rebuild, O(n).
public struct FIBBuilder: Sendable {
    /// Sorted by prefix, each prefix once.
    private var entries: [FIBEntry] = []
    /// What came since, in order.
    private var changes: [FIBChange] = []
    /// The alternates of next hops among `entries` and `changes`, and some that were.
    private(set) var alternates = NextHopTable()

    /// Alternates of one prefix; of more, the last are left out.
    public static let alternateMax = 3

    public init() {}

    /// Adds a prefix, or replaces its next hop.
    ///
    /// `alternates` are links to use while the one before them cannot be used, best first; kinds other than `.link` have
    /// none and are none.
    public mutating func insert(_ prefix: Prefix, _ nextHop: NextHop, alternates: [NextHop] = []) {
        change(prefix, chain(nextHop, alternates))
    }

    /// Removes a prefix; nothing happens when it is not there.
    public mutating func remove(_ prefix: Prefix) { change(prefix, nil) }

    /// The table as it is now, for lookups.
    ///
    /// A snapshot holds up to 2^24 - 1 prefixes; of more, the last in order are left out.
    public func build() -> FIBSnapshot { build(prefixMax: FIBSnapshot.prefixMax) }

    func build(prefixMax: Int) -> FIBSnapshot {
        let all = changes.isEmpty ? entries : merged()
        return FIBSnapshot(
            all.count > prefixMax ? Array(all.prefix(prefixMax)) : all, alternates: alternates.nextHops)
    }

    /// The hop with the number of its first alternate: numbered from the last one on, so that equal ends of lists are one.
    private mutating func chain(_ nextHop: NextHop, _ others: [NextHop]) -> NextHop {
        var result = nextHop
        result.setAlternate(0)
        guard nextHop.kind == .link, !others.isEmpty else { return result }
        for other in others.filter({ $0.kind == .link }).prefix(FIBBuilder.alternateMax).reversed() {
            var alternate = other
            alternate.setAlternate(result.alternate)
            result.setAlternate(UInt32(alternates.number(alternate)))
        }
        return result
    }

    private mutating func change(_ prefix: Prefix, _ nextHop: NextHop?) {
        changes.append(FIBChange(prefix: prefix, nextHop: nextHop, number: changes.count))
        // Few enough that sorting them stays small beside a rebuild, enough that merging is rare.
        guard changes.count > max(1024, entries.count / 8) else { return }
        entries = merged()
        changes.removeAll(keepingCapacity: true)
        forgetUnusedAlternates()
    }

    private mutating func forgetUnusedAlternates() {
        guard alternates.nextHops.count > 1 else { return }
        var numbers = AlternateNumbers(of: alternates.nextHops, capacity: 0)
        for i in entries.indices { entries[i].nextHop = numbers.taken(entries[i].nextHop) }
        alternates = numbers.table
    }

    /// The entries with the changes applied.
    private func merged() -> [FIBEntry] {
        let sorted = changes.sorted { a, b in a.prefix != b.prefix ? a.prefix < b.prefix : a.number < b.number }
        var result: [FIBEntry] = []
        result.reserveCapacity(entries.count + sorted.count)
        var next = 0
        for (i, change) in sorted.enumerated() {
            // Of several changes to a prefix the last one holds.
            if i + 1 < sorted.count, sorted[i + 1].prefix == change.prefix { continue }
            while next < entries.count, entries[next].prefix < change.prefix {
                result.append(entries[next])
                next += 1
            }
            if next < entries.count, entries[next].prefix == change.prefix { next += 1 }
            if let nextHop = change.nextHop { result.append(FIBEntry(prefix: change.prefix, nextHop: nextHop)) }
        }
        result.append(contentsOf: entries[next...])
        return result
    }
}
