public import HyphaBase

/// How the nodes of a simulated mesh are linked.
public enum Topology: String, CaseIterable, Sendable {
    case line, ring, star, random
    /// A ring in which everybody also knows the second next, and every tenth link leads anywhere.
    case smallWorld = "small-world"
    /// A few hubs that all know each other; the rest are leaves with two hubs each.
    case publicPeers = "public-peers"

    /// Between two nodes; the delay is one way, in milliseconds.
    public struct Link: Hashable, Sendable {
        public var a: Int
        public var b: Int
        public var delay: ClosedRange<UInt64>

        init(_ a: Int, _ b: Int, delay: ClosedRange<UInt64> = 1...50) {
            self.a = a
            self.b = b
            self.delay = delay
        }
    }

    /// Nodes that are there for others, from number 0 on; the rest are leaves. None where all nodes are alike.
    public func hubs(nodes: Int) -> Int {
        switch self {
        case .star: 1
        case .publicPeers: min(10, max(2, nodes / 3))
        default: 0
        }
    }

    /// Links of a connected mesh, each pair of nodes at most once.
    public func links(nodes: Int, seed: inout Seed) -> [Link] {
        guard nodes > 1 else { return [] }
        switch self {
        case .line: return (1..<nodes).map { Link($0 - 1, $0) }
        case .ring: return (1..<nodes).map { Link($0 - 1, $0) } + (nodes > 2 ? [Link(nodes - 1, 0)] : [])
        case .star: return (1..<nodes).map { Link(0, $0) }
        case .random:
            // A random tree, then as many links again between random pairs.
            var links = (1..<nodes).map { Link(Int.random(in: 0..<$0, using: &seed), $0) }
            Topology.add(nodes, to: &links, nodes: nodes, seed: &seed)
            return links
        case .smallWorld:
            var links = (1..<nodes).map { Link($0 - 1, $0) } + (nodes > 2 ? [Link(nodes - 1, 0)] : [])
            let shortcuts = nodes > 4 ? max(1, nodes / 5) : 0
            if nodes > 4 { links += (0..<nodes - shortcuts).map { Link($0, ($0 + 2) % nodes) } }
            Topology.add(shortcuts, to: &links, nodes: nodes, seed: &seed)
            return links
        case .publicPeers:
            let hubs = min(nodes, hubs(nodes: nodes))
            var links: [Link] = []
            for a in 0..<hubs { for b in 0..<a { links.append(Link(b, a, delay: 2...75)) } }
            for leaf in hubs..<nodes {
                let first = Int.random(in: 0..<hubs, using: &seed)
                let second = (first + Int.random(in: 1..<hubs, using: &seed)) % hubs
                links += [Link(first, leaf), Link(second, leaf)]
            }
            return links
        }
    }

    /// Adds `count` links between random pairs that have none, or fewer where the mesh is nearly full.
    private static func add(_ count: Int, to links: inout [Link], nodes: Int, seed: inout Seed) {
        var pairs = Set(links.map { min($0.a, $0.b) * nodes + max($0.a, $0.b) })
        var wanted = count
        var attempts = 0
        while wanted > 0, attempts < 20 * nodes {
            attempts += 1
            let a = Int.random(in: 0..<nodes, using: &seed)
            let b = Int.random(in: 0..<nodes, using: &seed)
            guard a != b, pairs.insert(min(a, b) * nodes + max(a, b)).inserted else { continue }
            links.append(Link(min(a, b), max(a, b)))
            wanted -= 1
        }
    }
}
