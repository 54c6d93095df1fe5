import HyphaBase
import HyphaControl
import HyphaDataplane
import HyphaIdentity
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaSimulator

/// A mesh of whole nodes in virtual time: real workers and real control, joined by an underlay in memory. One thread, one
/// random source, no real clock.
public struct WholeNetwork: ~Copyable {
    static let start = Instant(nanoseconds: 1_000_000_000)
    private static let wallStart: UInt64 = 1_700_000_000
    /// Passes of a node at one moment; more: it does not come to rest.
    private static let mostPasses = 2_000
    private static let mostViolations = 5

    let scenario: WholeScenario
    var seed: Seed
    var nodes: [WholeNode] = []
    var links: [UnderlayLink] = []
    var pipes: [UnderlayPipe] = []
    var events = DeadlineQueue<WholeEvent>()
    var now = WholeNetwork.start
    var outcome = WholeOutcome()
    var packets: [HostPacket] = []
    /// The links of each node, by the other end.
    var linksBetween: [Int: Int] = [:]
    /// Nothing may get lost, and nothing runs in circles.
    var isCalm = false
    var isRecovered = false
    var isSending = true
    /// When packets had to arrive: from the first moment until before the second.
    var calmTimes: [(from: Instant, until: Instant)] = []
    var repairedAt: Instant?
    var faultsAt: Instant?
    var mutantIsDone = false
    /// What has been found wrong: it is said once.
    private var known: Set<String> = []
    private var isOver = false

    /// Runs a scenario to its end.
    public static func run(_ scenario: WholeScenario) -> WholeOutcome {
        var network = WholeNetwork(scenario)
        network.run()
        return network.outcome
    }

    init(_ scenario: WholeScenario) {
        self.scenario = scenario
        seed = Seed(scenario.seed)
        for link in scenario.topology.links(nodes: scenario.nodes, seed: &seed) {
            let coin = Bool.random(using: &seed)
            let isStream =
                switch scenario.links {
                case .hypha: false
                case .stock: true
                case .mixed: coin
                }
            linksBetween[pair(link.a, link.b)] = links.count
            links.append(
                UnderlayLink(
                    a: link.a, b: link.b, isStream: isStream, delay: UInt64.random(in: link.delay, using: &seed)))
        }
        makeNodes()
        plan()
    }

    mutating func run() {
        for node in nodes.indices {
            schedule(.start(node: node), after: UInt64.random(in: 0...500, using: &seed))
            schedule(.send(node: node), after: 600 + UInt64(node))
        }
        while !isOver, outcome.violations.count < WholeNetwork.mostViolations, let next = nextTime {
            now = max(now, next)
            if let event = events.popDue(now: now) {
                outcome.events += 1
                handle(event)
            } else if let node = nodes.indices.first(where: { nodes[$0].deadline <= now }) {
                pump(node)
            }
        }
        checkDeliveries()
    }

    private var nextTime: Instant? {
        var next = events.nextDeadline ?? .distantFuture
        for node in nodes where node.machine != nil { next = min(next, node.deadline) }
        return next == .distantFuture ? nil : next
    }

    // MARK: Nodes

    private mutating func makeNodes() {
        let identities = (0..<scenario.nodes).compactMap { WholeNode.identity($0, seed: scenario.seed) }
        var dials: [[ConfiguredPeer]] = Array(repeating: [], count: identities.count)
        var streams: [[ConfiguredStreamPeer]] = Array(repeating: [], count: identities.count)
        for link in links {
            // One end dials, or both.
            let who = Int.random(in: 0..<4, using: &seed)
            for (from, to) in [(link.a, link.b), (link.b, link.a)] where who == 0 || (who % 2 == 0) == (from == link.a)
            {
                if link.isStream {
                    streams[from].append(ConfiguredStreamPeer(host: WholeNode.host(to), port: 9_651))
                } else {
                    dials[from].append(
                        ConfiguredPeer(key: identities[to].publicKey, host: WholeNode.host(to), port: 9_651))
                }
            }
        }
        for (number, identity) in identities.enumerated() {
            var configuration = ControlConfiguration(
                peers: dials[number], maxPeers: WholeMachine.maxPeers, maxSessions: WholeMachine.maxPeers,
                suites: Bool.random(using: &seed) ? 1 : 3, routing: RoutingSettings(), streamPeers: streams[number])
            configuration.links = LinkNumbering(
                datagramLinks: WholeMachine.maxPeers + dials[number].count, streams: WholeMachine.maxStreams)
            // Some speak to all as a stock node does. Not to HL1 neighbours: those know that they can do more.
            let isDatagram = links.contains { !$0.isStream && ($0.a == number || $0.b == number) }
            if happens(200), !isDatagram { configuration.session = .classic }
            nodes.append(
                WholeNode(
                    identity: identity, number: number, configuration: configuration,
                    entryMode: Bool.random(using: &seed) ? .full : .header,
                    clockOffset: Int64.random(in: -5...5, using: &seed)))
        }
        if scenario.mutant == .loop { makeLoop() }
    }

