import HyphaIdentity

/// The times of this node's INITs: seconds of the wall clock and a counter, always rising, even when the wall clock is
/// set back.
struct InitClock: Sendable {
    private var last = InitTime(seconds: 0, count: 0)

    /// A time later than all before it.
    mutating func next(wallSeconds: UInt64) -> InitTime {
        if wallSeconds > last.seconds {
            last = InitTime(seconds: wallSeconds, count: 0)
        } else if last.count < .max {
            last.count += 1
        } else {
            last = InitTime(seconds: last.seconds &+ 1, count: 0)
        }
        return last
    }
}
