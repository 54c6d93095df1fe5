/// Which of the routes to a subnet is used.
public struct StockSelection: Sendable {
    /// One route.
    public struct Candidate: Sendable {
        public var metric: UInt16
        public var linkCost: UInt16
        public var isFeasible: Bool

        public init(metric: UInt16, linkCost: UInt16, isFeasible: Bool = true) {
            self.metric = metric
            self.linkCost = linkCost
            self.isFeasible = isFeasible
        }

        var total: UInt16 { StockMetric.sum(metric, linkCost) }
    }

    /// The index of the route to use; nil when there is none. The selected one stays unless another is better by more than
    /// 10 or comes straight from its origin.
    public static func choose(_ candidates: [Candidate], selected: Int?) -> Int? {
        let usable = candidates.indices.filter {
            candidates[$0].isFeasible && candidates[$0].total != StockMetric.infinite
        }
        // The first of equals.
        guard let best = usable.min(by: { candidates[$0].total < candidates[$1].total }) else { return nil }
        guard let selected, selected != best else { return best }
        let (new, old) = (candidates[best], candidates[selected].total)
        let isBetter = old == StockMetric.infinite || Int(new.total) < max(0, Int(old) - 10)
        return isBetter || new.metric == 0 ? best : selected
    }
}
