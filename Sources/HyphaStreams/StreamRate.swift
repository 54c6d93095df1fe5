public import HyphaBase

/// How fast a peer takes bytes: the most of one window in the last ones, fading.
///
/// A window ends with the first look after its time. The rate is what went in it by the time it lasted, or seven eighths of
/// the rate before for each length of a window in it, whichever is more: half of it is forgotten after 52 ms without a byte.
/// Bytes that the kernel only stores count as well, so that the rate of a slow peer is too high for a moment.
public struct StreamRate {
    static let windowNanoseconds: UInt64 = 10_000_000
    /// After so many windows nothing is left of a rate.
    private static let memory: UInt64 = 256

    private var began: Instant
    private var bytes = 0
    private var rate = 0

    public init(now: Instant) { began = now }

    /// The peer took `count` bytes.
    @inline(__always)
    public mutating func note(_ count: Int, now: Instant) {
        bytes &+= count
        if now.nanoseconds(since: began) >= StreamRate.windowNanoseconds { turn(now) }
    }

    /// Bytes a second.
    @inline(__always)
    public mutating func perSecond(now: Instant) -> Int {
        if now.nanoseconds(since: began) >= StreamRate.windowNanoseconds { turn(now) }
        return rate
    }

    @inline(never)
    private mutating func turn(_ now: Instant) {
        let elapsed = now.nanoseconds(since: began)
        let windows = elapsed / StreamRate.windowNanoseconds
        if windows >= StreamRate.memory {
            rate = 0
        } else {
            for _ in 0..<Int(windows) { rate &-= (rate &+ 7) / 8 }
        }
        // Microseconds: no number of bytes that a window can hold overflows.
        let sample = min(bytes, 1 << 40) &* 1_000_000 / max(1, Int(truncatingIfNeeded: elapsed / 1_000))
        rate = max(rate, sample)
        bytes = 0
        began = now
    }
}
