import HyphaBase

/// When the neighbours are told about a prefix.
enum UpdateScheduler {
    /// Least time from a loss to the next announcement of a prefix, in milliseconds: nodes behind a broken link wait for the
    /// way around, each behind the one before. After a loss that follows another one closely it is more, and it doubles
    /// with each further one, up to the longest.
    static let firstSpacing: UInt64 = 20
    static let spacing: UInt64 = 100
    static let longestSpacing: UInt64 = 10_000
    /// After so long without a loss the spacing is half of what it was, in milliseconds.
    static let calm: UInt64 = 5_000
    /// Least time between announcements of which only the metric or the router id differs, in milliseconds. Not longer:
    /// around a broken link paths become longer without being lost, and nodes behind them wait to hear it.
    static let changeSpacing: UInt64 = 1_000

    /// What should be announced, against what was.
    enum Change: Sendable {
        case none
        /// A route that was not there, or is not there any more.
        case acquired, lost
        /// Another router id, or a notably different metric.
        case differs
    }

    /// A difference in metric counts above 10 (as in stock nodes) and above a tenth.
    static func change(from state: AnnouncementState, to metric: Metric, routerID: UInt32) -> Change {
        if metric.isInfinite { return state.metric.isInfinite && !state.isToldToSome ? .none : .lost }
        if state.metric.isInfinite { return .acquired }
        // Who was told another router id than the others has to hear that it holds no more.
        if state.routerID != routerID || state.isToldToSome { return .differs }
        let difference = max(metric.excess(over: state.metric), state.metric.excess(over: metric))
        return difference > max(10, state.metric.value / 10) ? .differs : .none
    }

    /// When a change is announced: at once if it is a loss or the first in a while.
    static func due(_ change: Change, _ state: AnnouncementState, now: Instant) -> Instant {
        switch change {
        case .none: return .distantFuture
        case .lost: return now
        case .acquired: return max(now, state.sent.advanced(byMilliseconds: spacing(afterFlaps: state.flaps)))
        case .differs: return max(now, state.sent.advanced(byMilliseconds: changeSpacing))
        }
    }

    /// 20 ms; with flaps 0.1 s, doubled for every one after the first.
    static func spacing(afterFlaps flaps: UInt8) -> UInt64 {
        flaps == 0 ? firstSpacing : min(longestSpacing, spacing << UInt64(min(flaps, mostFlaps) - 1))
    }

    private static let mostFlaps: UInt8 = 8

    /// Counts an announcement that is sent now. A loss is one more flap; every quiet `calm` before it is one less.
    static func noteSent(_ state: inout AnnouncementState, isRetraction: Bool, now: Instant) {
        if isRetraction {
            let quiet = UInt8(clamping: now.milliseconds(since: state.lost) / calm)
            let flaps = min(state.flaps + 1, mostFlaps)
            state.flaps = state.lost == .zero || flaps < quiet ? 0 : flaps - quiet
            state.lost = now
        }
        state.sent = now
        state.due = .distantFuture
    }
}
