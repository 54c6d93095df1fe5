import HyphaBase
import StockModel
import TestVectors

/// Models in a row, each linked with the next, without delay.
struct Chain {
    private struct Wire {
        let ends: [(node: Int, link: Int)]
    }

    var nodes: [StockRouterModel] = []
    var now: UInt64 = 1_000
    private var wires: [Wire] = []

    init(_ count: Int, linked: Bool) throws {
        for entry in try Vectors.load("addresses.json")["keys"].array().prefix(count) {
            guard let identity = StockIdentity(secret: try entry["secret_key"].bytes(), random: [1, 2, 3, 4, 5, 6])
            else {
                throw JSON.Missing()
            }
            nodes.append(StockRouterModel(identity: identity, nonceSeed: UInt64(nodes.count), now: now))
        }
        if linked {
            for i in 1..<count { link(i - 1, i) }
        }
    }

    func address(_ i: Int) -> IPv6Address { nodes[i].identity.address }

    mutating func link(_ a: Int, _ b: Int) {
        let ends = [(a, b), (b, a)].map { (here, there) in
            (node: here, link: nodes[here].connect("to \(there)", isIPv4: true, now: now))
        }
        wires.append(Wire(ends: ends))
        settle()
    }

    mutating func cut(_ a: Int, _ b: Int) {
        wires.removeAll { wire in
            guard wire.ends.map(\.node) == [a, b] else { return false }
            for end in wire.ends { nodes[end.node].disconnect(end.link, now: now) }
            return true
        }
        settle()
    }

    /// Carries bytes until nobody has any.
    mutating func settle() {
        var isBusy = true
        while isBusy {
            isBusy = false
            for wire in wires {
                for (from, to) in [(wire.ends[0], wire.ends[1]), (wire.ends[1], wire.ends[0])] {
                    let bytes = nodes[from.node].takeOutput(from.link)
                    guard !bytes.isEmpty else { continue }
                    isBusy = true
                    nodes[to.node].receive(bytes, from: to.link, now: now)
                }
            }
        }
    }

    mutating func pass(_ milliseconds: UInt64) {
        let end = now + milliseconds
        while now < end {
            now = min(now + 50, end)
            for i in nodes.indices { nodes[i].advance(to: now) }
            settle()
        }
    }
}
