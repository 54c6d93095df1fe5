import HyphaBase
import HyphaControl
import HyphaIdentity
import Testing

/// Random faults for a while, then none: no command that makes no sense on the way (every step checks that), and soon
/// after everything works.
@Suite struct SwarmTests {
    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func heals(seed: UInt64) {
        let network = SimulatedNetwork(seed: seed)
        var chance = Seed(seed &* 31)
        let key = { (number: UInt8) in SimulatedNetwork.identity(number).publicKey }
        let routes = { (others: [UInt8]) in others.map { ConfiguredRoute(key: key($0), via: key(2)) } }
        // 2 is the hub; 4 and the hub dial each other.
        let hub = network.addNode(2, dialling([4]))
        let leaves = [
            network.addNode(1, dialling([2], routes: routes([3, 4]))),
            network.addNode(3, dialling([2], routes: routes([1, 4]))),
            network.addNode(4, dialling([2], routes: routes([1, 3]))),
        ]
        let all = [hub] + leaves
        func send() {
            for a in leaves {
                for b in leaves where a !== b && a.isRunning {
                    network.act(on: a) { node, now in node.worker.sendFromHost(to: b.address, now: now) }
                }
            }
        }
        for _ in 0..<100 {
            network.loss = [0, 0, 10, 40][Int(chance.next() % 4)]
            network.duplication = [0, 30][Int(chance.next() % 2)]
            network.delay = [1...1, 10...40, 1...600][Int(chance.next() % 3)]
            let node = all[Int(chance.next() % UInt64(all.count))]
            switch chance.next() % 8 {
            case 0: network.restart(node)
            case 1: node.isRunning = false
            case 2:
                let cut = node.endpoint
                network.cuts = { from, _ in from == cut }
            case 3: node.clockOffset = Int64(chance.next() % 7_200) - 3_600
            default:
                for node in all where !node.isRunning { network.restart(node) }
                network.cuts = { _, _ in false }
            }
            if chance.next() % 2 == 0 { send() }
            network.run(seconds: Double(chance.next() % 30) / 10)
        }
        network.loss = 0
        network.duplication = 0
        network.delay = 10...10
        network.cuts = { _, _ in false }
        for node in all where !node.isRunning { network.restart(node) }
        let isWhole = { leaves.allSatisfy { agree($0, hub) } }
        #expect(network.run(seconds: 10, until: isWhole))
        // Data flows between all pairs within a few seconds.
        let start = leaves.map { $0.worker.received.count }
        for _ in 0..<10 {
            send()
            network.run(seconds: 1)
        }
        for (i, leaf) in leaves.enumerated() {
            let fresh = Set(leaf.worker.received.dropFirst(start[i]))
            #expect(fresh == Set(leaves.filter { $0 !== leaf }.map(\.address)))
        }
        for node in all {
            #expect(node.loop.counters.link.refusedSlots == 0 && node.loop.counters.flow.refusedSlots == 0)
            #expect(node.linkStatus.count <= 3)
        }
        // Left alone, nothing is renewed but by age.
        let before = all.map { $0.loop.counters.link.initSent }
        network.run(seconds: 60)
        #expect(isWhole())
        for (i, node) in all.enumerated() { #expect(node.loop.counters.link.initSent <= before[i] + 3) }
    }

    @Test func theSameSeedGivesTheSameRun() {
        func trace() -> [[UInt8]] {
            let (network, _, hub) = makePair(seed: 12)
            network.loss = 20
            network.delay = 1...50
            network.run(seconds: 30)
            network.restart(hub)
            network.run(seconds: 100)
            return network.sent.map(\.bytes)
        }
        let first = trace()
        #expect(first.count > 100 && first == trace())
    }
}
