import HyphaBase
import HyphaRouting
import HyphaWire

/// Hostile nodes: which ones, when they act, and that they stop.
extension SimNetwork {
    /// Draws which nodes are hostile: of the scenario's roles, 1 to 20 percent of the nodes. In half of the runs everybody has
    /// little room, in which what they invent does not fit.
    mutating func planHostility() {
        guard !scenario.hostile.isEmpty else { return }
        let share = Int.random(in: 1...20, using: &hostility)
        let count = max(1, nodes.count * share / 100)
        for number in Array(nodes.indices.shuffled(using: &hostility).prefix(count)) {
            let isTwofold = Int.random(in: 0..<4, using: &hostility) == 0
            let roles = (0..<(isTwofold ? 2 : 1)).compactMap { _ in scenario.hostile.randomElement(using: &hostility) }
            nodes[number].hostile = HostileNode(roles: roles, number: number, seed: Seed(hostility.next()))
            schedule(.attack(number), after: UInt64.random(in: 1...SimNetwork.calmTime, using: &hostility))
        }
    }

    /// Room for what the nodes of the mesh say, not for what is invented.
    static func tightLimits(nodes: Int) -> RouterLimits {
        var limits = RouterLimits()
        limits.routes = 25 * nodes
        limits.routesPerNeighbourFloor = 3 * nodes
        limits.sources = 20 * nodes
        limits.openQueries = 4 * nodes
        limits.openQueriesPerNeighbour = 2 * nodes
        limits.openSeqnoRequests = 3 * nodes
        limits.outbox = 50 * nodes
        return limits
    }

    func isHonest(_ node: Int) -> Bool { nodes[node].hostile == nil }

    /// Whether a node was hostile and says nothing any more, in handshakes neither.
    func isSilent(_ node: Int) -> Bool { nodes[node].hostile?.isOver ?? false }

    /// One attack, and the time of the next one.
    mutating func attack(_ node: Int) {
        guard nodes[node].hostile?.isOver == false else { return }
        schedule(.attack(node), after: UInt64.random(in: HostileNode.pauses, using: &hostility))
        guard nodes[node].isRunning else { return }
        let neighbours = nodes[node].links.count
        send(nodes[node].hostile?.act(neighbours: neighbours) ?? [], from: node)
    }

    /// They stop: some cut their links, the others just say nothing any more. Nobody gets a new session with them.
    mutating func endHostility() {
        for node in nodes.indices where !isHonest(node) {
            nodes[node].hostile?.end()
            guard nodes[node].hostile?.leaves == true else { continue }
            for link in nodes[node].links where !links[link].isCut {
                links[link].isCut = true
                noticeLoss(of: link)
            }
        }
    }
}
