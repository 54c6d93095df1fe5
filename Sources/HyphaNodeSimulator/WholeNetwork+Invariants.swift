import HyphaBase
import HyphaControl
import HyphaDataplane
import HyphaIdentity
import HyphaPacket

/// What must hold.
extension WholeNetwork {
    /// Slabs that a worker keeps between turns: for frames and for pieces.
    private static let ownSlabs = 2

    /// Packets have to arrive from now on.
    mutating func beginCalm() {
        isCalm = true
        calmTimes.append((from: now, until: .distantFuture))
        for node in nodes {
            if let machine = node.machine { machine.hopLimitBefore = machine.counters[.hopLimit] }
        }
        breakSomething()
    }

    /// What is under way now, and what is sent from now on, may be lost.
    mutating func endCalm() {
        guard isCalm, let last = calmTimes.indices.last else { return }
        isCalm = false
        let answered = now.nanoseconds &- WholeNetwork.answerTime &* 1_000_000
        calmTimes[last].until = isRecovered ? now : Instant(nanoseconds: answered)
    }

    /// After every turn of a worker.
    mutating func checkConservation(_ node: Int, _ machine: WholeMachine) {
        let counters = machine.counters
        if !machine.isConserved {
            violation(
                "node \(node) does not conserve packets: in \(counters[.received]) + \(counters[.injected]), out "
                    + "\(counters[.sent]) + \(counters[.delivered]) + \(counters[.punted]) + \(counters.dropped), "
                    + "waiting \(machine.worker.waiting + machine.io.inFlight)")
        }
        if isCalm, counters[.hopLimit] > machine.hopLimitBefore {
            machine.hopLimitBefore = counters[.hopLimit]
            violation("a packet ran out of hops at node \(node)")
        }
    }

    /// Whenever a node comes to rest: every buffer is somebody's.
    mutating func checkRest(_ node: Int, _ machine: WholeMachine) {
        // A connection may have half a frame.
        let connections = nodes[node].pipes.count
        let slots = machine.worker.waiting + connections
        if machine.slotsInUse > slots {
            violation("node \(node) holds \(machine.slotsInUse) slots for \(slots) packets and streams")
        }
        let slabs = WholeNetwork.ownSlabs + connections
        if machine.slabsInUse > slabs { violation("node \(node) holds \(machine.slabsInUse) slabs at rest") }
        if machine.worker.waiting > 0, machine.worker.nextDeadline == .distantFuture {
            violation("at node \(node) something waits and nothing is due")
        }
    }

    /// Nothing is under way any more.
    mutating func checkIdle() {
        for (number, node) in nodes.enumerated() {
            guard let machine = node.machine else {
                violation("node \(number) is not there")
                continue
            }
            if machine.worker.waiting > 0 { violation("\(machine.worker.waiting) packets wait at idle node \(number)") }
            if machine.slotsInUse > 0 { violation("idle node \(number) holds \(machine.slotsInUse) slots") }
            if machine.slabsInUse > WholeNetwork.ownSlabs {
                violation("idle node \(number) holds \(machine.slabsInUse) slabs")
            }
        }
    }

    mutating func drainAll() {
        for node in nodes.indices {
            nodes[node].isDraining = true
            nodes[node].machine?.control.drain(now: now)
            pump(node)
        }
    }

    /// Nodes that were told to stop some time ago.
    mutating func checkDrained() {
        for node in nodes.indices {
            guard let machine = nodes[node].machine else { continue }
            checkDrained(node, machine)
        }
    }

    mutating func checkDrained(_ node: Int, _ machine: WholeMachine) {
        if !machine.control.isDrained || !machine.worker.isDrained { violation("node \(node) does not drain") }
        if machine.worker.waiting > 0 || machine.slotsInUse > 0 || machine.slabsInUse > WholeNetwork.ownSlabs {
            violation(
                "drained node \(node) holds \(machine.slotsInUse) slots, \(machine.slabsInUse) slabs, "
                    + "\(machine.worker.waiting) packets")
        }
    }

    // MARK: Mutants

    private mutating func breakSomething() {
        guard let mutant = scenario.mutant, !mutantIsDone, let machine = nodes.first?.machine else { return }
        switch mutant {
        case .lostPacket: machine.counters.add(.received)
        case .lostSlot: _ = machine.pool.takeSlot()
        case .lostSlab: for _ in 0..<3 { _ = machine.pool.takeSlab() }
        case .twice, .corrupted, .misdirected, .loop, .blackHole: return
        }
        mutantIsDone = true
    }

    /// Two neighbours are told to reach a third node through each other. Only where they are HL1 neighbours, and there is
    /// a third.
    mutating func makeLoop() {
        guard let link = links.first(where: { !$0.isStream }),
            let third = nodes.indices.first(where: {
                $0 != link.a && $0 != link.b && linksBetween[pair($0, link.a)] == nil
                    && linksBetween[pair($0, link.b)] == nil
            }) ?? nodes.indices.first(where: { $0 != link.a && $0 != link.b })
        else { return }
        for (from, to) in [(link.a, link.b), (link.b, link.a)] {
            nodes[from].configuration.routes.append(
                ConfiguredRoute(key: nodes[third].identity.publicKey, via: nodes[to].identity.publicKey))
        }
    }
}
