import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire
import Testing

@testable import HyphaDataplane

/// Packets from the TUN for peers with which there is no session.
struct StockEntryTests {
    @Test func goAsStockBodies() throws {
        let bench = try StockNode()
        let peer = try bench.peer()
        let packets = (0..<30).map { bench.udp(to: peer, 1 + 40 * $0, hopLimit: 64) }
        bench.enter(reads: packets.map(Inner.read))
        #expect(bench.sent.count == 30)
        for (sent, packet) in zip(bench.sent, packets) {
            // Routing type 4; the hop limit outside is one less, the one inside as it was.
            #expect(sent[0] == 0x40 && sent[1] == 63 && sent[4..<16].allSatisfy { $0 == 0 })
            #expect(Array(sent[16..<32]) == bench.node.address.bytes && Array(sent[32..<48]) == peer.address.bytes)
            #expect(sent.count == 48 + 32 + packet.count)
            // Version 1, kind 0, the mark of a node that can do more.
            #expect(peer.open(sent).map { Array($0[..<4]) } == [1, 0, 0x48, 0])
            #expect(peer.inner(sent) == packet)
        }
        // The nonces: a prefix, and a counter that never repeats.
        let nonces = bench.sent.map { Array($0.suffix(12)) }
        #expect(Set(nonces).count == 30 && nonces.allSatisfy { Array($0[..<8]) == Seal.little(0x5EED, 8) })
        #expect(bench.node.counters[.stockSealed] == 30 && bench.node.counters[.keyAgreements] == 1)
        #expect(bench.node.drops == [:] && bench.notices(.flowNeeded).isEmpty)
        bench.node.expectNoLeak()
    }

    /// A node that never speaks native does not say that it could.
    @Test func withoutMark() throws {
        let bench = try StockNode(.classic)
        let peer = try bench.peer(bits: WorkerCommand.nativeHintBit)
        bench.enter(bench.udp(to: peer))
        #expect(peer.open(bench.sent[0]).map { Array($0[..<4]) } == [1, 0, 0, 0])
        #expect(bench.notices(.flowNeeded).isEmpty)
    }

    /// Super-packets are cut, every segment a body of its own.
    @Test func superPackets() throws {
        let bench = try StockNode(mtu: 1_472)
        let peer = try bench.peer()
        let tcp = SuperPacket.tcp(
            from: bench.node.address, to: peer.address, Inner.TCPFields(), payload: bench.network.bytes(30_000),
            size: 1_200)
        let udp = SuperPacket.udp(
            from: bench.node.address, to: peer.address, payload: bench.network.bytes(5_000), size: 900)
        bench.enter(reads: [tcp.read, udp.read])
        #expect(bench.sent.compactMap(peer.inner) == tcp.segments + udp.segments)
        #expect(bench.node.counters[.received] == UInt64(25 + 6) && bench.node.drops == [:])
        #expect(bench.sent.compactMap(peer.inner).allSatisfy(Inner.isSound))
        bench.node.expectNoLeak()
    }

    /// One datagram holds 1,340 bytes on this link, two hold more: what even those cannot hold is answered.
    @Test func tooBig() throws {
        let bench = try StockNode(mtu: 1_452)
        let peer = try bench.peer()
        let limit = 2 * (1_452 - 36) - 48 - 32
        #expect(limit == 2_752)
        bench.enter(bench.udp(to: peer, 1_340 - 48))
        #expect(bench.sent.count == 1 && bench.node.datagrams.last?.first == 4)
        let whole = bench.udp(to: peer, limit - 48)
        bench.enter(whole)
        let pieces = bench.node.datagrams.suffix(2).map { Array($0) }
        #expect(pieces.map(\.count) == [1_452, 1_452] && pieces.map { $0[0] } == [6, 6])
        let inner = bench.link.received.suffix(2).compactMap(\.inner).flatMap { $0[4...] }
        #expect(peer.inner(inner) == whole)
        bench.enter(bench.udp(to: peer, limit - 48 + 1))
        #expect(bench.node.drops["too_big"] == 1)
        try #require(bench.node.packets.count == 1)
        #expect(bench.node.packets[0][40...41] == [2, 0])
        #expect(Array(bench.node.packets[0][44..<48]) == Inner.be32(UInt32(limit)))
    }

    /// Nonces: told once that they run out, none left means no packet, and new ones begin with the new prefix.
    @Test func nonces() throws {
        let bench = try StockNode()
        let peer = try bench.peer()
        bench.enter(bench.udp(to: peer))
        #expect(bench.notices(.stockPrefixLow).isEmpty)
        // Four billion packets later.
        bench.node.worker.stock.nonces = StockNonceSource()
        for _ in 0..<3 { bench.enter(bench.udp(to: peer)) }
        #expect(bench.node.drops == ["flow_expired": 3])
        #expect(bench.notices(.stockPrefixLow).count == 1)
        bench.node.forget()
        let next = SocketAddress(address: IPv6Address(high: 0x0102_0304_0506_0708, low: 0), port: 0)
        bench.node.command(WorkerCommand(.setStockPrefix, endpoint: next))
        bench.enter(bench.udp(to: peer), bench.udp(to: peer))
        #expect(bench.sent.map { Array($0.suffix(12)) } == [0, 1].map { [8, 7, 6, 5, 4, 3, 2, 1, $0, 0, 0, 0] })
        // The same prefix again is none: its nonces were used.
        bench.node.forget()
        bench.node.command(WorkerCommand(.setStockPrefix, endpoint: next))
        bench.enter(bench.udp(to: peer))
        #expect(bench.sent.map { Array($0.suffix(4)) } == [[2, 0, 0, 0]])
    }

    /// Two whole workers, and back again.
    @Test(arguments: [SessionPolicy.classic, .auto]) func thereAndBack(session: SessionPolicy) throws {
        let network = TestNetwork(seed: 19)
        let (one, two) = (try StockIdentity(network), try StockIdentity(network))
        let node = { (name: String, identity: StockIdentity, prefix: UInt64) in
            var options = TestNode.Options()
            options.address = identity.address
            options.stock = identity.configuration(session, prefix: prefix)
            return try network.add(name, options)
        }
        let a = try node("A", one, 11)
        let b = try node("B", two, 22)
        let ids = try network.link(a, b)
        let peers = (a: a.addPeer(b.address, key: two.key), b: b.addPeer(a.address, key: one.key))
        a.route(b.address, NextHop(kind: .link, link: ids.a, peer: peers.a))
        b.route(a.address, NextHop(kind: .link, link: ids.b, peer: peers.b))
        network.settle()
        for (turn, (from, to)) in [(a, b), (b, a), (a, b)].enumerated() {
            network.forget()
            let packets = (0..<10).map { PathTests.message(from, to, length: 200 + $0, network) }
            for packet in packets { from.io.arriveFromTun(Inner.read(packet)) }
            network.settle()
            if session == .auto, turn > 0 {
                // Marks of the other end came before: a session is waited for, and nobody makes it.
                #expect(to.packets.isEmpty && from.worker.waiting == 10)
                network.sleep(from, milliseconds: 300)
                network.settle()
            }
            #expect(to.packets == packets.map { Inner.withHopLimit($0, 62) })
        }
        #expect(a.drops == [:] && b.drops == [:])
        #expect(a.notices.contains { $0.kind == .peerMarked } == false)
        a.expectNoLeak()
        b.expectNoLeak()
    }
}
