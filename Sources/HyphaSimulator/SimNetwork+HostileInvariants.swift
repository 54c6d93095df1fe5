import HyphaBase
import HyphaRouting
import HyphaWire

/// What must hold among honest nodes while and after others are hostile.
extension SimNetwork {
    private static let several = UInt32.max

    /// Notes that an honest node has a route to a prefix under a router id.
    mutating func note(_ routerID: UInt32, of prefix: Int) {
        let known = routerIDOfPrefix[prefix]
        if known == 0 {
            routerIDOfPrefix[prefix] = routerID
        } else if known != routerID {
            routerIDOfPrefix[prefix] = SimNetwork.several
        }
    }

    /// Whether honest nodes had routes to a prefix under more than one router id.
    func hasSeveralIDs(_ prefix: Int) -> Bool { routerIDOfPrefix[prefix] == SimNetwork.several }

    /// Notes whether a node has a route to a prefix that belongs to no honest node.
    mutating func noteStranger(_ change: RouteChange, at node: Int) {
        if let prefix = number(of: change.prefix), let owner = owner(of: prefix), isHonest(owner) { return }
        if case .reachable = change.outcome {
            nodes[node].strangers.insert(change.prefix)
        } else {
            nodes[node].strangers.remove(change.prefix)
        }
    }

    /// In the end nobody forwards to nobody.
    mutating func checkStrangers() {
        for node in nodes.indices where isHonest(node) && !nodes[node].strangers.isEmpty {
            violate("node \(node) still has \(nodes[node].strangers.count) routes to nobody")
        }
    }

    /// By node: the number of the part of the mesh, without hostile nodes, in which it is.
    func honestParts() -> [Int] {
        var parts = Array(nodes.indices)
        var changed = true
        while changed {
            changed = false
            for link in links where isHonest(link.a) && isHonest(link.b) && parts[link.a] != parts[link.b] {
                let lowest = min(parts[link.a], parts[link.b])
                parts[link.a] = lowest
                parts[link.b] = lowest
                changed = true
            }
        }
        return parts
    }

    /// No table of a node is above its limit, and every entry that came was counted once.
    mutating func checkBounds(of node: Int) {
        for problem in nodes[node].excesses(scenario.limits) { violate("node \(node): \(problem)") }
    }
}
