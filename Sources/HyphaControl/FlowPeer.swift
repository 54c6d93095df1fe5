import HyphaBase
import HyphaIdentity

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
    /// What the worker was told of the /64, nil before it was told anything.
    var announcedWhole: Bool?
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

    init(id: UInt32, key: PublicKey, own: PublicKey, now: Instant) {
        self.id = id
        self.key = key
        machine = HandshakeMachine(id: id, peer: key, own: own, isEager: false)
        address = machine.address
        hintLimit = TokenBucket(rate: 1, burst: 1, now: now)
        lastUse = now
        emptySince = now
    }

    var forgetAt: Instant? {
        guard references == 0, let emptySince else { return nil }
        return isKnown ? emptySince.advanced(byMilliseconds: FlowPeer.forgetMilliseconds) : emptySince
    }

    var nextDeadline: Instant? {
        .earliest(.earliest(machine.nextDeadline, rejectAt), forgetAt)
    }
}
