import HyphaBase
import HyphaControl
import HyphaIdentity
import HyphaRouting

/// One node of a `SimulatedNetwork`: control, a fake worker, and what was logged.
final class SimulatedNode {
    let identity: NodeIdentity
    var configuration: ControlConfiguration
    let endpoint: SocketAddress
    var loop: ControlLoop
    var worker: FakeWorker
    /// Seconds that its wall clock is ahead.
    var clockOffset: Int64 = 0
    /// Off: receives nothing and does nothing.
    var isRunning = true
    var log: [String] = []
    /// What the router wanted kept last.
    var state: RouterState?
    /// Starts so far.
    private var runs: UInt64 = 1
    private let seed: UInt64

    init(
        identity: NodeIdentity, configuration: ControlConfiguration, endpoint: SocketAddress, seed: UInt64,
        wallSeconds: UInt64, now: Instant
    ) {
        self.identity = identity
        self.configuration = configuration
        self.endpoint = endpoint
        self.seed = seed
        worker = FakeWorker(own: identity.address, links: configuration.links)
        loop = ControlLoop(
            configuration: configuration, identity: identity, network: .open, random: SeededRandom(seed),
            linkSessions: worker.links.table, flowSessions: worker.flows.table, wallSeconds: wallSeconds, now: now)
    }

    var key: PublicKey { identity.publicKey }
    var address: IPv6Address { identity.address }

    /// Forgets everything but its identity and configuration.
    func restart(wallSeconds: UInt64, now: Instant) {
        runs += 1
        isRunning = true
        worker = FakeWorker(own: identity.address, links: configuration.links)
        loop = ControlLoop(
            configuration: configuration, identity: identity, network: .open, random: SeededRandom(seed + 1_000 * runs),
            linkSessions: worker.links.table, flowSessions: worker.flows.table, wallSeconds: wallSeconds, now: now)
    }
}
