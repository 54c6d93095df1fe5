import HyphaBase
import HyphaIdentity

/// A link: one neighbour over one underlay family.
struct Link: Sendable {
    let id: UInt32
    let key: PublicKey
    /// Index of the first configured peer with this key; nil for who came by itself.
    let configured: Int?
    var machine: HandshakeMachine
    var dialer: Dialer?
    /// How packets on it are sealed.
    let seal: SealPolicy
    /// Where packets to the neighbour go; kept while it is not connected.
    var endpoint: SocketAddress?
    var socket: UInt8 = 0
    /// Largest datagram on the path to `endpoint` as the kernel knows it, nil before it said so.
    var pathLimit: UInt16?
    /// Largest datagram that the neighbour takes.
    var peerLimit: UInt16 = .max
    /// What the worker was told last.
    var announced: Announced?
    /// The worker saw the neighbour silent and no session was made since.
    var isSilent = false
    /// When the worker said so last.
    var lastSilent = Instant.zero
    /// The others were told that the link is down, though it has a session: they hear of the next one.
    var isDown = false
    /// When the newest session was made.
    var lastSession = Instant.zero
    /// The neighbour's run that sessions came from last.
    var bootID: UInt64?
    /// As it was when others were told last.
    var wasConnected = false
    /// The neighbour's key was proved by a session here: it counts as known.
    var isKnown = false
    var nextProbe: Instant?
    /// When the last session ended; nil while there is one.
    var emptySince: Instant?
    /// Answers to probes and challenges.
    var answerLimit: TokenBucket

    struct Announced: Equatable, Sendable {
        var endpoint: SocketAddress
        var socket: UInt8
        var largestDatagram: UInt16
    }

    /// A session that comes sooner after the last one is no renewal.
    static let earlyMilliseconds: UInt64 = 100_000
    static let probeMilliseconds: UInt64 = 500
    /// More than that the worker does not wait, whatever the handshakes took, milliseconds.
    static let longestRoundTrip: UInt64 = 2_000
    /// A worker that sees a neighbour silent says so again within this time.
    static let silenceMilliseconds: UInt64 = 5_000
    /// A link that came by itself is forgotten after so long without a session.
    static let forgetMilliseconds: UInt64 = 300_000

    init(
        id: UInt32, key: PublicKey, own: PublicKey, configured: Int?, dialer: Dialer?, seal: SealPolicy, now: Instant
    ) {
        self.id = id
        self.key = key
        self.configured = configured
        self.dialer = dialer
        machine = HandshakeMachine(id: id, peer: key, own: own, isEager: configured != nil)
        self.seal = seal
        emptySince = now
        answerLimit = TokenBucket(rate: 50, burst: 100, now: now)
    }

    var isConnected: Bool { machine.isConnected }

    /// When the link is forgotten; nil while it has a session or is configured.
    var forgetAt: Instant? {
        guard configured == nil, let emptySince else { return nil }
        return isKnown ? emptySince.advanced(byMilliseconds: Link.forgetMilliseconds) : emptySince
    }

    var nextDeadline: Instant? {
        .earliest(
            .earliest(machine.nextDeadline, dialer?.nextDeadline), .earliest(nextProbe, forgetAt))
    }
}
