import HyphaBase
import HyphaIdentity
import HyphaSession

/// The sessions of one peer (docs/protocol.md, "Timers and limits"):
///
/// | slot | what | how it is used |
/// |---|---|---|
/// | current | the newest that both ends have | sent and received on |
/// | previous | the one before, or the loser of two that crossed | received on |
/// | next | answered by us, not confirmed | received on, until 5 s after the last answer |
/// | by cookie | the same for an INIT with a stale time and a good cookie | received on, until 2 s after it |
struct KeySlots: Sendable {
    private(set) var current: HeldSession?
    private(set) var previous: HeldSession?
    private(set) var next: HeldSession?
    private(set) var byCookie: HeldSession?

    /// What the first packet under a session means.
    enum Confirmation {
        /// No session that waits for one.
        case unknown
        /// A session of our own making.
        case initiated(HeldSession)
        /// A session that we answered: now in use for sending if `isCurrent`.
        case promoted(HeldSession, isCurrent: Bool, dropped: [HeldSession])
    }

    static let nextMilliseconds: UInt64 = 5_000
    static let byCookieMilliseconds: UInt64 = 2_000
    /// Two sessions with different initiators that settle so close together have crossed.
    static let crossingMilliseconds: UInt64 = 5_000

    /// True when there is nothing to seal or open with.
    var isEmpty: Bool { current == nil && previous == nil && next == nil && byCookie == nil }

    /// All sessions, current first.
    var all: [HeldSession] { [current, previous, next, byCookie].compactMap { $0 } }

    /// True when `slot` waits for its first packet as an answer of ours.
    func isPending(_ slot: UInt32) -> Bool { next?.slot == slot || byCookie?.slot == slot }

    /// The times that the next INIT is judged by.
    func times(confirmed: InitTime) -> InitTimes {
        InitTimes(confirmed: confirmed, next: next?.initTime, byCookie: byCookie?.initTime)
    }

    /// Holds an answered session; returns the one that it replaces.
    mutating func hold(next session: HeldSession) -> HeldSession? {
        defer { next = session }
        return next
    }

    mutating func hold(byCookie session: HeldSession) -> HeldSession? {
        defer { byCookie = session }
        return byCookie
    }

    /// The answer that made the session in `slot` went out once more: its first packet has as long as after the first
    /// time.
    mutating func answeredAgain(slot: UInt32, now: Instant) {
        if next?.slot == slot { next?.settled = now }
        if byCookie?.slot == slot { byCookie?.settled = now }
    }

    /// Takes a session of our own making, at its RESP. `isLower`: our static key is the lower of the two.
    mutating func adopt(_ session: HeldSession, now: Instant, isLower: Bool) -> (
        isCurrent: Bool, dropped: [HeldSession]
    ) {
        settle(session, now: now, isLower: isLower)
    }

    /// The first valid packet came in under the session in `slot`.
    mutating func confirm(slot: UInt32, now: Instant, isLower: Bool) -> Confirmation {
        if var session = current, session.slot == slot, !session.isConfirmed {
            session.isConfirmed = true
            current = session
            return .initiated(session)
        }
        if var session = previous, session.slot == slot, !session.isConfirmed {
            session.isConfirmed = true
            previous = session
            return .initiated(session)
        }
        let promoted: HeldSession
        let other: HeldSession?
        if let session = next, session.slot == slot {
            promoted = session
            other = byCookie
        } else if let session = byCookie, session.slot == slot {
            promoted = session
            other = next
        } else {
            return .unknown
        }
        next = nil
        byCookie = nil
        var session = promoted
        session.isConfirmed = true
        session.settled = now
        let (isCurrent, dropped) = settle(session, now: now, isLower: isLower)
        return .promoted(session, isCurrent: isCurrent, dropped: dropped + [other].compactMap { $0 })
    }

    /// Makes a session current, and the current one previous; the other way round when two crossed and the one in use
    /// is that of the lower key. A session with another run of the peer has not crossed: the run before is over.
    private mutating func settle(
        _ session: HeldSession, now: Instant, isLower: Bool
    ) -> (isCurrent: Bool, dropped: [HeldSession]) {
        let dropped = [previous].compactMap { $0 }
        if let inUse = current, inUse.bootID == session.bootID, inUse.isInitiator != session.isInitiator,
            inUse.isInitiator == isLower,
            now.milliseconds(since: inUse.settled) < KeySlots.crossingMilliseconds
        {
            previous = session
            return (false, dropped)
        }
        previous = current
        current = session
        return (true, dropped)
    }

    /// Removes and returns what has reached its end.
    mutating func expire(now: Instant) -> [HeldSession] {
        var ended: [HeldSession] = []
        KeySlots.expire(&current, KeySlots.end(created:), now, &ended)
        KeySlots.expire(&previous, KeySlots.end(created:), now, &ended)
        KeySlots.expire(&next, KeySlots.end(next:), now, &ended)
        KeySlots.expire(&byCookie, KeySlots.end(byCookie:), now, &ended)
        return ended
    }

    /// Removes and returns all.
    mutating func removeAll() -> [HeldSession] {
        defer { self = KeySlots() }
        return all
    }

    /// When `expire` has something to do.
    var nextDeadline: Instant? {
        var nearest: Instant?
        for session in [current, previous] {
            if let session { nearest = .earliest(nearest, KeySlots.end(created: session)) }
        }
        if let next { nearest = .earliest(nearest, KeySlots.end(next: next)) }
        if let byCookie { nearest = .earliest(nearest, KeySlots.end(byCookie: byCookie)) }
        return nearest
    }

    private static func end(created session: HeldSession) -> Instant {
        session.created.advanced(byMilliseconds: SessionLimits.rejectAfterMilliseconds)
    }

    private static func end(next session: HeldSession) -> Instant {
        session.settled.advanced(byMilliseconds: nextMilliseconds)
    }

    private static func end(byCookie session: HeldSession) -> Instant {
        session.settled.advanced(byMilliseconds: byCookieMilliseconds)
    }

    private static func expire(
        _ slot: inout HeldSession?, _ end: (HeldSession) -> Instant, _ now: Instant, _ ended: inout [HeldSession]
    ) {
        guard let session = slot, now >= end(session) else { return }
        ended.append(session)
        slot = nil
    }
}
