import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire
import Testing

@testable import HyphaDataplane

/// Stock bodies for this node: what opens, what is dropped and why.
struct StockArrivalTests {
    @Test func deliversAndCounts() throws {
        let bench = try StockNode()
        let peer = try bench.peer()
        let packets = (0..<40).map { peer.udp(20 + $0, hopLimit: 40) }
        for packet in packets { bench.link.send(bench.link.full(peer.carry(packet))) }
        bench.turn()
        while bench.node.io.waiting > 0 { bench.turn() }
        #expect(bench.node.packets == packets.map { Inner.withHopLimit($0, 39) })
        #expect(bench.node.counters[.stockOpened] == 40 && bench.node.counters[.keyAgreements] == 1)
        #expect(bench.node.drops == [:] && bench.node.notices.map(\.kind) == [.linkSessionConfirmed])
        bench.node.expectNoLeak()
    }

    /// Segments of one flow are joined like those of native sessions.
    @Test func joinsSegments() throws {
        let bench = try StockNode()
        let peer = try bench.peer()
        var fields = Inner.TCPFields()
        let payload = bench.network.bytes(1_000)
        for _ in 0..<5 {
            let packet = Inner.tcp(
                from: peer.address, to: bench.node.address, fields, payload: payload, hopLimit: 9)
            bench.link.send(bench.link.full(peer.carry(packet)))
            fields.sequence &+= 1_000
        }
        bench.turn()
        #expect(bench.node.delivered.count == 1 && bench.node.packets[0].count == 60 + 5_000)
        #expect(bench.node.counters[.delivered] == 5)
    }

    /// A nonce that came before, one of our own, another sender's packet, other hosts.
    @Test func refused() throws {
        let bench = try StockNode(prefix: 0x0807_0605_0403_0201)
        let (peer, other) = (try bench.peer(), try bench.peer())
        let good = peer.carry(peer.udp())
        bench.arrive(good, good, good)
        #expect(bench.node.drops == ["flow_replay": 2] && bench.node.packets.count == 1)
        // Another sender may use the same nonce: the key is another.
        bench.arrive(other.carry(other.udp(), nonce: Array(good.suffix(12))))
        #expect(bench.node.packets.count == 2)

        let own = peer.carry(peer.udp(), nonce: [1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9])
        bench.arrive(own)
        #expect(bench.node.drops == ["flow_replay": 3])
        bench.node.command(
            WorkerCommand(
                .setStockPrefix,
                endpoint: SocketAddress(address: IPv6Address(high: 0x1817_1615_1413_1211, low: 0), port: 0)))
        bench.turn()
        // All that were ever used are known.
        bench.arrive(own, peer.carry(peer.udp(), nonce: [17, 18, 19, 20, 21, 22, 23, 24, 9, 9, 9, 9]))
        #expect(bench.node.drops == ["flow_replay": 5] && bench.node.packets.count == 2)

        // Inner addresses are the outer ones.
        let foreign = Inner.udp(from: other.address, to: bench.node.address, payload: [1])
        bench.arrive(peer.carry(payload: peer.payload(foreign)))
        let beside = IPv6Address(high: bench.node.address.high, low: 9)
        let elsewhere = Inner.udp(from: peer.address, to: beside, payload: [1])
        bench.arrive(peer.carry(payload: peer.payload(elsewhere)))
        #expect(bench.node.drops == ["flow_replay": 5, "bad_source": 2])
        // Sealed by one peer, in the name of the other: another key is tried.
        bench.arrive(peer.carry(payload: peer.payload(foreign), source: other.address))
        #expect(bench.node.drops["bad_flow_auth"] == 1)
        // In our own name.
        bench.arrive(peer.carry(payload: peer.payload(foreign), source: bench.node.address))
        #expect(bench.node.drops["bad_source"] == 3)
        #expect(bench.node.packets.count == 2)
        // Both are right: any host of our /64 and of theirs.
        let guest = IPv6Address(high: peer.address.high, low: 77)
        let between = Inner.udp(from: guest, to: beside, payload: [1])
        bench.arrive(peer.carry(payload: peer.payload(between), source: guest, destination: beside))
        #expect(bench.node.packets.count == 3)
    }

    /// Lengths around the smallest, and kinds and versions that nobody knows.
    @Test func malformed() throws {
        let bench = try StockNode()
        let peer = try bench.peer()
        for length in [0, 1, 19, 27, 28, 31] {
            bench.node.forget()
            bench.arrive(peer.carry(payload: bench.network.bytes(length)))
            #expect(bench.node.delivered.isEmpty)
        }
        #expect(bench.node.drops == ["bad_length": 6])
        bench.arrive(peer.carry(payload: bench.network.bytes(32)))
        #expect(bench.node.drops["bad_flow_auth"] == 1)
        bench.arrive(peer.carry(payload: peer.payload([], kind: 0)))
        bench.arrive(peer.carry(payload: peer.payload(peer.udp(), version: 2)))
        bench.arrive(peer.carry(payload: peer.payload(peer.udp(), kind: 7)))
        bench.arrive(peer.carry(payload: peer.payload([0x45] + peer.udp().dropFirst())))
        bench.arrive(peer.carry(payload: peer.payload(peer.udp() + [0])))
        bench.arrive(peer.carry(payload: peer.payload([UInt8](repeating: 0, count: 70), kind: 2)))
        #expect(bench.node.drops["bad_packet"] == 6)
        bench.arrive(peer.carry(payload: peer.payload([1, 2, 3], kind: 1)))
        #expect(bench.node.drops["unsupported"] == 1)
        #expect(bench.node.delivered.isEmpty)
        // None of it spoils the next.
        bench.arrive(peer.carry(peer.udp()))
        #expect(bench.node.packets.count == 1)
    }

