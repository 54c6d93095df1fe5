/// The best (seqno, metric) that this node ever announced for a prefix and router id (RFC 8966 section 3.5.1).
///
/// A neighbour whose announcement is strictly better can be used as next hop: along such next hops the feasibility
/// distance strictly falls, so no loop can close, whatever is still in flight.
public struct FeasibilityDistance: Hashable, Sendable {
    public var seqno: Seqno
    public var metric: Metric

    public init(seqno: Seqno, metric: Metric) {
        self.seqno = seqno
        self.metric = metric
    }

    /// Newer seqno, or equal seqno and lower metric.
    public func isBetter(than other: FeasibilityDistance) -> Bool {
        seqno.isNewer(than: other.seqno) || seqno == other.seqno && metric < other.metric
    }
}
