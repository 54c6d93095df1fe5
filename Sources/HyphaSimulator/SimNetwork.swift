import HyphaBase
import HyphaRouting
import HyphaWire

/// A mesh of routers in virtual time. One thread, one random source, no real clock.
public struct SimNetwork: Sendable {
    static let start = Instant(nanoseconds: 1_000_000_000)

    let scenario: Scenario
    var seed: Seed
    var nodes: [SimNode] = []
    var links: [SimLink] = []
    var events = EventQueue()
    var now = SimNetwork.start
    var outcome = Outcome()
    var report = SimReport()
    /// Router ids under small numbers, from 1 on.
    var routerIDs: [RouterID: UInt32] = [:]
    /// By node: the last search for a loop that came by.
    var visits: [UInt32] = []
    var search: UInt32 = 0
    var open: [Int] = []
    /// Draws what hostile nodes do: the same faults come with and without them.
    var hostility: Seed
    /// By number of the prefix: the router id under which honest nodes first had a route, 0 before; `several` after another.
    var routerIDOfPrefix: [UInt32] = []

    public init(_ scenario: Scenario) {
        var scenario = scenario
        hostility = Seed(scenario.seed ^ 0x4057_11E0_4057_11E0)
        if scenario.isHostile, Bool.random(using: &hostility) {
            scenario.limits = SimNetwork.tightLimits(nodes: scenario.nodes)
        }
        self.scenario = scenario
        seed = Seed(scenario.seed)
        let topology = scenario.topology.links(nodes: scenario.nodes, seed: &seed)
        for number in 0..<scenario.nodes {
            guard let router = makeRouter(number, state: nil) else { continue }
            nodes.append(SimNode(router: router, forwarding: SimForwarding(count: rowCount)))
        }
        for link in topology {
            let random: NeighbourLink.Kind = Bool.random(using: &seed) ? .stock : .hypha
            let kind: NeighbourLink.Kind =
                switch scenario.links {
                case .hypha: .hypha
                case .stock: .stock
                case .mixed: random
                }
            links.append(
                SimLink(
                    a: link.a, b: link.b, numberAtA: nodes[link.a].links.count, numberAtB: nodes[link.b].links.count,
                    kind: kind, delay: UInt64.random(in: link.delay, using: &seed)))
            for node in [link.a, link.b] {
                nodes[node].links.append(links.count - 1)
                nodes[node].sessions.append(0)
                nodes[node].boots.append(0)
                nodes[node].answers.append(nil)
            }
        }
        visits = [UInt32](repeating: 0, count: nodes.count)
        report.expected = prefixCount * (nodes.count - 1)
        routerIDOfPrefix = [UInt32](repeating: 0, count: rowCount)
        planHostility()
        planFaults()
    }

    /// Runs a scenario to its end.
    public static func run(_ scenario: Scenario) -> Outcome {
        var network = SimNetwork(scenario)
        network.run()
        return network.outcome
    }

    mutating func run() {
        for node in nodes.indices { drain(node) }
        for link in links.indices { connect(link) }
        while outcome.violations.count < 5, let (time, event) = events.popFirst() {
            now = max(now, time)
            outcome.events += 1
            if case .check = event {
                checkReachability()
                checkStrangers()
                break
            }
            handle(event)
            if scenario.auditEvery > 0, outcome.events % scenario.auditEvery == 0 { audit() }
        }
        audit()
        outcome.measurement = measurement()
    }

    mutating func makeRouter(_ number: Int, state: RouterState?) -> Router? {
        var configuration = RouterConfiguration(key: SimNode.key(of: number), addressOfKey: SimNode.address(of:))
        configuration.announcesHostRoute = scenario.announcesHostRoutes
        configuration.isTransit = scenario.leavesPassOn || number < scenario.topology.hubs(nodes: scenario.nodes)
        configuration.limits = scenario.limits
        var router = Router(configuration: configuration, state: state, seed: seed.next(), now: now)
        router?.mutant = scenario.mutant
        return router
    }

    mutating func schedule(_ event: SimEvent, after milliseconds: UInt64) {
        events.insert(event, at: now.advanced(byMilliseconds: milliseconds))
    }

    mutating func handle(_ event: SimEvent) {
        switch event {
        case .deliver(let message): deliver(message)
        case .wake(let node):
            guard nodes[node].isRunning, nodes[node].wake == now else { return }
            nodes[node].wake = .distantFuture
            nodes[node].router.advance(to: now)
            drain(node)
        case .cut(let link):
            guard !links[link].isCut else { return }
            links[link].isCut = true
            noticeLoss(of: link)
        case .heal(let link):
            guard links[link].isCut else { return }
            links[link].isCut = false
            connect(link)
        case .notice(let link, let node, let session): notice(link, node, session)
        case .crash(let node, let losesState): crash(node, losesState: losesState)
        case .start(let node): start(node)
        case .cost(let link, let roundTrip):
            for node in [links[link].a, links[link].b] where nodes[node].isRunning {
                nodes[node].router.costChanged(
                    neighbour(links[link].number(at: node)), roundTrip: roundTrip, now: now)
                drain(node)
            }
        case .loss(let link, let perMille): links[link].loss = perMille
        case .jitter(let link, let milliseconds): links[link].jitter = milliseconds
        case .attack(let node): attack(node)
        case .repair: repair()
        case .askAll: askAll()
        case .quiet: beginQuiet()
        case .check: break
        }
    }

    private mutating func deliver(_ message: SimMessage) {
        let link = message.link
        let node = message.to
        guard nodes[node].isRunning, session(link, at: node) == message.session, !links[link].isCut else { return }
        outcome.messages += message.entries.count
        nodes[node].received.count(message, isStream: links[link].isStream)
        let id = neighbour(links[link].number(at: node))
        nodes[node].handled += UInt64(message.entries.count)
        answerHellos(in: message, at: node)
        for entry in message.entries {
            if !isHonest(node) { nodes[node].hostile?.hear(entry) }
            nodes[node].router.handle(entry, from: id, now: now)
        }
        drain(node)
    }

    private mutating func askAll() {
        for node in nodes.indices {
            for other in nodes.indices where other != node {
                _ = nodes[node].router.query(SimNode.prefix(of: other).address, now: now)
            }
            drain(node)
        }
    }
}
