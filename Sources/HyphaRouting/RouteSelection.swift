/// Which of several routes to a prefix is best.
public enum RouteSelection {
    /// One usable route: feasible, finite, its neighbour alive.
    public struct Candidate: Hashable, Sendable {
        /// As the neighbour announced it.
        public var metric: Metric
        /// Of the link to the neighbour.
        public var linkCost: Metric

        public init(metric: Metric, linkCost: Metric) {
            self.metric = metric
            self.linkCost = linkCost
        }

        public var total: Metric { metric + linkCost }
    }

    /// The place of the best candidate, nil when there is none: the lowest total, the first of equals.
    ///
    /// `current` is the place of the one selected so far, nil when it is gone. It stays unless another total is lower by
    /// more than `hysteresis`, or the other one is announced by its origin itself (metric 0).
    public static func best(of candidates: [Candidate], current: Int?, hysteresis: UInt16 = 10) -> Int? {
        var best: Int?
        for (place, candidate) in candidates.enumerated() where !candidate.metric.isInfinite {
            guard let known = best else {
                best = place
                continue
            }
            if candidate.total < candidates[known].total { best = place }
        }
        guard let best, let current, candidates.indices.contains(current), current != best,
            !candidates[current].metric.isInfinite
        else { return best }
        if candidates[best].metric.value == 0 { return best }
        return candidates[current].total.excess(over: candidates[best].total) > hysteresis ? best : current
    }
}
