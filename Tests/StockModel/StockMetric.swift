/// Arithmetic of metrics and sequence numbers, u16 as on the wire.
public enum StockMetric {
    public static let infinite: UInt16 = 0xFFFF

    /// Infinite if either is, else capped below.
    public static func sum(_ a: UInt16, _ b: UInt16) -> UInt16 {
        guard a != infinite, b != infinite else { return infinite }
        return UInt16(min(Int(a) + Int(b), 0xFFFE))
    }

    /// Whether sequence number `a` is newer than `b`, modulo 65536; of two that are 32768 apart neither is.
    public static func isNewer(_ a: UInt16, than b: UInt16) -> Bool { a != b && b &- a > 32_768 }

    /// A link's cost after another sample of milliseconds.
    public static func smoothed(_ cost: UInt16, sample: UInt16) -> UInt16 { UInt16((Int(cost) * 9 + Int(sample)) / 10) }

    /// How long an update with this interval (centiseconds) and metric holds, milliseconds.
    public static func hold(interval: UInt16, metric: UInt16) -> UInt64 {
        metric == infinite ? 6_000 : UInt64(interval) * 35
    }

    /// Whether an update may be taken over, by what was last sent for its source.
    public static func isFeasible(seqno: UInt16, metric: UInt16, distance: (seqno: UInt16, metric: UInt16)?) -> Bool {
        guard metric != infinite, let distance else { return true }
        return isNewer(seqno, than: distance.seqno) || seqno == distance.seqno && metric < distance.metric
    }
}
