/// What one link adds to the metric of every route through it: a round trip time in milliseconds plus a constant of the
/// transport.
///
/// The round trip time is what the link layer measured once it has told us (TCP's own estimate, or liveness messages).
/// Until then it is estimated as stock nodes do: from 1000 downwards, each sample counting a tenth.
public struct LinkCost: Hashable, Sendable {
    /// Where the estimate of a link starts on which nothing was measured.
    public static let initialEstimate: UInt16 = 1000

    /// What every link costs at least, so that metrics rise on every link.
    public static let least = Metric(4)

    /// Milliseconds.
    public private(set) var roundTrip: UInt16
    /// The transport's constant.
    public let base: UInt16
    /// Whether the link layer measures, so that samples are not needed.
    public private(set) var isMeasured: Bool

    /// `measured`: milliseconds, nil when nothing is known yet.
    public init(base: UInt16, measured: UInt16? = nil) {
        self.base = base
        roundTrip = measured ?? LinkCost.initialEstimate
        isMeasured = measured != nil
    }

    /// The cost as part of a metric, never infinite.
    public var metric: Metric { max(LinkCost.least, Metric(min(roundTrip, .max - 1)) + Metric(base)) }

    /// A sample of the estimate, in milliseconds. Without effect once the link layer measures.
    public mutating func sample(milliseconds: UInt64) {
        guard !isMeasured else { return }
        roundTrip = LinkCost.smoothed(roundTrip, sample: UInt16(clamping: milliseconds))
    }

    /// What the link layer measured, in milliseconds.
    public mutating func measure(milliseconds: UInt16) {
        roundTrip = milliseconds
        isMeasured = true
    }

    /// Stock's rule: (9 x old + sample) / 10, rounded down.
    public static func smoothed(_ old: UInt16, sample: UInt16) -> UInt16 {
        UInt16(truncatingIfNeeded: (UInt32(old) * 9 + UInt32(sample)) / 10)
    }

    /// Whether a change from one cost to another is worth new announcements: more than a tenth and more than 2.
    public static func isNotable(_ old: Metric, _ new: Metric) -> Bool {
        let change = max(old.excess(over: new), new.excess(over: old))
        return change > max(2, min(old.value, new.value) / 10)
    }
}
