import HyphaBase
import HyphaIdentity

/// A place that this node dials over TCP: its addresses in turn, and pauses when none of them answers.
struct StreamTarget: Sendable {
    enum State: Equatable, Sendable {
        /// The addresses were asked for; asked for again at this time.
        case resolving(again: Instant)
        /// A connection is being made under this dial number; it counts as failed at this time.
        case dialling(number: UInt32, until: Instant)
        case up(connection: UInt32)
        /// Nobody answered; the next dial begins at this time.
        case resting(until: Instant)
        /// There is another link with its node: not dialled while that lasts.
        case standby
    }

    let number: UInt32
    /// Host name or address; empty for one that was found on the local network.
    let host: String
    let port: UInt16
    let label: String
    let isConfigured: Bool
    private(set) var state: State
    /// When it came into this state.
    private(set) var since: Instant
    /// Its node's key as it says itself; nil for one of the configuration.
    var key: PublicKey?
    /// When its connection ends because another link has lasted; nil: not.
    var leaveAt: Instant?
    /// What the last answer of the name service that had any held.
    private(set) var addresses: [SocketAddress] = []
    private var resolved: Instant?
    /// The address of this round to dial next.
    private var next = 0
    /// Since when there is no connection that was of use.
    private var outage: Instant
    /// Pauses in a row beyond the first ones.
    private var pauses = 0
    /// Dials in a row that came to nothing.
    private(set) var failures = 0
    /// The last failure that was logged, and when.
    private var logged: (error: UInt32, at: Instant)?
    /// The log has a line that this place is the node itself.
    var isKnownAsOwn = false

    static let resolveMilliseconds: UInt64 = 10_000
    /// An answer of the name service is used again for so long.
    static let addressMilliseconds: UInt64 = 20_000
    /// The rim gives a dial up sooner; this is for answers that got lost.
    static let dialMilliseconds: UInt64 = 15_000
    static let addressesMax = 16
    /// Pauses stay short for so long after a connection that was of use.
    static let eagerMilliseconds: UInt64 = 30_000
    static let shortestMilliseconds: UInt64 = 1_000
    static let longestMilliseconds: UInt64 = 60_000
    /// A connection that lasted so long was of use.
    static let usefulMilliseconds: UInt64 = 30_000
    /// Pause after it turned out to be this node itself.
    static let ownMilliseconds: UInt64 = 600_000
    /// The same failure is logged again after this.
    static let logMilliseconds: UInt64 = 600_000
    /// One that was found on the local network is forgotten after so many dials that came to nothing.
    static let discoveredFailures = 3

    /// One of the configuration.
    init(number: UInt32, _ peer: ConfiguredStreamPeer, now: Instant) {
        self.number = number
        host = peer.host
        port = peer.port
        label = peer.label
        isConfigured = true
        state = .resting(until: now)
        since = now
        outage = now
    }

    /// One that was found.
    init(number: UInt32, found address: SocketAddress, key: PublicKey?, now: Instant) {
        self.number = number
        self.key = key
        host = ""
        port = address.port
        label = ""
        isConfigured = false
        addresses = [address]
        state = .resting(until: now)
        since = now
        outage = now
    }

    var nextDeadline: Instant? {
        switch state {
        case .up: leaveAt
        case .standby: nil
        case .resolving(let time), .dialling(_, let time), .resting(let time): time
        }
    }

    var isUp: Bool {
        if case .up = state { return true }
        return false
    }

    /// Whether the addresses have to be asked for before the next dial.
    func mustResolve(now: Instant) -> Bool {
        guard isConfigured else { return false }
        return resolved.map { now.milliseconds(since: $0) >= StreamTarget.addressMilliseconds } ?? true
    }

    mutating func resolve(now: Instant) {
        enter(.resolving(again: now.advanced(byMilliseconds: StreamTarget.resolveMilliseconds)), now: now)
    }

    /// The answer of the name service. One without addresses leaves those known before.
    mutating func answered(_ found: [SocketAddress], now: Instant) {
        guard !found.isEmpty else { return }
        addresses = Array(found.prefix(StreamTarget.addressesMax))
        resolved = now
    }

    /// A round through all addresses begins.
    mutating func beginRound() { next = 0 }

    /// The address to dial next under `number`; nil when all had their turn.
    mutating func dial(number: UInt32, now: Instant) -> SocketAddress? {
        guard next < addresses.count else { return nil }
        next += 1
        enter(
            .dialling(number: number, until: now.advanced(byMilliseconds: StreamTarget.dialMilliseconds)), now: now)
        return addresses[next - 1]
    }

    mutating func connected(_ connection: UInt32, now: Instant) {
        failures = 0
        enter(.up(connection: connection), now: now)
    }

    /// A dial came to nothing. True when that is worth a line in the log.
    mutating func failed(_ error: UInt32, now: Instant) -> Bool {
        failures += 1
        if let logged, logged.error == error, now.milliseconds(since: logged.at) < StreamTarget.logMilliseconds {
            return false
        }
        logged = (error, now)
        return true
    }

    /// Its connection ended. One that was of use makes the next pauses short again.
    mutating func disconnected(wasOfUse: Bool, now: Instant) {
        guard wasOfUse else { return }
        pauses = 0
        outage = now
        logged = nil
    }

    /// Nobody answered: a second of rest, after 30 s of that 2 s and twice as much each time, one minute at most.
    mutating func rest(now: Instant, jitter: inout Seed) {
        // Name servers have more to do than one node's kernel.
        var pause = addresses.isEmpty ? 2 * StreamTarget.shortestMilliseconds : StreamTarget.shortestMilliseconds
        if now.milliseconds(since: outage) >= StreamTarget.eagerMilliseconds {
            pauses = min(pauses + 1, 16)
            pause = min(StreamTarget.longestMilliseconds, StreamTarget.shortestMilliseconds << UInt64(pauses))
        }
        rest(milliseconds: pause, now: now, &jitter)
    }

    /// There is another link with its node.
    mutating func standBy(now: Instant) { enter(.standby, now: now) }

    /// That is gone: the next dial begins at `time`.
    mutating func stir(at time: Instant, now: Instant) { enter(.resting(until: time), now: now) }

    /// It is this node itself.
    mutating func restAsOwn(now: Instant, jitter: inout Seed) {
        rest(milliseconds: StreamTarget.ownMilliseconds, now: now, &jitter)
    }

    private mutating func rest(milliseconds: UInt64, now: Instant, _ jitter: inout Seed) {
        let pause = RetrySchedule.spread(milliseconds: milliseconds, jitter: &jitter)
        enter(.resting(until: now.advanced(byNanoseconds: pause)), now: now)
    }

    private mutating func enter(_ state: State, now: Instant) {
        self.state = state
        since = now
        leaveAt = nil
    }
}