    /// Every bit of a payload counts.
    @Test func everyBit() throws {
        let bench = try StockNode()
        let peer = try bench.peer()
        let good = peer.carry(peer.udp(5))
        for bit in 0..<(good.count - 48) * 8 {
            var bad = good
            bad[48 + bit / 8] ^= 1 << UInt8(bit % 8)
            bench.link.send(bench.link.full(bad))
            if bit % 64 == 63 { bench.turn() }
        }
        while bench.node.io.waiting > 0 { bench.turn() }
        #expect(bench.node.delivered.isEmpty)
        #expect(bench.node.drops.keys.sorted() == ["bad_flow_auth"])
        bench.arrive(good)
        #expect(bench.node.packets.count == 1)
    }

    @Test func withoutTun() throws {
        let bench = try StockNode { $0.hasTun = false }
        let peer = try bench.peer()
        let packet = peer.udp(30, hopLimit: 9)
        bench.arrive(peer.carry(packet))
        #expect(bench.node.drops == ["no_listener": 1])
        // Answered in band, as a stock body.
        try #require(bench.sent.count == 1)
        let answer = try #require(peer.inner(bench.sent[0]))
        #expect(Inner.isSound(answer) && answer[40...41] == [1, 3])
        #expect(Array(answer[48...]) == Inner.withHopLimit(packet, 8))
        bench.node.expectNoLeak()
    }

    /// A public key of small order gives no secret that anyone else lacks: nothing is said or heard with it.
    @Test func lowOrderKey() throws {
        let bench = try StockNode()
        let address = IPv6Address(high: 0x0455 << 48, low: 5)
        let id = bench.node.addPeer(address, key: [UInt8](repeating: 0, count: 32))
        bench.node.route(address, NextHop(kind: .link, link: bench.link.link, peer: id))
        bench.turn()
        let peer = try bench.peer(isRouted: false)
        for _ in 0..<5 {
            bench.arrive(peer.carry(payload: peer.payload(peer.udp()), source: address))
            bench.enter(Inner.udp(from: bench.node.address, to: address, payload: [1]))
        }
        #expect(bench.node.drops == ["unknown_source": 5, "no_route": 5])
        #expect(bench.node.packets.allSatisfy { $0[40...41] == [1, 3] } && bench.node.packets.count == 5)
        // Tried once.
        #expect(bench.node.counters[.keyAgreements] == 1)
        #expect(bench.sent.isEmpty)
    }

    /// Control hears of it once in 65,536 bodies, not before the chance is worth a word.
    @Test func manyBodiesUnderOneKeyAreTold() throws {
        let bench = try StockNode()
        let peer = try bench.peer()
        bench.arrive(peer.carry(peer.udp()))
        let found = bench.node.worker.stock.keys.find(peer.address)
        let slot = try #require(found)
        func exposure() -> StockExposure { bench.node.worker.stock.keys.peer(slot).pointee.exposure }
        #expect(exposure() == StockExposure(sent: 0, received: 1))
        bench.node.worker.stock.keys.peer(slot).pointee.exposure.received = 0xFFFF
        bench.arrive(peer.carry(peer.udp()))
        #expect(exposure().received == 1 << 16 && bench.notices(.peerExposed).isEmpty)
        bench.node.worker.stock.keys.peer(slot).pointee.exposure = StockExposure(
            sent: 1 << 40, received: 1 << 40 - 2)
        bench.arrive(peer.carry(peer.udp()))
        #expect(bench.notices(.peerExposed).isEmpty)
        bench.arrive(peer.carry(peer.udp()))
        #expect(bench.notices(.peerExposed).map(\.id) == [peer.id])
        bench.arrive(peer.carry(peer.udp()))
        #expect(bench.notices(.peerExposed).count == 1 && bench.node.drops == [:])
    }

    /// Key agreements are dear: half the places at once, 2,000 a second.
    @Test func keyAgreementsAreLimited() throws {
        let bench = try StockNode {
            $0.maxPeers = 1_200
            $0.slabs = 48
        }
        var peers: [StockPeer] = []
        for _ in 0..<520 { peers.append(try bench.peer(isRouted: false)) }
        for peer in peers {
            bench.node.routes.insert(
                Prefix(peer.address, length: 64), NextHop(kind: .link, link: bench.link.link, peer: peer.id))
        }
        #expect(bench.node.publishRoutes())
        for peer in peers {
            bench.link.send(bench.link.full(peer.carry(peer.udp())))
        }
        repeat { bench.node.turn(bench.network.now) } while bench.node.io.waiting > 0
        #expect(bench.node.drops == ["rate_limited": 8])
        #expect(bench.node.counters[.keyAgreements] == 512)
        bench.network.advance(milliseconds: 4)
        for peer in peers.suffix(8) { bench.link.send(bench.link.full(peer.carry(peer.udp()))) }
        bench.turn()
        #expect(bench.node.counters[.keyAgreements] == 520)
        // Known keys cost nothing.
        for peer in peers { bench.link.send(bench.link.full(peer.carry(peer.udp()))) }
        repeat { bench.node.turn(bench.network.now) } while bench.node.io.waiting > 0
        #expect(bench.node.packets.count == 512 + 8 + 520)
    }
}