    mutating func start(_ node: Int) {
        guard nodes[node].machine == nil else { return }
        var configuration = nodes[node].configuration
        configuration.routing = RoutingSettings(state: nodes[node].state)
        var sessions = 64
        while sessions < 8 * scenario.nodes { sessions *= 2 }
        let machine = WholeMachine(
            WholeMachine.Setting(
                identity: nodes[node].identity, control: configuration, entryMode: nodes[node].entryMode,
                sessions: sessions, seed: seed.next(), wallSeconds: wallSeconds(node), now: now))
        guard let machine else { return violation("no memory for node \(node)") }
        nodes[node].machine = machine
        nodes[node].boot += 1
        nodes[node].isDraining = false
        nodes[node].pipes = []
        nodes[node].controlStalledUntil = .zero
        nodes[node].workerStalledUntil = .zero
        pump(node)
    }

    private func wallSeconds(_ node: Int) -> UInt64 {
        let passed = now.nanoseconds(since: WholeNetwork.start) / 1_000_000_000
        return WholeNetwork.wallStart &+ passed &+ UInt64(bitPattern: nodes[node].clockOffset)
    }

    /// Turns of control and worker until both would sleep, and what comes of them.
    mutating func pump(_ node: Int) {
        var passes = 0
        var quiet = 0
        while let machine = nodes[node].machine {
            let mayControl = nodes[node].controlStalledUntil <= now
            let mayWork = nodes[node].workerStalledUntil <= now
            var isBusy = false
            if mayControl {
                var actions: [ControlAction] = []
                isBusy = machine.control.turn(now: now, wallSeconds: wallSeconds(node)) { actions.append($0) }
                perform(actions, node)
            }
            if mayWork {
                let result = machine.worker.turn(&machine.io, now: now)
                isBusy = isBusy || result.isBusy || machine.io.inFlight > 0
                checkConservation(node, machine)
                takeOutput(node, machine)
            }
            let control = mayControl ? machine.control.nextDeadline ?? .distantFuture : nodes[node].controlStalledUntil
            let work = mayWork ? machine.worker.nextDeadline : nodes[node].workerStalledUntil
            nodes[node].deadline = min(control, work)
            // What was submitted in the first quiet pass is finished in the second.
            quiet = isBusy || nodes[node].deadline <= now ? 0 : quiet + 1
            if quiet == 2 {
                guard mayWork else { break }
                guard machine.worker.prepareToSleep() else {
                    quiet = 0
                    continue
                }
                machine.worker.wakeUp()
                checkRest(node, machine)
                break
            }
            passes += 1
            if passes == WholeNetwork.mostPasses {
                violation("node \(node) does not come to rest")
                nodes[node].deadline = now.advanced(byMilliseconds: 1)
                break
            }
        }
    }

    private mutating func perform(_ actions: [ControlAction], _ node: Int) {
        for action in actions {
            switch action {
            case .resolve(let link, let host, let port):
                schedule(.resolved(node: node, boot: nodes[node].boot, link: link, host: host, port: port), after: 1)
            case .persist(let state): nodes[node].state = state
            case .log(_, let text, _): note("node \(node): \(text)")
            case .command, .inject, .publish: break
            }
        }
    }

    // MARK: Events

    mutating func schedule(_ event: WholeEvent, after milliseconds: UInt64) {
        events.insert(event, at: now.advanced(byMilliseconds: milliseconds))
    }

    private mutating func handle(_ event: WholeEvent) {
        switch event {
        case .phase(let phase): enter(phase)
        case .send(let node): hostSends(node)
        case .datagrams(let bytes, let segmentSize, let link, let to): arrive(bytes, segmentSize, link, at: to)
        case .resolved(let node, let boot, let link, let host, let port):
            guard let machine = nodes[node].machine, nodes[node].boot == boot else { return }
            let addresses = SocketAddress("\(host):\(port)").map {
                [ResolvedAddress(address: $0, largestDatagram: 1_452)]
            }
            machine.control.loop.resolved(link: link, host: host, port: port, addresses: addresses ?? [], now: now)
            pump(node)
        case .dial, .dialEnded, .answered, .bytes, .ended, .stuck: handleStream(event)
        case .cut, .heal, .loss, .jitter, .delay, .stall, .stop, .kill, .start: handleFault(event)
        }
    }

    private mutating func enter(_ phase: WholeEvent.Phase) {
        note("phase \(phase)")
        if scenario.keepsLog { noteCounters() }
        switch phase {
        case .calm, .recovered: beginCalm()
        case .faults:
            endCalm()
            faultsAt = now
        case .repair: repair()
        case .quiet:
            endCalm()
            isSending = false
        case .idle: checkIdle()
        case .drain: drainAll()
        case .end:
            checkDrained()
            isOver = true
        }
        isRecovered = isRecovered || phase == .recovered
    }

    mutating func violation(_ text: String) {
        guard known.insert(text).inserted else { return }
        let time = now.milliseconds(since: WholeNetwork.start)
        outcome.violations.append("\(time) ms: \(text)")
    }

    /// A line for who looks into a run.
    mutating func note(_ text: @autoclosure () -> String) {
        guard scenario.keepsLog else { return }
        outcome.lines.append("\(now.milliseconds(since: WholeNetwork.start)) ms: \(text())")
    }

    /// What every node has dropped so far, and what waits there.
    private mutating func noteCounters() {
        for node in nodes.indices {
            guard let machine = nodes[node].machine else { continue }
            let drops = DropReason.allCases.filter { machine.counters[$0] > 0 }.map {
                "\($0.name) \(machine.counters[$0])"
            }
            note("node \(node): waiting \(machine.worker.waiting), dropped: \(drops.joined(separator: ", "))")
        }
    }

    /// A key for two nodes in either order.
    func pair(_ a: Int, _ b: Int) -> Int { min(a, b) * scenario.nodes + max(a, b) }
}
