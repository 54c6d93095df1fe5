internal import CKernel
public import HyphaBase

/// The two clocks of the system. Only the rim and the program read them; the rooms below get moments as arguments.
public enum SystemClock {
    /// CLOCK_MONOTONIC: never goes back, stands still while the machine sleeps.
    @inline(__always)
    public static func now() -> Instant { Instant(nanoseconds: chy_monotonic()) }

    /// Whole seconds since 1970, as the system believes.
    public static var wallSeconds: UInt64 { chy_wall_seconds() }
}
