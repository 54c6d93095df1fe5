import HyphaBase

/// When something was last heard from and said to a neighbour or an end-to-end peer (docs/protocol.md, "Liveness").
///
/// Who got data and sent nothing for a while answers with a keepalive; who sent data and heard nothing valid for long
/// tells control, which starts a handshake. On links the times are shorter, and who waits for an answer asks for one with
/// PADs, so that a single datagram that is lost never looks like silence. Before a link is silent it is suspect: packets
/// take another one meanwhile if there is one, and nobody is told. A false suspicion costs a few packets their order.
///
/// | answers that a link can wait for, at a round trip of nothing | heard at the latest after |
/// |---|---|
/// | to the data | 100 ms |
/// | to the PADs after 150, 250, 350 and 450 ms, a tick late | 300, 400, 500 and 600 ms |
struct Liveness {
    static let keepaliveAfterMilliseconds: UInt64 = 250
    static let silentAfterMilliseconds: UInt64 = 850
    /// The same on links; to the latter two the round trip time is added.
    static let linkKeepaliveAfterMilliseconds: UInt64 = 50
    static let linkSilentAfterMilliseconds: UInt64 = 600
    static let suspectAfterMilliseconds: UInt64 = 400
    /// When the first PAD asks for a sign of life, and the time between two.
    static let askAfterMilliseconds: UInt64 = 150
    static let askSpacingMilliseconds: UInt64 = 100
    /// How many such PADs there are in one silence.
    static let asksMax: UInt8 = 5
    /// How often the rules are checked while one is pending.
    static let tickMilliseconds: UInt64 = 50

    /// First data received since the last send; zero when nothing waits for an answer.
    var owedSince = Instant.zero
    /// First data sent since the last valid receive; zero when nothing is unanswered.
    var unansweredSince = Instant.zero
    /// Too long without an answer; until something valid comes in or there is a new session.
    var isSuspect = false
    /// PADs that asked for an answer since the last valid receive.
    var asks: UInt8 = 0
    /// Of a link, by its last handshakes, milliseconds.
    var roundTrip: UInt16 = 0

    /// Something valid came in; `isData` when it asks for a sign of life.
    @inline(__always)
    mutating func received(isData: Bool, now: Instant) {
        renewed()
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

    /// Nothing came for a while though nothing waits for an answer: it does from then on.
    mutating func expect(since heard: Instant) { unansweredSince = heard }

    func owesKeepalive(after milliseconds: UInt64, now: Instant) -> Bool {
        owedSince != .zero && now.milliseconds(since: owedSince) >= milliseconds
    }

    /// There is a new session, or something else that shows that the other end answers.
    @inline(__always)
    mutating func renewed() {
        unansweredSince = .zero
        isSuspect = false
        asks = 0
    }

    /// The worker did not run for so long: nobody could be heard.
    mutating func overlook(nanoseconds: UInt64, now: Instant) {
        guard unansweredSince != .zero else { return }
        unansweredSince = min(now, unansweredSince.advanced(byNanoseconds: nanoseconds))
    }

    /// Whether the link is to be asked for a sign of life.
    func wantsAsking(now: Instant) -> Bool {
        guard unansweredSince != .zero, asks < Liveness.asksMax else { return false }
        let after = Liveness.askAfterMilliseconds + UInt64(asks) * Liveness.askSpacingMilliseconds
        return now.milliseconds(since: unansweredSince) >= after
    }

    mutating func suspect(now: Instant) {
        if isUnanswered(for: Liveness.suspectAfterMilliseconds + UInt64(roundTrip), now: now) { isSuspect = true }
    }

    /// Whether there was no answer for so long.
    func isUnanswered(for milliseconds: UInt64, now: Instant) -> Bool {
        unansweredSince != .zero && now.milliseconds(since: unansweredSince) >= milliseconds
    }

    /// Whether a link is silent.
    func isLinkSilent(now: Instant) -> Bool {
        isUnanswered(for: Liveness.linkSilentAfterMilliseconds + UInt64(roundTrip), now: now)
    }

    /// Control was told of the silence. It is told again after the same time; nobody is asked any more.
    mutating func told(now: Instant) {
        unansweredSince = now
        asks = Liveness.asksMax
    }
}
