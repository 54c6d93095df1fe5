import HyphaBase
import HyphaControl
import HyphaFIB
import HyphaIdentity
import HyphaInterchange
import Testing

@testable import HyphaControl

/// What stands behind the best next hops of the forwarding tables.
@Suite struct AlternateTests {
    /// The next hops of a node for an address, best first.
    private func hops(_ node: SimulatedNode, _ address: IPv6Address) -> [NextHop] {
        guard let snapshot = node.worker.snapshot else { return [] }
        return withExtendedLifetime(snapshot) {
            var chain = [snapshot.fib.view.lookup(address)]
            while chain.count < 6, let next = snapshot.fib.view.alternate(of: chain[chain.count - 1]) {
                chain.append(next)
            }
            return chain
        }
    }

    /// Numbers of the nodes that a node may send to for another, best first.
    private func neighbours(_ network: SimulatedNetwork, _ from: UInt8, _ to: UInt8) -> [Int] {
        let node = network.node(from)
        return hops(node, network.node(to).address).compactMap { hop in
            guard hop.kind == .link, let endpoint = node.worker.linkStates[hop.link]?.endpoint else { return nil }
            return network.nodes.firstIndex { $0.endpoint == endpoint }.map { $0 + 1 }
        }
    }

    @Test func theOtherWayRoundIsThere() {
        let network = SimulatedNetwork.mesh(4, edges: [(1, 2), (1, 3), (2, 4), (3, 4)])
        network.run(seconds: 30)
        #expect(Set(neighbours(network, 1, 4)) == [2, 3])
        #expect(Set(neighbours(network, 2, 3)) == [1, 4])
        // All of them lead to the same key.
        let chain = hops(network.node(1), network.node(4).address)
        #expect(chain.count == 2 && chain[0].peer == chain[1].peer && chain[0].peer != .max)
        // The whole /64 has them too.
        let address = network.node(4).address
        #expect(hops(network.node(1), IPv6Address(high: address.high, low: address.low ^ 1)) == chain)
        // A way that is gone is none.
        network.cut(network.node(1), network.node(3))
        network.run(seconds: 60)
        #expect(neighbours(network, 1, 4) == [2])
    }

    /// A neighbour's own link comes first, and the router's other ways to it stand behind.
    @Test func aNeighbourHasOtherWays() {
        let network = SimulatedNetwork.mesh(4, edges: [(1, 2), (2, 3), (1, 3), (3, 4)])
        let slow = [network.node(1).endpoint, network.node(3).endpoint]
        network.delays = { slow.contains($0) && slow.contains($1) ? 300 : nil }
        network.run(seconds: 30)
        #expect(neighbours(network, 1, 3) == [3, 2])
        #expect(neighbours(network, 1, 2).first == 2)
        #expect(neighbours(network, 4, 3) == [3])
    }

    /// A configured route leads where it is configured to, and nowhere else.
    @Test func aConfiguredRouteStandsAlone() {
        let target = SimulatedNetwork.identity(3).publicKey
        let via = SimulatedNetwork.identity(4).publicKey
        let network = SimulatedNetwork.mesh(4, edges: [(1, 2), (2, 3), (3, 4), (4, 1)]) {
            $0 == 1 ? [ConfiguredRoute(key: target, via: via)] : []
        }
        network.run(seconds: 30)
        #expect(neighbours(network, 1, 3) == [4])
    }

    /// Whatever mixture of best hops and alternates the nodes take, no packet comes back to where it was: in a quiet mesh,
    /// and while ways are lost and come back.
    @Test(arguments: 1...4 as ClosedRange<UInt64>) func noMixtureLoops(seed: UInt64) {
        var random = SeededRandom(seed)
        var edges: [(UInt8, UInt8)] = (1..<8).map { (UInt8($0), UInt8($0 + 1)) }
        for _ in 0..<6 {
            let (a, b) = (UInt8(random.uint32() % 8 + 1), UInt8(random.uint32() % 8 + 1))
            if a != b, !edges.contains(where: { $0 == (a, b) || $0 == (b, a) }) { edges.append((a, b)) }
        }
        let network = SimulatedNetwork.mesh(8, edges: edges, seed: seed)
        network.run(seconds: 20)
        var alternates = 0
        for _ in 0..<4 {
            let edge = edges[Int(random.uint32()) % edges.count]
            network.cut(network.node(edge.0), network.node(edge.1))
            for _ in 0..<20 {
                network.run(seconds: 0.2)
                alternates += check(network, seed: seed)
            }
            network.heal()
            for _ in 0..<20 {
                network.run(seconds: 0.2)
                alternates += check(network, seed: seed)
            }
        }
        #expect(alternates > 100)
    }

    /// Counts hops beside the best.
    private func check(_ network: SimulatedNetwork, seed: UInt64) -> Int {
        var alternates = 0
        for target in 1...UInt8(network.nodes.count) {
            var next: [UInt8: [UInt8]] = [:]
            for node in 1...UInt8(network.nodes.count) where node != target {
                next[node] = neighbours(network, node, target).map { UInt8($0) }
                alternates += max(0, (next[node]?.count ?? 0) - 1)
            }
            // Nodes from which only finished ones can be reached are finished; a loop never is.
            var open = Set(next.keys)
            while let done = open.first(where: { node in (next[node] ?? []).allSatisfy { !open.contains($0) } }) {
                open.remove(done)
            }
            #expect(open.isEmpty, "seed \(seed), to \(target): \(open.sorted().map { ($0, next[$0] ?? []) })")
        }
        return alternates
    }
}
