import HyphaPacket

/// A node's packet counters: the objects `counters` and `drops` of its report.
struct NodeCounters {
    private var counters: [String: UInt64]
    private var drops: [String: UInt64]

    init(parsing json: String) throws(BenchError) {
        guard let report = JSONValue(parsing: json), case .object(let counters)? = report["counters"],
            case .object(let drops)? = report["drops"]
        else { throw .failed("the node's report has no \"counters\" and \"drops\": \(json.prefix(200))") }
        self.counters = counters.compactMapValues { $0.number.flatMap { UInt64(exactly: $0) } }
        self.drops = drops.compactMapValues { $0.number.flatMap { UInt64(exactly: $0) } }
    }

    /// Zero for a counter that the node does not have.
    subscript(_ counter: Counter) -> UInt64 { counters[counter.name] ?? 0 }

    /// What was counted since `earlier`.
    func since(_ earlier: NodeCounters) -> NodeCounters {
        var difference = self
        difference.counters.merge(earlier.counters) { $0 &- $1 }
        difference.drops.merge(earlier.drops) { $0 &- $1 }
        return difference
    }

    /// What both counted.
    static func + (a: NodeCounters, b: NodeCounters) -> NodeCounters {
        var sum = a
        sum.counters.merge(b.counters) { $0 &+ $1 }
        sum.drops.merge(b.drops) { $0 &+ $1 }
        return sum
    }

    /// Drops by reason, those that are not zero, most first.
    var dropReasons: [(key: String, value: UInt64)] {
        drops.filter { $0.value > 0 }.map { ($0.key, $0.value) }.sorted { ($0.value, $1.key) > ($1.value, $0.key) }
    }
}
