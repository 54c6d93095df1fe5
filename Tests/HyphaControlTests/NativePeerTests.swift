import HyphaBase
import HyphaControl
import HyphaFIB
import HyphaIdentity
import HyphaInterchange
import HyphaRouting
import HyphaSession
import HyphaWire
import Testing

/// What workers are told about who speaks native sessions.
@Suite struct NativePeerTests {
    private let near = StreamRig.address("192.0.2.1:9651")
    private let hint = WorkerCommand.nativeHintBit
    private let proof = WorkerCommand.nativeProofBit

    /// Bits of the last `setPeer` for a node, the /64 left out.
    private func bits(_ rig: StreamRig, _ number: UInt8) -> UInt32? {
        let address = SimulatedNetwork.identity(number).address
        return rig.commands.last { $0.operation == .setPeer && $0.endpoint.address == address }
            .map { $0.value & ~WorkerCommand.ownsPrefixBit }
    }

    private func bits(_ node: SimulatedNode, _ other: SimulatedNode) -> UInt32? {
        node.worker.peerStates.values.first { $0.address == other.address }
            .map { $0.bits & ~WorkerCommand.ownsPrefixBit }
    }

    @Test func theZoneOfARouterIDIsAHint() throws {
        let rig = StreamRig(streaming([]))
        rig.opened(0, from: near)
        rig.introduce(0, as: 40)
        rig.introduce(0, as: 41, metric: 20, zone: 0x4800)
        rig.introduce(0, as: 42, metric: 30, zone: 0x48FF)
        rig.introduce(0, as: 43, metric: 20, zone: 0x0048)
        #expect([40, 41, 42, 43].map { bits(rig, $0) } == [0, hint, hint, 0])
        // The key goes with it.
        let command = try #require(rig.commands.last { $0.operation == .setPeer })
        let key = command.key.withBytes { Array(UnsafeBufferPointer(start: $0, count: 32)) }
        #expect(key == SimulatedNetwork.identity(43).publicKey.bytes)
        // It comes and goes with what routes say.
        rig.introduce(0, as: 40, zone: 0x4800, seqno: 1)
        #expect(bits(rig, 40) == hint)
        rig.introduce(0, as: 41, metric: 20, zone: 0, seqno: 1)
        #expect(bits(rig, 41) == 0)
        // Of two prefixes one is enough.
        rig.control(0, .update(StreamRig.update(41, metric: 20, zone: 0x4800, seqno: 2, length: 128)))
        #expect(bits(rig, 41) == hint)
        let count = rig.commands.count { $0.operation == .setPeer }
        rig.introduce(0, as: 41, metric: 20, zone: 0, seqno: 3)
        rig.introduce(0, as: 42, metric: 31, zone: 0x48FF, seqno: 1)
        #expect(rig.commands.count { $0.operation == .setPeer } == count)
    }

    @Test func ownRoutesCarryTheMark() {
        for (session, zone) in [(.auto, 0x4800), (.require, 0x4800), (.classic, 0)] as [(SessionPolicy, UInt16)] {
            var configuration = streaming([])
            configuration.session = session
            let rig = StreamRig(configuration)
            rig.opened(0, from: near)
            rig.run(milliseconds: 100)
            let zones = rig.takeWritten().flatMap { FakeStreams.tlvs($0.bytes) }.compactMap { tlv -> UInt16? in
                if case .update(let update) = tlv { return update.routerID.zone }
                return nil
            }
            #expect(zones == [zone, zone])
        }
    }

    @Test func theConfigurationIsAHint() {
        let key = { (number: UInt8) in SimulatedNetwork.identity(number).publicKey }
        var configuration = streaming([], hl1: [50])
        configuration.routes = [ConfiguredRoute(key: key(51), via: key(50))]
        let rig = StreamRig(configuration)
        rig.opened(0, from: near)
        for number in [50, 51, 52] as [UInt8] { rig.introduce(0, as: number, metric: 20) }
        #expect([50, 51, 52].map { bits(rig, $0) } == [hint, hint, 0])
    }

    @Test func aLinkProvesIt() {
        let network = SimulatedNetwork(seed: 1)
        network.addNode(1, streaming([], hl1: [2]))
        network.addNode(2, streaming([]))
        network.run(seconds: 2)
        let (a, b) = (network.node(1), network.node(2))
        #expect(bits(a, b) == hint | proof && bits(b, a) == hint | proof)
        #expect(a.peerStatus.allSatisfy { $0.isNative })
        #expect(a.worker.peerStates.values.allSatisfy { $0.key == b.key.bytes })
    }

