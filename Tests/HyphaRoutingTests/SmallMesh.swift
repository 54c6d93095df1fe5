import HyphaBase
import HyphaRouting
import HyphaWire

/// A few routers on datagram links, in virtual time, and strangers beside them that say what a test wants.
///
/// Nodes and strangers have numbers; a node knows its neighbours by theirs.
struct SmallMesh {
    private struct Message {
        var at: Instant
        var from: UInt16
        var to: UInt16
        var tlv: BabelTLV
    }

    let nodes: [UInt16]
    var rigs: [UInt16: RouterRig] = [:]
    /// Where each node forwards each prefix.
    private var nextHops: [UInt16: [Prefix: [UInt16]]] = [:]
    private var flying: [Message] = []
    /// From and to whom no Update arrives.
    private var deaf: [(UInt16, UInt16)] = []
    /// Prefixes for which packets went round at any moment.
    private(set) var looped: [Prefix] = []

    init(
        nodes: [UInt16], links: [(UInt16, UInt16)], strangers: [(UInt16, UInt16)] = [],
        configure: (inout RouterConfiguration) -> Void = { _ in }, mutant: RouterMutant? = nil
    ) {
        self.nodes = nodes
        for node in nodes {
            var rig = RouterRig(seed: UInt64(node)) { configuration in
                configuration.key = RouterRig.key(node)
                configure(&configuration)
            }
            rig.router.mutant = mutant
            rigs[node] = rig
        }
        for (a, b) in links { connect(a, b) }
        for (stranger, node) in strangers { rigs[node]?.up(stranger, .hypha, key: RouterRig.key(stranger)) }
        run(milliseconds: 3_000)
    }

    mutating func connect(_ a: UInt16, _ b: UInt16) {
        rigs[a]?.up(b, .hypha, key: RouterRig.key(b))
        rigs[b]?.up(a, .hypha, key: RouterRig.key(a))
    }

    /// Updates get lost in this direction, nothing else does.
    mutating func loseUpdates(from a: UInt16, to b: UInt16) { deaf.append((a, b)) }

    mutating func loseNothing() { deaf = [] }

    /// What a stranger says.
    mutating func say(_ tlv: BabelTLV, from stranger: UInt16, to node: UInt16) {
        rigs[node]?.receive(tlv, from: stranger)
        collect(node)
    }

    /// A link of a node goes down; only that end notices.
    mutating func down(_ neighbour: UInt16, at node: UInt16) {
        guard let now = rigs[node]?.now else { return }
        rigs[node]?.router.neighbourDown(NeighbourID(neighbour), now: now)
        collect(node)
    }

    /// Time passes for all. Strangers say Hello, so that nobody takes them for dead.
    mutating func run(milliseconds: UInt64) {
        for step in 0..<milliseconds / 5 {
            for node in nodes {
                rigs[node]?.pass(milliseconds: 5)
                collect(node)
            }
            guard let now = rigs[nodes[0]]?.now else { return }
            let landing = flying.filter { $0.at <= now }
            flying.removeAll { $0.at <= now }
            for message in landing {
                rigs[message.to]?.receive(message.tlv, from: message.from)
                collect(message.to)
            }
            guard step % 600 == 0 else { continue }
            for node in nodes {
                for stranger in 900..<910 as Range<UInt16> {
                    say(.hello(.init(seqno: 0, interval: 400)), from: stranger, to: node)
                }
            }
        }
    }

    func nextHops(_ node: UInt16, _ prefix: Prefix) -> [UInt16] { nextHops[node]?[prefix] ?? [] }

    private mutating func collect(_ node: UInt16) {
        guard let actions = rigs[node]?.taken(), let now = rigs[node]?.now else { return }
        for action in actions {
            switch action {
            case .send(let tlv, let id):
                var isLost = false
                if case .update = tlv { isLost = deaf.contains { $0 == (node, id.value) } }
                guard nodes.contains(id.value), !isLost else { continue }
                flying.append(Message(at: now.advanced(byMilliseconds: 10), from: node, to: id.value, tlv: tlv))
            case .routeChanged(let change):
                var hops: [UInt16] = []
                if case .reachable(_, let all) = change.outcome { hops = all.map(\.neighbour.value) }
                nextHops[node, default: [:]][change.prefix] = hops
                if comesBack(to: node, change.prefix) { looped.append(change.prefix) }
            default: break
            }
        }
    }

    private func comesBack(to start: UInt16, _ prefix: Prefix) -> Bool {
        var open = nextHops(start, prefix)
        var seen: Set<UInt16> = []
        while let node = open.popLast() {
            if node == start { return true }
            if seen.insert(node).inserted { open += nextHops(node, prefix) }
        }
        return false
    }
}
