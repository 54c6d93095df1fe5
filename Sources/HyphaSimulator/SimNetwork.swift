import HyphaBase
import HyphaRouting
import HyphaWire

/// A mesh of routers in virtual time. One thread, one random source, no real clock.
public struct SimNetwork: Sendable {
    let scenario: Scenario
    var seed: Seed
    var nodes: [SimNode] = []
    var links: [SimLink] = []
    var events = EventQueue()
    var now = Instant(nanoseconds: 1_000_000_000)
    var outcome = Outcome()

    public init(_ scenario: Scenario) {
        self.scenario = scenario
        seed = Seed(scenario.seed)
        for (a, b) in scenario.topology.links(nodes: scenario.nodes, seed: &seed) {
            let mixed: NeighbourLink.Kind = Bool.random(using: &seed) ? .stock : .hypha
            links.append(
                SimLink(
                    a: a, b: b, kind: scenario.mixesKinds ? mixed : scenario.kind,
                    delay: UInt64.random(in: 1...50, using: &seed)))
        }
        for number in 0..<scenario.nodes {
            guard let router = makeRouter(number, state: nil) else { continue }
            nodes.append(
                SimNode(
                    router: router, sessions: [UInt32](repeating: 0, count: links.count)))
        }
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
                break
            }
            handle(event)
            if scenario.auditEvery > 0, outcome.events % scenario.auditEvery == 0 { audit() }
        }
        audit()
    }

    mutating func makeRouter(_ number: Int, state: RouterState?) -> Router? {
        var configuration = RouterConfiguration(key: SimNode.key(of: number), addressOfKey: SimNode.address(of:))
        configuration.announcesHostRoute = scenario.announcesHostRoutes
        configuration.limits = scenario.limits
        var router = Router(configuration: configuration, state: state, seed: seed.next(), now: now)
        router?.mutant = scenario.mutant
        return router
    }

    mutating func schedule(_ event: SimEvent, after milliseconds: UInt64) {
        events.insert(event, at: now.advanced(byMilliseconds: milliseconds))
    }

    // MARK: Events

    private mutating func handle(_ event: SimEvent) {
        switch event {
        case .deliver(let type, let body, let link, let node, let session):
            guard nodes[node].isRunning, nodes[node].sessions[link] == session, !links[link].isCut else { return }
            outcome.messages += 1
            nodes[node].router.handle(type: type, body: body, from: neighbour(link), now: now)
            drain(node)
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
        case .notice(let link, let node, let session):
            guard nodes[node].isRunning, nodes[node].sessions[link] == session else { return }
            nodes[node].sessions[link] = 0
            nodes[node].router.neighbourDown(neighbour(link), now: now)
            drain(node)
        case .crash(let node, let losesState): crash(node, losesState: losesState)
        case .start(let node): start(node)
        case .cost(let link, let roundTrip):
            for node in [links[link].a, links[link].b] where nodes[node].isRunning {
                nodes[node].router.costChanged(neighbour(link), roundTrip: roundTrip, now: now)
                drain(node)
            }
        case .repair: repair()
        case .askAll: askAll()
        case .check: break
        }
    }

    func neighbour(_ link: Int) -> NeighbourID { NeighbourID(UInt16(truncatingIfNeeded: link)) }

    /// Both ends get a new session, if both nodes run and nothing is cut.
    mutating func connect(_ link: Int) {
        let ends = [links[link].a, links[link].b]
        guard !links[link].isCut, ends.allSatisfy({ nodes[$0].isRunning }) else { return }
        links[link].session += 1
        links[link].lastArrivalAtA = now
        links[link].lastArrivalAtB = now
        for node in ends { nodes[node].sessions[link] = links[link].session }
        for node in ends {
            let isStock = links[link].kind == .stock
            nodes[node].router.neighbourUp(
                neighbour(link),
                NeighbourLink(
                    kind: links[link].kind, baseCost: isStock ? 10 : 4,
                    roundTrip: UInt16(truncatingIfNeeded: links[link].delay * 2), isDialled: node == links[link].a,
                    key: isStock ? [] : SimNode.key(of: links[link].other(than: node))), now: now)
            drain(node)
        }
    }

    /// Each end finds out in its own time that the session is gone.
    mutating func noticeLoss(of link: Int) {
        for node in [links[link].a, links[link].b] {
            let delay = UInt64.random(in: 20...400, using: &seed)
            schedule(.notice(link: link, node: node, session: links[link].session), after: delay)
        }
    }

    private mutating func crash(_ node: Int, losesState: Bool) {
        guard nodes[node].isRunning else { return }
        nodes[node].isRunning = false
        nodes[node].forwarding = [:]
        if losesState {
            nodes[node].state = nil
            nodes[node].hasLostState = true
        }
        for link in links.indices where links[link].a == node || links[link].b == node {
            nodes[node].sessions[link] = 0
            noticeLoss(of: link)
        }
        schedule(.start(node), after: UInt64.random(in: 10...1500, using: &seed))
    }

    private mutating func start(_ node: Int) {
        guard !nodes[node].isRunning, let router = makeRouter(node, state: nodes[node].state) else { return }
        nodes[node].router = router
        nodes[node].isRunning = true
        nodes[node].wake = .distantFuture
        drain(node)
        for link in links.indices where links[link].a == node || links[link].b == node { connect(link) }
    }

    private mutating func repair() {
        for node in nodes.indices where !nodes[node].isRunning { start(node) }
        for link in links.indices {
            links[link].loss = 0
            if links[link].isCut {
                links[link].isCut = false
                connect(link)
            }
        }
    }

    private mutating func askAll() {
        for node in nodes.indices {
            for other in nodes.indices where other != node {
                _ = nodes[node].router.query(SimNode.prefix(of: other).address, now: now)
            }
            drain(node)
        }
    }

    // MARK: Actions

    /// Does what a router wants, and sees to it that it is woken.
    mutating func drain(_ node: Int) {
        while let action = nodes[node].router.poll() { perform(action, of: node) }
        let deadline = max(now, nodes[node].router.nextDeadline)
        if deadline < nodes[node].wake {
            nodes[node].wake = deadline
            events.insert(.wake(node), at: deadline)
        }
    }

    private mutating func perform(_ action: RouterAction, of node: Int) {
        outcome.log(now.nanoseconds &+ UInt64(node))
        switch action {
        case .persist(let state):
            outcome.log(1 << 32 | UInt64(state.seqno))
            nodes[node].state = state
        case .routeAgeing: break
        case .routeChanged(let change): install(change, at: node)
        case .send(let tlv, let id): send(tlv, on: Int(id.value), from: node)
        case .queryResolved: outcome.log(2 << 32)
        case .queryFailed: outcome.log(3 << 32)
        case .neighbourDead(let id):
            outcome.log(4 << 32 | UInt64(id.value))
            let link = Int(id.value)
            nodes[node].sessions[link] = 0
            // The connection is closed, and made again a moment later.
            noticeLoss(of: link)
            if !links[link].isCut {
                links[link].isCut = true
                schedule(.heal(link), after: 1_000)
            }
        }
    }

    private mutating func install(_ change: RouteChange, at node: Int) {
        outcome.log(5 << 32 | change.prefix.address.high & 0xFFFF_FFFF)
        switch change.outcome {
        case .reachable(let routerID, let nextHops):
            for hop in nextHops { outcome.log(UInt64(hop.neighbour.value) << 16 | UInt64(hop.cost)) }
            nodes[node].forwarding[change.prefix] = .init(
                routerID: routerID, nextHops: nextHops.map(\.neighbour))
            checkLoop(change.prefix, from: node)
        case .unreachable, .removed: nodes[node].forwarding[change.prefix] = nil
        }
    }

    private mutating func send(_ tlv: BabelTLV, on link: Int, from node: Int) {
        let body = tlv.body
        outcome.log(6 << 32 | UInt64(tlv.type) << 24 | UInt64(link) << 8 | UInt64(body.last ?? 0))
        let session = nodes[node].sessions[link]
        guard session != 0, session == links[link].session, !links[link].isCut else { return }
        let isStream = links[link].kind == .stock
        if !isStream, links[link].loss > 0, UInt64.random(in: 0..<1000, using: &seed) < links[link].loss { return }
        var arrival = now.advanced(
            byMilliseconds: links[link].delay + (isStream ? 0 : UInt64.random(in: 0...3, using: &seed)))
        if isStream {
            // In order: equal times leave the queue as they came.
            if node == links[link].a {
                arrival = max(arrival, links[link].lastArrivalAtB)
                links[link].lastArrivalAtB = arrival
            } else {
                arrival = max(arrival, links[link].lastArrivalAtA)
                links[link].lastArrivalAtA = arrival
            }
        }
        events.insert(
            .deliver(type: tlv.type, body: body, link: link, to: links[link].other(than: node), session: session),
            at: arrival)
    }
}
