/// The times of a peer's INITs that a responder remembers, and what they say about the next one (docs/protocol.md,
/// "Timers and limits").
///
/// An old or repeated time is no reason to refuse for good: a clock may have been set back, or somebody may have forged
/// or replayed an INIT. It costs a proof of the sender's address first.
public struct InitTimes: Hashable, Sendable {
    /// What to do with an INIT.
    public enum Verdict: Hashable, Sendable {
        /// Answer with RESP; the session replaces a pending "next".
        case respond
        /// Answer with RESP; the session replaces a pending one in the slot by cookie, beside "next".
        case respondByCookie
        /// Answer with a rate-limited COOKIE.
        case cookie
    }

    /// Of the last confirmed session; zero before the first. It rises at confirmation and never falls.
    public var confirmed: InitTime
    /// Of the session in "next", nil without one.
    public var next: InitTime?
    /// Of the unconfirmed session in the slot by cookie, nil without one. Not compared: whoever has a valid cookie
    /// replaces it.
    public var byCookie: InitTime?

    public init(
        confirmed: InitTime = InitTime(seconds: 0, count: 0), next: InitTime? = nil, byCookie: InitTime? = nil
    ) {
        self.confirmed = confirmed
        self.next = next
        self.byCookie = byCookie
    }

    /// The verdict on an opened INIT of `initTime`; `mac2Valid`: it carries a cookie of ours for where it came from.
    public func verdict(initTime: InitTime, mac2Valid: Bool) -> Verdict {
        if initTime > confirmed, next.map({ initTime > $0 }) ?? true { return .respond }
        return mac2Valid ? .respondByCookie : .cookie
    }
}
