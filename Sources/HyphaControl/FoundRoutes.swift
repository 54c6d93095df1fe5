/// /64s, by their upper halves, for which a route was found: each once, in order.
struct FoundRoutes: Sendable {
    private var prefixes: [UInt64] = []
    private var known: Set<UInt64> = []

    mutating func insert(_ prefix: UInt64) {
        if known.insert(prefix).inserted { prefixes.append(prefix) }
    }

    mutating func remove(_ prefix: UInt64) {
        if known.remove(prefix) != nil { prefixes.removeAll { $0 == prefix } }
    }

    /// Returns and clears all.
    mutating func takeAll() -> [UInt64] {
        guard !prefixes.isEmpty else { return [] }
        defer {
            prefixes.removeAll()
            known.removeAll()
        }
        return prefixes
    }
}
