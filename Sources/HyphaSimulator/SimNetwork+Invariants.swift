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
    mutating func checkLoop(_ prefix: Prefix, from start: Int) {
        guard let first = nodes[start].forwarding[prefix] else { return }
        let origin = SimNode.number(of: prefix)
        let onlyOneID = !nodes.indices.contains(origin) || nodes[origin].hasLostState
        var visited = [Bool](repeating: false, count: nodes.count)
        var open = [start]
        while let node = open.popLast() {
            guard let forwarding = nodes[node].forwarding[prefix],
                !onlyOneID || forwarding.routerID == first.routerID
            else { continue }
            for hop in forwarding.nextHops {
                let link = Int(hop.value)
                let next = links[link].other(than: node)
                let session = nodes[node].sessions[link]
                guard session != 0, session == nodes[next].sessions[link] else { continue }
                if next == start { return violate("loop for \(prefix) through node \(start)") }
                if !visited[next] {
                    visited[next] = true
                    open.append(next)
                }
            }
        }
    }

    /// Everybody reaches everybody.
    mutating func checkReachability() {
        for from in nodes.indices {
            for to in nodes.indices where to != from {
                var node = from
                var steps = 0
                while node != to, steps <= nodes.count,
                    let hop = nodes[node].forwarding[SimNode.prefix(of: to)]?.nextHops.first
                {
                    node = links[Int(hop.value)].other(than: node)
                    steps += 1
                }
                if node != to { violate("node \(from) does not reach node \(to): ends at \(node)") }
            }
        }
    }

    /// Tables are bounded and consistent.
    mutating func audit() {
        for node in nodes.indices where nodes[node].isRunning {
            for problem in nodes[node].router.inconsistencies() { violate("node \(node): \(problem)") }
        }
    }
}
