/// A smoothed round-trip time (RFC 6298 section 2, the average only).
struct RoundTripTime: Sendable {
    /// Nanoseconds; nil before the first measurement.
    private(set) var smoothed: UInt64?

    mutating func measured(nanoseconds: UInt64) {
        guard let old = smoothed else {
            smoothed = nanoseconds
            return
        }
        smoothed = old - old / 8 + nanoseconds / 8
    }
}
