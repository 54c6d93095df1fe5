import HyphaBase
import HyphaInterchange

/// Asks control for routes to the sources of packets, whose keys are found by them: at most once a second for a /64, and
/// 100 times a second in all, since anyone can write any source into a packet.
struct SourceQuestions {
    private static let places = 64
    private static let pauseMilliseconds: UInt64 = 1_000

    private struct Asked {
        var prefix: UInt64
        var time: Instant
    }

    /// By a hash of the /64: a newer question takes the place of an older one.
    private let asked: UnsafeMutablePointer<Asked>
    private var limit = TokenBucket(rate: 100, burst: 100)

    init() {
        asked = .allocate(capacity: SourceQuestions.places)
        asked.initialize(repeating: Asked(prefix: 0, time: .zero), count: SourceQuestions.places)
    }

    func deallocate() { asked.deallocate() }

    mutating func ask(_ prefix: UInt64, now: Instant, _ punts: inout PuntRings) {
        let place = asked + Int(truncatingIfNeeded: (prefix &* 0x9E37_79B9_7F4A_7C15) &>> 58)
        if place.pointee.prefix == prefix, place.pointee.time != .zero,
            now.milliseconds(since: place.pointee.time) < SourceQuestions.pauseMilliseconds
        {
            return
        }
        guard limit.take(now: now), punts.notice(Notice(.routeNeeded, prefix: prefix)) else { return }
        place.pointee = Asked(prefix: prefix, time: now)
    }
}
