import HyphaBase
import HyphaWire
import Testing

@testable import HyphaRouting
@testable import HyphaSimulator

/// A ring whose nodes are linked by streams, and packets between two of them that find a route only if somebody asks.
private struct Ring {
    var network: SimNetwork
    let far: Int

    init(nodes: Int, seed: UInt64, links: Scenario.Links) {
        var scenario = Scenario(nodes: nodes, topology: .ring, faults: [], seed: seed)
        scenario.links = links
        scenario.settleTime = 10_000_000
        network = SimNetwork(scenario)
        far = nodes / 2
        for node in network.nodes.indices { network.drain(node) }
        for link in network.links.indices { network.connect(link) }
    }

    mutating func run(milliseconds: UInt64, asking: Bool = true) {
        let end = network.now.advanced(byMilliseconds: milliseconds)
        network.schedule(.loss(0, perMille: 0), after: milliseconds)
        while network.now < end, let (time, event) = network.events.popFirst() {
            network.now = max(network.now, time)
            network.handle(event)
        }
        guard asking else { return }
        for (from, to) in [(0, far), (far, 0)] where !reaches(from, to) {
            _ = network.nodes[from].router.query(SimNode.prefix(of: to).address, now: network.now)
            network.drain(from)
        }
    }

    func reaches(_ from: Int, _ to: Int) -> Bool {
        var node = from
        for _ in network.nodes where node != to {
            let hop = network.nodes[node].forwarding[to].first
            guard hop != SimForwarding.Row.none else { return false }
            let link = network.nodes[node].links[Int(hop)]
            guard network.isUp(link) else { return false }
            node = network.links[link].other(than: node)
        }
        return node == to
    }

    mutating func kill(_ node: Int) {
        network.nodes[node].isRunning = false
        network.forget(node)
        for (number, link) in network.nodes[node].links.enumerated() {
            network.nodes[node].sessions[number] = 0
            let other = network.links[link].other(than: node)
            network.schedule(
                .notice(link: link, node: other, session: network.session(link, at: other)),
                after: network.links[link].delay)
        }
    }

    /// How long one of both directions is without a path, in milliseconds, when a relay is killed `delay` milliseconds after
    /// the one on the other way came back. One of the links of that one is made `later` than the other.
    mutating func outage(after delay: UInt64, later: UInt64 = 0, isFirstLate: Bool = false) -> UInt64 {
        for _ in 0..<250 { run(milliseconds: 100) }
        // The relay in use goes second.
        let last = network.nodes.count - 1
        let isLastUsed = network.nodes[0].forwarding[far].first != 0
        let (first, second) = isLastUsed ? (1, last) : (last, 1)
        kill(first)
        for _ in 0..<30 { run(milliseconds: 100) }
        let late = network.nodes[first].links[isFirstLate ? 0 : 1]
        if later > 0 { network.links[late].isCut = true }
        network.start(first)
        if later > 0 { network.schedule(.heal(late), after: later) }
        for _ in 0..<(delay / 10) { run(milliseconds: 10) }
        kill(second)
        let killed = network.now
        repeat { run(milliseconds: 10) } while !(reaches(0, far) && reaches(far, 0)) && outage(since: killed) < 30_000
        return outage(since: killed)
    }

    private func outage(since moment: Instant) -> UInt64 { network.now.milliseconds(since: moment) }
}

/// What is left is often infeasible, and the origin is asked for a newer seqno before the way to it is there: the request that
/// gets nowhere must not stand in the way of the one that would.
@Test(arguments: [Scenario.Links.stock, .hypha], [0, 100] as [UInt64])
func aRelayThatJustCameBackTakesOver(links: Scenario.Links, delay: UInt64) {
    for nodes in 4...6 {
        for seed in 1...5 as ClosedRange<UInt64> {
            var ring = Ring(nodes: nodes, seed: seed, links: links)
            let outage = ring.outage(after: delay)
            #expect(outage <= 1_000, "\(nodes) nodes, seed \(seed)")
        }
    }
}

/// Over streams nobody tells what it knew before the link was there, and who lost a prefix a moment ago passes on no questions.
@Test(arguments: [Scenario.Links.stock, .mixed], [false, true])
func aRelayWhoseLinksComeOneAfterTheOtherTakesOver(links: Scenario.Links, isFirstLate: Bool) {
    for nodes in 5...7 {
        for seed in 1...5 as ClosedRange<UInt64> {
            var ring = Ring(nodes: nodes, seed: seed, links: links)
            let outage = ring.outage(after: 200, later: 500, isFirstLate: isFirstLate)
            #expect(outage <= 1_300, "\(nodes) nodes, seed \(seed)")
        }
    }
}
