import HyphaBase
import HyphaIdentity
import HyphaInterchange

/// A node that this one may have end-to-end sessions with.
struct FlowPeer: Sendable {
    let id: UInt32
    let key: PublicKey
    let address: IPv6Address
    var machine: HandshakeMachine
    /// Routes and links that refer to the peer: it stays as long as there are any.
    var references = 0
    /// A session proved that the key is there: it counts as known.
    var isKnown = false
    /// A route says that it speaks native sessions.
    var isHinted = false
    /// It is in the configuration, so it speaks them.
    let isConfigured: Bool
    /// It did so here, on a link or end to end.
    var isProven: Bool
    /// The value of the last `setPeer`, nil before the worker was told anything.
    var announced: UInt32?
    /// When a fall back to stock bodies was logged last.
    var fellBack: Instant?
    /// When its exposure was logged last.
    var exposed: Instant?
    /// INITs go on until then unless something asks again.
    var wantedUntil = Instant.zero
    /// When the packets that wait were or will be given up; nil when none are known to wait.
    var rejectAt: Instant?
    /// No new handshake before this.
    var restUntil = Instant.zero
    /// When packets were given up last.
    var rejected: Instant?
    /// INITs on the word of others: errors.
    var hintLimit: TokenBucket
    /// The last sign that the peer is used.
    var lastUse: Instant
    /// When the last session ended; nil while there is one.
    var emptySince: Instant?

    /// Packets wait for a session so long.
    static let rejectMilliseconds: UInt64 = 3_000
    /// Pause between two times of giving up packets.
    static let rejectPauseMilliseconds: UInt64 = 1_000
    /// INITs go on for so long after the last packet that asked.
    static let wantedMilliseconds: UInt64 = 10_000
    /// The same for a session in use that is to be renewed: until it ends.
    static let rekeyMilliseconds: UInt64 = 60_000
    /// Pause after a handshake that nobody answered.
    static let restMilliseconds: UInt64 = 5_000
    /// A peer that nothing refers to is forgotten after so long without a session.
    static let forgetMilliseconds: UInt64 = 180_000

    /// Between two lines about falling back.
    static let fellBackMilliseconds: UInt64 = 600_000
    /// Between two lines about exposure.
    static let exposedMilliseconds: UInt64 = 3_600_000

    init(id: UInt32, key: PublicKey, own: PublicKey, isConfigured: Bool = false, isProven: Bool = false, now: Instant) {
        self.id = id
        self.key = key
        self.isConfigured = isConfigured
        self.isProven = isProven
        machine = HandshakeMachine(id: id, peer: key, own: own, isEager: false)
        address = machine.address
        hintLimit = TokenBucket(rate: 1, burst: 1, now: now)
        lastUse = now
        emptySince = now
    }

    /// The bits of `setPeer`; `whole`: its whole /64 is its own.
    func bits(whole: Bool) -> UInt32 {
        (whole ? WorkerCommand.ownsPrefixBit : 0)
            | (isHinted || isConfigured || isProven ? WorkerCommand.nativeHintBit : 0)
            | (isProven ? WorkerCommand.nativeProofBit : 0)
    }

    var forgetAt: Instant? {
        guard references == 0, let emptySince else { return nil }
        return isKnown ? emptySince.advanced(byMilliseconds: FlowPeer.forgetMilliseconds) : emptySince
    }

    var nextDeadline: Instant? {
        .earliest(.earliest(machine.nextDeadline, rejectAt), forgetAt)
    }
}
