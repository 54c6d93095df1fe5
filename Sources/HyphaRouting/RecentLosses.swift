import HyphaWire

/// The prefixes that were lost last: a stock neighbour that comes up is asked for them.
struct RecentLosses: Sendable {
    /// So many are remembered, the newest.
    static let most = 4_096

    private var prefixes: [Prefix] = []
    private var next = 0

    mutating func note(_ prefix: Prefix) {
        if prefixes.count < RecentLosses.most { prefixes.append(prefix) } else { prefixes[next] = prefix }
        next = (next + 1) % RecentLosses.most
    }

    /// Each one once, the newest first, where `isLost`; the others are forgotten.
    mutating func still(_ isLost: (Prefix) -> Bool) -> [Prefix] {
        var seen: Set<Prefix> = []
        let start = prefixes.count < RecentLosses.most ? 0 : next
        let inOrder = prefixes[start...] + prefixes[..<start]
        let newestFirst = inOrder.reversed().filter { isLost($0) && seen.insert($0).inserted }
        prefixes = newestFirst.reversed()
        next = prefixes.count % RecentLosses.most
        return newestFirst
    }
}
