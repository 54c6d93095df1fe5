/// The feasibility condition.
public enum Feasibility {
    /// Whether an announcement may be used, given what this node announced before (nil: nothing). Retractions always.
    public static func isFeasible(seqno: Seqno, metric: Metric, distance: FeasibilityDistance?) -> Bool {
        guard let distance, !metric.isInfinite else { return true }
        return FeasibilityDistance(seqno: seqno, metric: metric).isBetter(than: distance)
    }
}
