public import HyphaBase

/// How the nodes of a simulated mesh are linked.
public enum Topology: String, CaseIterable, Sendable {
    case line, ring, star, random

    /// Pairs of nodes with a link between them; the mesh they make is connected.
    public func links(nodes: Int, seed: inout Seed) -> [(Int, Int)] {
        guard nodes > 1 else { return [] }
        switch self {
        case .line: return (1..<nodes).map { ($0 - 1, $0) }
        case .ring: return (1..<nodes).map { ($0 - 1, $0) } + (nodes > 2 ? [(nodes - 1, 0)] : [])
        case .star: return (1..<nodes).map { (0, $0) }
        case .random:
            // A random tree, then as many links again between random pairs.
            var links = (1..<nodes).map { (Int.random(in: 0..<$0, using: &seed), $0) }
            var attempts = 0
            while links.count < 2 * nodes, attempts < 20 * nodes {
                attempts += 1
                let a = Int.random(in: 0..<nodes, using: &seed)
                let b = Int.random(in: 0..<nodes, using: &seed)
                let pair = (min(a, b), max(a, b))
                if a != b, !links.contains(where: { $0 == pair }) { links.append(pair) }
            }
            return links
        }
    }
}
