import HyphaBase
import HyphaControl
import HyphaFIB
import HyphaIdentity
import HyphaRouting

/// Nodes that find their ways by routing.
extension SimulatedNetwork {
    /// Nodes 1 to `count`; each edge is dialled by its first end.
    static func mesh(
        _ count: UInt8, edges: [(UInt8, UInt8)], seed: UInt64 = 1,
        routes: @escaping (UInt8) -> [ConfiguredRoute] = { _ in [] }
    ) -> SimulatedNetwork {
        let network = SimulatedNetwork(seed: seed)
        for number in 1...count {
            var configuration = dialling(edges.filter { $0.0 == number }.map(\.1), routes: routes(number))
            configuration.routing = RoutingSettings()
            network.addNode(number, configuration)
        }
        return network
    }

    static func line(_ count: UInt8, seed: UInt64 = 1) -> SimulatedNetwork {
        mesh(count, edges: (1..<count).map { ($0, $0 + 1) }, seed: seed)
    }

    static func ring(_ count: UInt8, seed: UInt64 = 1) -> SimulatedNetwork {
        mesh(count, edges: (1...count).map { ($0, $0 % count + 1) }, seed: seed)
    }

    /// Node 1 is dialled by all others.
    static func star(_ count: UInt8, seed: UInt64 = 1) -> SimulatedNetwork {
        mesh(count, edges: (2...count).map { ($0, 1) }, seed: seed)
    }

    /// The node with a number.
    func node(_ number: UInt8) -> SimulatedNode { nodes[Int(number) - 1] }

    /// Nodes that a packet from `source` passes on its way to `target`, both included, by the forwarding tables of all;
    /// nil when it does not arrive.
    func path(_ source: SimulatedNode, _ target: SimulatedNode) -> [SimulatedNode]? {
        var path = [source]
        while let last = path.last, last !== target {
            let hop = last.worker.lookup(target.address)
            let remote = last.worker.linkStates[hop.link]?.endpoint ?? last.worker.streams.remote(link: hop.link)
            guard hop.kind == .link, let remote,
                let next = nodes.first(where: { $0.endpoint.address == remote.address }), next.isRunning,
                !cuts(last.endpoint, next.endpoint), !path.contains(where: { $0 === next })
            else { return nil }
            // Every node can begin: it knows the key to seal with.
            guard last.worker.peerStates[hop.peer]?.address == target.address else { return nil }
            path.append(next)
        }
        return target.worker.lookup(target.address).kind == .local ? path : nil
    }

    /// Packets between all running nodes arrive.
    var isWhole: Bool {
        let running = nodes.filter(\.isRunning)
        return running.allSatisfy { source in running.allSatisfy { path(source, $0) != nil } }
    }

    /// Datagrams between two nodes get lost, from now on.
    func cut(_ a: SimulatedNode, _ b: SimulatedNode) {
        let (a, b) = (a.endpoint, b.endpoint)
        cuts = { $0 == a && $1 == b || $0 == b && $1 == a }
    }

    /// No datagram gets lost any more.
    func heal() { cuts = { _, _ in false } }
}
