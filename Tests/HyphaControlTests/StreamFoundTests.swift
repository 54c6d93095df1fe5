import HyphaBase
import HyphaControl
import HyphaFIB
import HyphaInterchange
import Testing

/// One link with a node of the local network is enough.
@Suite struct StreamFoundTests {
    private func local(_ number: Int, port: UInt16 = 9_651) -> SocketAddress {
        SocketAddress(address: IPv6Address(high: 0xFE80 << 48, low: UInt64(number)), port: port, scope: 3)
    }

    /// Two nodes; `1` dials `2` over HL1.
    private func pair(seed: UInt64) -> (SimulatedNetwork, SimulatedNode, SimulatedNode) {
        let network = SimulatedNetwork(seed: seed)
        let a = network.addNode(1, streaming([], hl1: [2]))
        let b = network.addNode(2, streaming([]))
        return (network, a, b)
    }

    private func state(_ node: SimulatedNode, _ network: SimulatedNetwork) -> [StreamStatus.State] {
        node.loop.status(now: network.now).streams.map(\.state)
    }

    private func find(_ network: SimulatedNetwork, _ node: SimulatedNode, _ other: SimulatedNode) {
        network.act(on: node) { $0.loop.discovered(endpoint: other.endpoint, key: other.key, now: $1) }
    }

    @Test(arguments: 1...5 as ClosedRange<UInt64>)
    func aNeighbourOverHL1IsNotDialled(seed: UInt64) {
        let (network, a, b) = pair(seed: seed)
        network.run(seconds: 2)
        find(network, a, b)
        find(network, b, a)
        network.run(seconds: 20)
        #expect(state(a, network) == [.standby] && state(b, network) == [.standby])
        #expect(network.pipes.isEmpty && a.loop.dials(b.endpoint))
        // UDP does not get through any more: one of them dials, and traffic goes by TCP.
        network.drops = { _ in true }
        #expect(network.run(seconds: 5, until: { !network.pipes.isEmpty }))
        #expect(network.run(seconds: 5) { a.worker.lookup(b.address).link >= 16 })
        // A while after it is back TCP is closed in order, and by nobody dialled again.
        network.drops = { _ in false }
        #expect(network.run(seconds: 40) { a.worker.lookup(b.address).link < 16 })
        #expect(network.run(seconds: 30) { a.worker.streams.remotes.isEmpty && b.worker.streams.remotes.isEmpty })
        let dialled = network.pipes.count
        network.run(seconds: 60)
        #expect(network.pipes.count == dialled && a.worker.lookup(b.address).link < 16)
        #expect(a.loop.counters.streamsSpared + b.loop.counters.streamsSpared == UInt64(dialled))
        let closes = (a.worker.commands(.closeStream) + b.worker.commands(.closeStream)).map(\.value)
        #expect(closes.count == dialled && closes.allSatisfy { $0 == 0 })
    }

    @Test func aConnectionFromBeforeEndsWhenHL1HasLasted() throws {
        let (network, a, b) = pair(seed: 7)
        network.drops = { _ in true }
        find(network, a, b)
        network.run(seconds: 5)
        #expect(state(a, network) == [.up] && a.worker.lookup(b.address).link >= 16)
        // HL1 comes for too short a time: nothing changes.
        network.drops = { _ in false }
        #expect(network.run(seconds: 60) { a.loop.status(now: network.now).links.first?.state == .up })
        network.run(seconds: 8)
        network.drops = { _ in true }
        network.run(seconds: 30)
        #expect(state(a, network) == [.up] && a.loop.counters.streamsSpared == 0)
        // It stays: no packet is without a way meanwhile.
        network.drops = { _ in false }
        var isOut = false
        _ = network.run(seconds: 120) {
            isOut = isOut || a.worker.lookup(b.address).kind != .link || b.worker.lookup(a.address).kind != .link
            return a.worker.streams.remotes.isEmpty && b.worker.streams.remotes.isEmpty
        }
        #expect(a.loop.counters.streamsSpared == 1 && !isOut)
        network.run(seconds: 5)
        #expect(state(a, network) == [.standby] && a.worker.lookup(b.address).link < 16)
        #expect(a.log.contains { $0.contains("closed: there is an HL1 link with the same node") })
    }

    @Test func configuredConnectionsStay() {
        let network = SimulatedNetwork(seed: 3)
        let a = network.addNode(1, streaming([2], hl1: [2]))
        network.addNode(2, streaming([]))
        network.run(seconds: 60)
        #expect(state(a, network) == [.up] && a.loop.counters.streamsSpared == 0)
    }

    @Test func aNeighbourOverTCPIsNotDialledElsewhere() {
        let rig = StreamRig(streaming([]))
        rig.found(local(7), as: 5)
        let dial = rig.takeDials()
        rig.opened(0, dial: dial.first?.number ?? 0, from: local(7))
        rig.introduce(0, as: 5)
        // The same node on another interface.
        rig.found(local(8), as: 5)
        rig.run(milliseconds: 30_000)
        #expect(rig.takeDials().isEmpty && rig.streams.map(\.state) == [.up, .standby])
        // The first connection ends: one dial to each place, and the second one is enough.
        rig.closed(0)
        rig.run(milliseconds: 2_100)
        #expect(Set(rig.takeDials().map(\.to.address)) == [local(7).address, local(8).address])
    }

    @Test func aGuestFromAfarMayCallItselfWhatItLikes() {
        let rig = StreamRig(streaming([]))
        rig.opened(0, from: StreamRig.address("192.0.2.9:40000"))
        rig.introduce(0, as: 5)
        rig.found(local(8), as: 5)
        #expect(rig.takeDials().map(\.to) == [local(8)])
        // One that is near is believed: it could as well have sent the beacon.
        rig.opened(1, from: local(9, port: 40_000))
        rig.introduce(1, as: 6)
        rig.found(local(10), as: 6)
        #expect(rig.takeDials().isEmpty)
    }

    @Test func whoStandsByIsForgottenWithoutBeacons() {
        let rig = StreamRig(streaming([]))
        rig.opened(1, from: local(9, port: 40_000))
        rig.introduce(1, as: 6)
        rig.found(local(8), as: 6)
        rig.found(local(7), as: 5)
        #expect(rig.loop.dials(local(8)))
        rig.loop.unheard(endpoint: local(8))
        rig.loop.unheard(endpoint: local(7))
        // What is being dialled stays.
        #expect(!rig.loop.dials(local(8)) && rig.loop.dials(local(7)))
        rig.closed(1)
        rig.run(milliseconds: 5_000)
        #expect(rig.takeDials().map(\.to) == [local(7)])
    }
}
