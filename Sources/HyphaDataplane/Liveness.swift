import HyphaBase

/// When something was last heard from and said to a neighbour or an end-to-end peer (docs/protocol.md, "Liveness").
///
/// Who got data and sent nothing for 250 ms answers with a keepalive; who sent data and heard nothing valid for 850 ms
/// tells control, which starts a handshake. After 600 ms a link is suspect: packets take another one meanwhile if there is
/// one, and nobody is told. A false suspicion costs a few packets their order; with 250 ms until a keepalive and a tick at
/// both ends, it needs a round trip above 250 ms and a neighbour with nothing to say.
struct Liveness {
    static let keepaliveAfterMilliseconds: UInt64 = 250
    static let suspectAfterMilliseconds: UInt64 = 600
    static let silentAfterMilliseconds: UInt64 = 850
    /// How often the two rules are checked while either is pending.
    static let tickMilliseconds: UInt64 = 50

    /// First data received since the last send; zero when nothing waits for an answer.
    var owedSince = Instant.zero
    /// First data sent since the last valid receive; zero when nothing is unanswered.
    var unansweredSince = Instant.zero
    /// Too long without an answer; until something valid comes in or there is a new session.
    var isSuspect = false

    /// Something valid came in; `isData` when it asks for a sign of life.
    @inline(__always)
    mutating func received(isData: Bool, now: Instant) {
        unansweredSince = .zero
        isSuspect = false
        if isData, owedSince == .zero { owedSince = now }
    }

    /// Something goes out; `isData` when an answer is expected.
    @inline(__always)
    mutating func sent(isData: Bool, now: Instant) {
        owedSince = .zero
        if isData, unansweredSince == .zero { unansweredSince = now }
    }

    @inline(__always)
    var isPending: Bool { owedSince != .zero || unansweredSince != .zero }

    func owesKeepalive(now: Instant) -> Bool {
        owedSince != .zero && now.milliseconds(since: owedSince) >= Liveness.keepaliveAfterMilliseconds
    }

    /// There is a new session: the neighbour answered.
    mutating func renewed() {
        unansweredSince = .zero
        isSuspect = false
    }

    mutating func suspect(now: Instant) {
        if unansweredSince != .zero, now.milliseconds(since: unansweredSince) >= Liveness.suspectAfterMilliseconds {
            isSuspect = true
        }
    }

    func isSilent(now: Instant) -> Bool {
        unansweredSince != .zero && now.milliseconds(since: unansweredSince) >= Liveness.silentAfterMilliseconds
    }
}
