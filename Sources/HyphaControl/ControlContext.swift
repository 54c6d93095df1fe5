import HyphaBase
import HyphaIdentity
import HyphaInterchange

/// What all parts of the control plane share: who we are, chance, time of day, and what is to be done.
struct ControlContext: Sendable {
    let configuration: ControlConfiguration
    let identity: NodeIdentity
    let network: NetworkKeys
    /// Random number of this run.
    let bootID: UInt64
    var random: any RandomSource
    /// For spreading timers.
    var jitter: Seed
    var clock = InitClock()
    /// Seconds since 1970 by the wall clock.
    var wallSeconds: UInt64
    var cookies: CookieSecrets
    var owners: SubnetOwners
    /// The next hops may have changed.
    var isForwardingChanged = true
    var actions = ActionQueue()
    var count = ControlCounters()

    init(
        configuration: ControlConfiguration, identity: NodeIdentity, network: NetworkKeys, random: any RandomSource,
        wallSeconds: UInt64, now: Instant
    ) {
        self.configuration = configuration
        self.identity = identity
        self.network = network
        var random = random
        bootID = random.uint64()
        jitter = Seed(random.uint64())
        cookies = CookieSecrets(now: now, random: &random)
        self.random = random
        self.wallSeconds = wallSeconds
        owners = SubnetOwners(own: identity.address)
    }

    mutating func command(_ command: WorkerCommand) { actions.append(.command(command)) }

    mutating func log(_ level: LogLevel, key: String, _ text: String) {
        actions.append(.log(level, text, key: key))
    }

    /// What people call the neighbour on a link.
    func name(_ link: Link) -> String {
        let key = String(link.key.hex.prefix(16))
        guard let configured = link.configured else { return key }
        let peer = configuration.peers[configured]
        return peer.label.isEmpty ? "\(peer.host) (\(key))" : "\(peer.label) (\(key))"
    }
}
