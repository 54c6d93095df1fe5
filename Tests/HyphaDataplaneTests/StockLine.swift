import HyphaBase
import HyphaDataplane
import HyphaFIB
import HyphaSession

/// Three workers in a line, A - R - B, that know each other's keys and routes and have no end-to-end sessions.
struct StockLine {
    let network = TestNetwork(seed: 23)
    let identities: [StockIdentity]
    let a: TestNode
    let r: TestNode
    let b: TestNode

    init(_ session: SessionPolicy) throws {
        let network = network
        identities = try (0..<3).map { _ in try StockIdentity(network) }
        let nodes = try zip(identities, ["A", "R", "B"]).map { identity, name in
            var options = TestNode.Options()
            options.address = identity.address
            options.stock = identity.configuration(session, prefix: UInt64(name.utf8.first ?? 1))
            return try network.add(name, options)
        }
        (a, r, b) = (nodes[0], nodes[1], nodes[2])
        let (left, right) = (try network.link(a, r), try network.link(r, b))
        for (i, node) in nodes.enumerated() {
            for (j, other) in identities.enumerated() where i != j {
                let id = node.addPeer(other.address, key: other.key)
                let link = [left.a, j == 0 ? left.b : right.a, right.b][i]
                node.route(other.address, NextHop(kind: .link, link: link, peer: id))
            }
        }
        network.settle()
        network.forget()
    }
}
