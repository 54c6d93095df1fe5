import HyphaBase
import HyphaDataplane
import HyphaFIB
import HyphaSession

/// Three workers in a line, A - R - B, over HL1 or TCP, that know each other's keys and routes and have no end-to-end
/// sessions.
struct StockLine {
    let network = TestNetwork(seed: 23)
    let identities: [StockIdentity]
    let a: TestNode
    let r: TestNode
    let b: TestNode
    /// What A and B know each other by.
    let peers: (a: UInt32, b: UInt32)

    init(_ session: SessionPolicy, overTCP: Bool = false) throws {
        let network = network
        identities = try (0..<3).map { _ in try StockIdentity(network) }
        let nodes = try zip(identities, ["A", "R", "B"]).map { identity, name in
            var options = TestNode.Options()
            options.address = identity.address
            options.slots = 256
            options.maxStreams = overTCP ? 4 : 0
            options.stock = identity.configuration(session, prefix: UInt64(name.utf8.first ?? 1))
            return try network.add(name, options)
        }
        (a, r, b) = (nodes[0], nodes[1], nodes[2])
        let (left, right) =
            overTCP
            ? (try network.stream(a, r), try network.stream(r, b))
            : (try network.link(a, r), try network.link(r, b))
        var ids: [[UInt32]] = []
        for (i, node) in nodes.enumerated() {
            ids.append(identities.map { $0.address == node.address ? .max : node.addPeer($0.address, key: $0.key) })
            for (j, other) in identities.enumerated() where i != j {
                let link = [left.a, j == 0 ? left.b : right.a, right.b][i]
                node.route(other.address, NextHop(kind: .link, link: link, peer: ids[i][j]))
            }
        }
        peers = (ids[0][2], ids[2][0])
        network.settle()
        network.forget()
    }

    /// Turns until nothing moves, connections included.
    func settle() {
        for _ in 0..<8 { network.settle() }
    }
}
