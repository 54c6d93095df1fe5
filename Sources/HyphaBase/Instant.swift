/// A moment on a monotonic clock, in nanoseconds since an arbitrary start that never changes within a process.
///
/// Pure rooms receive `now` as an argument; only the rim reads a clock. Arithmetic saturates: it never traps.
@frozen
public struct Instant: Hashable, Comparable, BitwiseCopyable, Sendable {
    /// Nanoseconds since the clock's start.
    public var nanoseconds: UInt64

    @inlinable @inline(__always)
    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// The clock's start; also used as "never happened" in worker-owned records.
    public static let zero = Instant(nanoseconds: 0)
    /// Later than every other moment.
    public static let distantFuture = Instant(nanoseconds: .max)

    @inlinable @inline(__always)
    public static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }

    /// This moment plus `nanoseconds`, or the distant future.
    @inlinable @inline(__always)
    public func advanced(byNanoseconds nanoseconds: UInt64) -> Instant {
        let (sum, overflow) = self.nanoseconds.addingReportingOverflow(nanoseconds)
        return Instant(nanoseconds: overflow ? .max : sum)
    }

    /// This moment plus `milliseconds`, or the distant future.
    @inlinable @inline(__always)
    public func advanced(byMilliseconds milliseconds: UInt64) -> Instant {
        let (scaled, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        return advanced(byNanoseconds: overflow ? .max : scaled)
    }

    /// Nanoseconds from `earlier` to this moment; zero when `earlier` is later.
    @inlinable @inline(__always)
    public func nanoseconds(since earlier: Instant) -> UInt64 {
        nanoseconds > earlier.nanoseconds ? nanoseconds &- earlier.nanoseconds : 0
    }

    /// Whole milliseconds from `earlier` to this moment; zero when `earlier` is later.
    @inlinable @inline(__always)
    public func milliseconds(since earlier: Instant) -> UInt64 { nanoseconds(since: earlier) / 1_000_000 }
}
