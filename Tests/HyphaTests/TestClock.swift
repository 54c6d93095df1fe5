import HyphaBase
import Synchronization

@testable import hypha

/// A clock that stands still until it is told otherwise.
final class TestClock: Sendable {
    private let milliseconds = Mutex<Int64>(1_795_428_672_345)

    func advance(milliseconds step: Int64) { milliseconds.withLock { $0 += step } }

    @Sendable func read() -> LogMoment {
        let now = milliseconds.withLock { $0 }
        return LogMoment(unixMilliseconds: now, instant: Instant(nanoseconds: UInt64(now) * 1_000_000))
    }
}
