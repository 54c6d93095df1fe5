/// The cost of a whole path, or infinite: no path. In the unit of link costs, about a millisecond of round trip.
public struct Metric: Hashable, Comparable, Sendable {
    public var value: UInt16

    public init(_ value: UInt16) { self.value = value }

    /// No path.
    public static let infinite = Metric(.max)
    /// What finite sums are capped at.
    public static let largestFinite = Metric(.max - 1)

    public var isInfinite: Bool { self == .infinite }

    public static func < (a: Metric, b: Metric) -> Bool { a.value < b.value }

    /// Infinite if either is; else the sum, capped at the largest finite value.
    public static func + (a: Metric, b: Metric) -> Metric {
        guard !a.isInfinite, !b.isInfinite else { return infinite }
        let (sum, overflow) = a.value.addingReportingOverflow(b.value)
        return overflow || sum == .max ? largestFinite : Metric(sum)
    }

    /// How far this one is above `other`, zero when it is not.
    public func excess(over other: Metric) -> UInt16 { value > other.value ? value &- other.value : 0 }
}
