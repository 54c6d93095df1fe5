public import HyphaWire

/// The prefixes of a forwarding table, from which snapshots are built.
///
/// Not thread-safe; a value. A change costs amortised O(log n); a build is a full rebuild, O(n).
public struct FIBBuilder: Sendable {
    /// Sorted by prefix, each prefix once.
    private var entries: [FIBEntry] = []
    /// What came since, in order.
    private var changes: [FIBChange] = []

    public init() {}

    /// Adds a prefix, or replaces its next hop.
    public mutating func insert(_ prefix: Prefix, _ nextHop: NextHop) { change(prefix, nextHop) }

    /// Removes a prefix; nothing happens when it is not there.
    public mutating func remove(_ prefix: Prefix) { change(prefix, nil) }

    /// The table as it is now, for lookups.
    ///
    /// A snapshot holds up to 2^24 - 1 prefixes; of more, the last in order are left out.
    public func build() -> FIBSnapshot { build(prefixMax: FIBSnapshot.prefixMax) }

    func build(prefixMax: Int) -> FIBSnapshot {
        let all = changes.isEmpty ? entries : merged()
        return FIBSnapshot(all.count > prefixMax ? Array(all.prefix(prefixMax)) : all)
    }

    private mutating func change(_ prefix: Prefix, _ nextHop: NextHop?) {
        changes.append(FIBChange(prefix: prefix, nextHop: nextHop, number: changes.count))
        // Few enough that sorting them stays small beside a rebuild, enough that merging is rare.
        guard changes.count > max(1024, entries.count / 8) else { return }
        entries = merged()
        changes.removeAll(keepingCapacity: true)
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
