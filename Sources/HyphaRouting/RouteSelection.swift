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

    /// Candidates that come one after the other.
    struct Contest: Sendable {
        private struct Entry: Sendable {
            var number: UInt32
            var candidate: Candidate
            var total: Metric
        }

        private var best: Entry?
        private var current: Entry?

        var isEmpty: Bool { best == nil }

        mutating func add(_ candidate: Candidate, number: UInt32, isCurrent: Bool) {
            guard !candidate.metric.isInfinite else { return }
            let entry = Entry(number: number, candidate: candidate, total: candidate.total)
            if isCurrent { current = entry }
            if let best, entry.total >= best.total { return }
            best = entry
        }

        /// The number of the best one; see `RouteSelection.best`.
        func winner(hysteresis: UInt16) -> UInt32? {
            guard let best, let current, best.candidate.metric.value > 0 else { return best?.number }
            return current.total.excess(over: best.total) > hysteresis ? best.number : current.number
        }
    }

    /// The place of the best candidate, nil when there is none: the lowest total, the first of equals.
    ///
    /// `current` is the place of the one selected so far, nil when it is gone. It stays unless another total is lower by
    /// more than `hysteresis`, or the other one is announced by its origin itself (metric 0).
    public static func best(of candidates: [Candidate], current: Int?, hysteresis: UInt16 = 10) -> Int? {
        var contest = Contest()
        for (place, candidate) in candidates.enumerated() {
            contest.add(candidate, number: UInt32(truncatingIfNeeded: place), isCurrent: place == current)
        }
        return contest.winner(hysteresis: hysteresis).map { Int($0) }
    }
}
