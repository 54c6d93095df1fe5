/// How long what an Update said stays true without being said again.
public enum HoldTime {
    /// How long a retraction keeps a prefix unreachable, in milliseconds.
    public static let retraction: UInt64 = 6_000
    /// Intervals outside of this are taken for the nearest bound. Stock takes 0 for "expires now".
    public static let intervals: ClosedRange<UInt16> = 500...65_500
    /// The longest hold time there is, in milliseconds.
    public static let longest = milliseconds(interval: intervals.upperBound, metric: Metric(0))

    /// 3.5 times an interval in centiseconds, as stock nodes count; in milliseconds.
    public static func milliseconds(interval: UInt16, metric: Metric) -> UInt64 {
        metric.isInfinite ? retraction : UInt64(interval) * 35
    }

    /// The same for an interval brought into bounds.
    public static func clamped(interval: UInt16, metric: Metric) -> UInt64 {
        milliseconds(
            interval: min(max(interval, intervals.lowerBound), intervals.upperBound), metric: metric)
    }
}
