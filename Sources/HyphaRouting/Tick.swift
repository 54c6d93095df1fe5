import HyphaBase

/// A moment in 32 bits: units of 32 ms since the clock's start, enough for four years. Rounded up, so that a deadline is
/// never early.
struct Tick: Hashable, Comparable, Sendable {
    let value: UInt32

    init(_ moment: Instant) {
        let milliseconds = moment.nanoseconds / 1_000_000
        value = UInt32(clamping: (milliseconds + 31) / 32)
    }

    var instant: Instant { Instant(nanoseconds: UInt64(value) * 32_000_000) }

    static func < (a: Tick, b: Tick) -> Bool { a.value < b.value }
}
