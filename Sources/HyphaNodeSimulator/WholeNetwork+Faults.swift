import HyphaBase
import HyphaControl
import HyphaSimulator

/// What goes wrong, when, and how it is put right.
extension WholeNetwork {
    /// How long a node may drain before it is killed, and between drain and end of a run, in milliseconds.
    private static let drainTime: UInt64 = 2_000
    /// Between the last packet of the hosts and the idle moment, in milliseconds.
    private static let quietTime: UInt64 = 6_000

    /// Draws all faults, and sets the phases.
    mutating func plan() {
        var time = scenario.startTime
        schedule(.phase(.calm), after: time)
        time += scenario.calmTime
        schedule(.phase(.faults), after: time)
        let kinds = Faults.names.dropFirst().dropLast().map(\.faults).filter { scenario.faults.contains($0) }
        if !kinds.isEmpty {
            for _ in 0..<scenario.faultCount {
                guard let kind = kinds.randomElement(using: &seed) else { continue }
                plan(kind, at: time + UInt64.random(in: 0..<max(1, scenario.faultTime), using: &seed))
            }
            time += scenario.faultTime
        }
        schedule(.phase(.repair), after: time)
        if !kinds.isEmpty { time += scenario.settleTime }
        schedule(.phase(.recovered), after: time)
        time += scenario.calmTime
        schedule(.phase(.quiet), after: time)
        time += WholeNetwork.quietTime
        schedule(.phase(.idle), after: time)
        schedule(.phase(.drain), after: time + 1)
        schedule(.phase(.end), after: time + 1 + WholeNetwork.drainTime)
    }

    private mutating func plan(_ kind: Faults, at time: UInt64) {
        guard !links.isEmpty else { return }
        let link = Int.random(in: 0..<links.count, using: &seed)
        let node = Int.random(in: 0..<max(1, scenario.nodes), using: &seed)
        switch kind {
        case .loss:
            let loss = UInt64.random(in: 0...400, using: &seed)
            let duplication = UInt64.random(in: 0...200, using: &seed)
            schedule(.loss(link: link, perMille: loss, duplication: duplication), after: time)
        case .delay:
            if Bool.random(using: &seed) {
                schedule(.jitter(link: link, milliseconds: UInt64.random(in: 0...400, using: &seed)), after: time)
            } else {
                let control = Bool.random(using: &seed)
                let pause = UInt64.random(in: 1...700, using: &seed)
                schedule(.stall(node: node, control: control, milliseconds: pause), after: time)
            }
        case .cuts:
            schedule(.cut(link: link), after: time)
            schedule(.heal(link: link), after: time + UInt64.random(in: 50...12_000, using: &seed))
        case .partitions:
            let border = Int.random(in: 1..<max(2, scenario.nodes), using: &seed)
            let heal = time + UInt64.random(in: 500...10_000, using: &seed)
            for (number, link) in links.enumerated() where (link.a < border) != (link.b < border) {
                schedule(.cut(link: number), after: time)
                schedule(.heal(link: number), after: heal)
            }
        case .restarts, .lostState:
            let gently = happens(400)
            schedule(.stop(node: node, gently: gently, losesState: kind == .lostState), after: time)
        default: schedule(.delay(link: link, milliseconds: UInt64.random(in: 1...150, using: &seed)), after: time)
        }
    }

    mutating func handleFault(_ event: WholeEvent) {
        note("\(event)")
        switch event {
        case .cut(let link): links[link].cuts += 1
        case .heal(let link): heal(link)
        case .loss(let link, let perMille, let duplication):
            links[link].loss = perMille
            links[link].duplication = duplication
        case .jitter(let link, let milliseconds): links[link].jitter = milliseconds
        case .delay(let link, let milliseconds): links[link].delay = milliseconds
        case .stall(let node, let control, let milliseconds):
            let until = now.advanced(byMilliseconds: milliseconds)
            if control { nodes[node].controlStalledUntil = until } else { nodes[node].workerStalledUntil = until }
            pump(node)
        case .stop(let node, let gently, let losesState): stop(node, gently: gently, losesState: losesState)
        case .kill(let node, let boot, let losesState):
            guard nodes[node].boot == boot, let machine = nodes[node].machine else { return }
            if nodes[node].controlStalledUntil <= now, nodes[node].workerStalledUntil <= now {
                checkDrained(node, machine)
            }
            kill(node, losesState: losesState)
        case .start(let node): start(node)
        default: break
        }
    }

    private mutating func heal(_ link: Int) {
        // The repair has taken away all cuts.
        guard links[link].cuts > 0 else { return }
        links[link].cuts -= 1
        if !links[link].isCut { releaseStreams(of: link) }
    }

    private mutating func stop(_ node: Int, gently: Bool, losesState: Bool) {
        guard let machine = nodes[node].machine, !nodes[node].isDraining else { return }
        guard gently else { return kill(node, losesState: losesState) }
        nodes[node].isDraining = true
        machine.control.drain(now: now)
        schedule(
            .kill(node: node, boot: nodes[node].boot, losesState: losesState), after: WholeNetwork.drainTime)
        pump(node)
    }

    /// A process ends, and starts again after a while.
    private mutating func kill(_ node: Int, losesState: Bool) {
        // The machine may have lost its power: then nobody is told.
        if !happens(300) { endStreams(of: node) }
        for (pipe, end) in nodes[node].pipes { pipes[pipe].ends[end].connection = nil }
        nodes[node].pipes = []
        nodes[node].machine = nil
        nodes[node].deadline = .distantFuture
        if losesState { nodes[node].state = nil }
        schedule(.start(node: node), after: UInt64.random(in: 20...6_000, using: &seed))
    }

    /// Nothing is wrong any more.
    mutating func repair() {
        repairedAt = now
        for link in links.indices {
            links[link].loss = 0
            links[link].duplication = 0
            links[link].jitter = 0
            if links[link].isCut {
                links[link].cuts = 0
                releaseStreams(of: link)
            }
        }
        for node in nodes.indices {
            nodes[node].controlStalledUntil = .zero
            nodes[node].workerStalledUntil = .zero
            if nodes[node].isDraining { kill(node, losesState: false) }
            start(node)
            pump(node)
        }
    }
}