    @Test func aSessionProvesItForTheRun() {
        let network = SimulatedNetwork(seed: 1)
        network.addNode(1, streaming([], hl1: [2]))
        network.addNode(2, streaming([]))
        network.addNode(3, streaming([], hl1: [2]))
        network.run(seconds: 3)
        let (a, b) = (network.node(1), network.node(3))
        #expect(bits(a, b) == hint && bits(b, a) == hint)
        network.act(on: a) { $0.worker.sendFromHost(to: b.address, now: $1) }
        network.run(seconds: 1)
        #expect(bits(a, b) == hint | proof && bits(b, a) == hint | proof)
        // The peer is forgotten, what it can do is not.
        b.isRunning = false
        network.run(seconds: 600)
        #expect(bits(a, b) == nil && !a.peerStatus.contains { $0.key == b.key })
        network.restart(b)
        #expect(network.run(seconds: 40) { bits(a, b) == hint | proof })
    }

    @Test func aClassicNodeMakesNoSessions() throws {
        let network = SimulatedNetwork(seed: 1)
        network.addNode(1, streaming([], hl1: [2]))
        network.addNode(2, streaming([]))
        var classic = streaming([], hl1: [2])
        classic.session = .classic
        network.addNode(3, classic)
        network.run(seconds: 3)
        let (a, b) = (network.node(1), network.node(3))
        #expect(bits(a, b) == 0)
        // Its own packets are given back at once.
        network.act(on: b) { $0.worker.sendFromHost(to: a.address, now: $1) }
        network.run(seconds: 0.01)
        let id = try #require(b.peerStatus.first { $0.key == a.key }).id
        #expect(b.worker.rejected == [id])
        // Handshakes of others find nobody.
        network.act(on: a) { $0.worker.sendFromHost(to: b.address, now: $1) }
        network.run(seconds: 4)
        #expect(b.loop.counters.flow.initSent == 0 && b.loop.counters.flow.respSent == 0)
        #expect(b.loop.counters.flow.refusedPolicy >= 3 && a.worker.rejected.count >= 1)
        // Links are as ever.
        #expect(network.isWhole && b.loop.counters.link.refusedPolicy == 0)
    }

    // MARK: - Notices

    @Test func noncePrefixesAreDrawn() {
        let rig = StreamRig(streaming([]))
        for _ in 0..<5 { rig.notice(Notice(.stockPrefixLow)) }
        let prefixes = rig.commands.filter { $0.operation == .setStockPrefix }.map(\.endpoint.address.high)
        #expect(Set(prefixes).count == 5 && rig.counters.stockPrefixes == 5)
        #expect(StreamRig(streaming([]), seed: 2).commands.allSatisfy { $0.operation != .setStockPrefix })
    }

    @Test func fallingBackIsToldNowAndThen() throws {
        let rig = StreamRig(streaming([]))
        rig.opened(0, from: near)
        rig.introduce(0, as: 40)
        rig.introduce(0, as: 41, metric: 20)
        let ids = rig.loop.status(now: rig.now).peers.map(\.id)
        for _ in 0..<30 {
            for id in ids { rig.notice(Notice(.peerFellBack, id: id)) }
            rig.notice(Notice(.peerFellBack, id: 99))
            rig.run(milliseconds: 1_000)
        }
        #expect(rig.counters.fellBack == 60)
        #expect(rig.log.count { $0.hasPrefix("warning") && $0.contains("stock bodies") } == 2)
        rig.notice(Notice(.peerMarked, id: ids[0]))
        rig.notice(Notice(.peerMarked, id: 99))
        #expect(rig.counters.peersMarked == 1 && rig.log.count { $0.hasPrefix("debug") } == 1)
    }

    @Test func exposureIsAWarningForEachPeerOnceAnHour() throws {
        let rig = StreamRig(streaming([]))
        rig.opened(0, from: near)
        rig.introduce(0, as: 40)
        rig.introduce(0, as: 41, metric: 20)
        let peers = rig.loop.status(now: rig.now).peers
        try #require(peers.count == 2)
        for _ in 0..<3 {
            for peer in peers { rig.notice(Notice(.peerExposed, id: peer.id)) }
            rig.notice(Notice(.peerExposed, id: 99))
        }
        let lines = rig.log.filter { $0.contains("same nonce") }
        #expect(lines.count == 2 && rig.counters.peersExposed == 2)
        for peer in peers {
            #expect(lines.count { $0.hasPrefix("warning peer \(peer.key.hex.prefix(16))") } == 1)
        }
        #expect(lines.allSatisfy { $0.contains("run hypha there too") && $0.contains("new key") })
        // It lasts.
        for _ in 0..<200 {
            rig.run(milliseconds: 18_000)
            rig.control(0, Self.hello)
            rig.introduce(0, as: 40)
            rig.introduce(0, as: 41, metric: 20)
        }
        rig.notice(Notice(.peerExposed, id: peers[0].id))
        #expect(rig.log.count { $0.contains("same nonce") } == 3 && rig.counters.peersExposed == 2)
    }

    private static var hello: BabelTLV { .ihu(.init(receiveCost: 15, interval: 6_000)) }
}
