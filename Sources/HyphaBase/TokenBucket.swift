/// A rate limit: `rate` events per second on average, `burst` at once. Time comes in as an argument.
@frozen
public struct TokenBucket: Sendable {
    @usableFromInline let nanosecondsPerToken: UInt64
    @usableFromInline let capacity: UInt64
    /// Credit in nanoseconds, at most `capacity`.
    @usableFromInline var credit: UInt64
    @usableFromInline var last: Instant

    /// `rate` per second (at least 1), `burst` tokens (at least 1); full at the start.
    @inlinable
    public init(rate: UInt64, burst: UInt64, now: Instant = .zero) {
        nanosecondsPerToken = 1_000_000_000 / Swift.max(1, rate)
        let (cap, overflow) = nanosecondsPerToken.multipliedReportingOverflow(by: Swift.max(1, burst))
        capacity = overflow ? .max : cap
        credit = capacity
        last = now
    }

    /// Takes one token; false when none is left.
    @inlinable
    public mutating func take(now: Instant) -> Bool {
        let (sum, overflow) = credit.addingReportingOverflow(now.nanoseconds(since: last))
        credit = overflow ? capacity : Swift.min(capacity, sum)
        if now > last { last = now }
        guard credit >= nanosecondsPerToken else { return false }
        credit &-= nanosecondsPerToken
        return true
    }
}
