import HyphaBase
import HyphaRouting
import HyphaWire

/// What must hold at every moment, and at the end.
extension SimNetwork {
    mutating func violate(_ what: String) {
        outcome.violations.append("\(now.nanoseconds / 1_000_000) ms: \(what)")
    }

    /// No packet can come back: whoever just changed its next hops must not be reachable from them. Counted are only
    /// links on which both ends hold the same session, since others carry nothing.
    ///
    /// An origin that lost its state is two origins for a while; then this holds for each router id by itself.
    /// Hostile nodes do what they like: packets that they pass on are theirs. If they announce a prefix under another
    /// router id than its owner does, it has several origins as well.
    mutating func checkLoop(_ prefix: Int, from start: Int) {
        guard isHonest(start) else { return }
        let first = nodes[start].forwarding[prefix].routerID
        let onlyOneID = owner(of: prefix).map { nodes[$0].hasLostState } ?? false || hasSeveralIDs(prefix)
        search &+= 1
        open.removeAll(keepingCapacity: true)
        open.append(start)
        while let node = open.popLast() {
            let row = nodes[node].forwarding[prefix]
            guard row.routerID != 0, !onlyOneID || row.routerID == first else { continue }
            for hop in [row.hops.0, row.hops.1, row.hops.2, row.hops.3] where hop != SimForwarding.Row.none {
                let link = nodes[node].links[Int(hop)]
                guard isUp(link) else { continue }
                let next = links[link].other(than: node)
                guard isHonest(next) else { continue }
                if next == start { return violate("loop for \(name(of: prefix)) through node \(start)") }
                if visits[next] != search {
                    visits[next] = search
                    open.append(next)
                }
            }
        }
    }

    private func name(of prefix: Int) -> String {
        guard let node = owner(of: prefix) else { return "nobody's prefix \(prefix - prefixCount)" }
        return "node \(node)" + (prefix == node ? "'s /64" : "'s /128")
    }

    /// Everybody reaches everybody: all honest nodes that are connected by honest ones.
    mutating func checkReachability() {
        let parts = honestParts()
        for from in nodes.indices where isHonest(from) {
            for to in nodes.indices where to != from && isHonest(to) && parts[from] == parts[to] {
                var node = from
                var steps = 0
                while node != to, steps <= nodes.count, let link = link(from: node, towards: to), isUp(link) {
                    node = links[link].other(than: node)
                    steps += 1
                }
                guard node != to else { continue }
                violate("node \(from) does not reach node \(to): ends at \(node)")
                if outcome.violations.count > 20 { return }
            }
        }
    }

    /// Where packets for a node's address leave: by its host route where there is one, else by its /64.
    private func link(from node: Int, towards owner: Int) -> Int? {
        var hop = SimForwarding.Row.none
        if scenario.announcesHostRoutes { hop = nodes[node].forwarding[scenario.nodes + owner].first }
        if hop == SimForwarding.Row.none { hop = nodes[node].forwarding[owner].first }
        return hop == SimForwarding.Row.none ? nil : nodes[node].links[Int(hop)]
    }

    /// Tables are bounded and consistent.
    mutating func audit() {
        for node in nodes.indices where nodes[node].isRunning {
            for problem in nodes[node].router.inconsistencies() { violate("node \(node): \(problem)") }
        }
    }
}
