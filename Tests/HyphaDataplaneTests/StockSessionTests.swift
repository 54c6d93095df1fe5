import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire
import Testing

@testable import HyphaDataplane

/// Stock bodies or native sessions: what a worker does with what it knows of a peer.
struct StockSessionTests {
    /// A peer of both kinds: it holds the key pair of a stock node and can have a native session.
    struct Both {
        let stock: StockPeer
        let native: RemotePeer
    }

    static func both(_ bench: StockNode, bits: UInt32 = 0) throws -> Both {
        let identity = try StockIdentity(bench.network)
        let native = try RemotePeer(bench.network, bench.node, address: identity.address, withSession: false)
        let stock = StockPeer(bench.node, bench.identity.key, identity, isKnown: false)
        bench.node.setPeer(native.id, identity.address, key: identity.key, bits: bits)
        bench.node.route(identity.address, NextHop(kind: .link, link: bench.link.link, peer: native.id))
        bench.turn()
        bench.node.forget()
        return Both(stock: stock, native: native)
    }

    @Test func hintedPeerWaitsThenGoesStock() throws {
        let bench = try StockNode()
        let peer = try Self.both(bench, bits: WorkerCommand.nativeHintBit)
        let packets = (0..<4).map { bench.udp(to: peer.stock, 30 + $0) }
        bench.enter(packets[0], packets[1], packets[2])
        #expect(bench.notices(.flowNeeded).map(\.id) == [peer.native.id])
        #expect(bench.sent.isEmpty && bench.node.worker.waiting == 3)
        bench.sleep(200)
        #expect(bench.sent.isEmpty)
        bench.sleep(100)
        #expect(bench.sent.compactMap(peer.stock.inner) == packets[..<3] + [])
        #expect(bench.node.worker.waiting == 0)
        // From now on for a minute they go at once.
        bench.enter(packets[3])
        #expect(bench.sent.compactMap(peer.stock.inner) == packets)
        #expect(bench.notices(.flowNeeded).count == 1 && bench.notices(.peerFellBack).isEmpty)
        #expect(bench.node.drops == [:])
        bench.node.expectNoLeak()
    }

    @Test func sessionStartSendsWhatWaits() throws {
        let bench = try StockNode()
        let peer = try Self.both(bench, bits: WorkerCommand.nativeHintBit)
        let packets = (0..<5).map { bench.udp(to: peer.stock, 30 + $0) }
        bench.enter(packets[0], packets[1], packets[2], packets[3])
        try peer.native.agree(bench.network)
        bench.enter(packets[4])
        #expect(bench.sent.compactMap(peer.native.inner) == packets.map { Inner.withHopLimit($0, 63) })
        #expect(bench.node.counters[.stockSealed] == 0 && bench.node.drops == [:])
        bench.node.expectNoLeak()
    }

    /// The handshake comes to nothing before the time is up.
    @Test func rejectedPacketsGoAsStockBodies() throws {
        let bench = try StockNode()
        let peer = try Self.both(bench, bits: WorkerCommand.nativeHintBit)
        let packets = (0..<3).map { bench.udp(to: peer.stock, 30 + $0) }
        bench.enter(packets[0], packets[1], packets[2])
        bench.node.command(WorkerCommand(.rejectParked, id: peer.native.id))
        bench.turn()
        #expect(bench.sent.compactMap(peer.stock.inner) == packets)
        #expect(bench.node.delivered.isEmpty && bench.node.drops == [:])
    }

    @Test func markerStartsHandshake() throws {
        let bench = try StockNode()
        let peer = try Self.both(bench)
        bench.enter(bench.udp(to: peer.stock))
        #expect(bench.sent.count == 1 && bench.notices(.flowNeeded).isEmpty)
        bench.arrive(peer.stock.carry(peer.stock.udp()))
        #expect(bench.notices(.flowNeeded).isEmpty && bench.notices(.peerMarked).isEmpty)
        // The first body with a mark.
        bench.arrive(peer.stock.carry(peer.stock.udp(), mark: [0x48, 0]))
        #expect(bench.node.packets.count == 2)
        #expect(bench.notices(.flowNeeded).map(\.id) == [peer.native.id])
        #expect(bench.notices(.peerMarked).map(\.id) == [peer.native.id])
        let packet = bench.udp(to: peer.stock)
        bench.enter(packet)
        #expect(bench.node.worker.waiting == 1)
        try peer.native.agree(bench.network)
        bench.turn()
        #expect(bench.sent.compactMap(peer.native.inner) == [Inner.withHopLimit(packet, 63)])
        // Said once.
        bench.arrive(peer.stock.carry(peer.stock.udp(), mark: [0x48, 9]))
        #expect(bench.notices(.peerMarked).count == 1)
    }

    /// 64 stock bodies a minute to a peer that is known to be native; control hears of it once.
    @Test func provenPeersGetFewStockBodies() throws {
        let bench = try StockNode(early: .legacy)
        let peer = try Self.both(bench, bits: WorkerCommand.nativeProofBit)
        for _ in 0..<10 { bench.enter(reads: (0..<10).map { _ in Inner.read(bench.udp(to: peer.stock)) }) }
        #expect(bench.sent.compactMap(peer.stock.inner).count == 64)
        #expect(bench.node.drops == ["downgrade": 36])
        #expect(bench.node.packets.count == 10 && bench.node.packets.allSatisfy { $0[40...41] == [1, 3] })
        #expect(bench.notices(.flowNeeded).count == 1 && bench.notices(.peerFellBack).count == 1)
        // What comes from it as stock bodies has the same limit.
        bench.node.forget()
        for _ in 0..<80 { bench.arrive(peer.stock.carry(peer.stock.udp())) }
        #expect(bench.node.packets.count == 64 && bench.node.drops == ["downgrade": 36 + 16])
        // After a session the alarm may sound again.
        try peer.native.agree(bench.network)
        bench.turn()
        bench.node.command(WorkerCommand(.retireFlowSession, slot: peer.native.slot))
        bench.network.advance(milliseconds: 60_000)
        bench.node.forget()
        try bench.link.agree(bench.network)
        bench.enter(bench.udp(to: peer.stock))
        #expect(bench.notices(.peerFellBack).count == 1)
    }

    @Test func waitingPacketsBeyondTheBudgetAreAnswered() throws {
        let bench = try StockNode()
        let peer = try Self.both(bench, bits: WorkerCommand.nativeProofBit)
        // Sixteen wait, four find no place.
        bench.enter(reads: (0..<20).map { _ in Inner.read(bench.udp(to: peer.stock)) })
        #expect(bench.node.worker.waiting == 16 && bench.node.drops == ["park_full": 4])
        bench.sleep(300)
        #expect(bench.sent.compactMap(peer.stock.inner).count == 16 && bench.notices(.peerFellBack).count == 1)
        // The rest of this minute's budget has two seconds: later packets wait for nothing and end.
        bench.sleep(3_000)
        bench.enter(bench.udp(to: peer.stock))
        #expect(bench.node.drops == ["park_full": 4, "downgrade": 1])
        bench.node.expectNoLeak()
    }

    /// A super-packet is larger than any place to wait.
    @Test func superPacketsDoNotWait() throws {
        let bench = try StockNode()
        let peer = try Self.both(bench, bits: WorkerCommand.nativeHintBit)
        let tcp = SuperPacket.tcp(
            from: bench.node.address, to: peer.stock.address, Inner.TCPFields(), payload: bench.network.bytes(9_000),
            size: 1_000)
        bench.enter(reads: [tcp.read])
        #expect(bench.node.drops == ["park_full": 9] && bench.notices(.flowNeeded).count == 1)
        bench.enter(bench.udp(to: peer.stock, 10))
        bench.sleep(300)
        bench.node.forget()
        // Nothing waits any more: it goes.
        bench.enter(reads: [tcp.read])
        #expect(bench.sent.compactMap(peer.stock.inner) == tcp.segments)
        bench.node.expectNoLeak()
    }

    @Test func requireNeverSendsNorTakesStockBodies() throws {
        let bench = try StockNode(.require)
        let peer = try Self.both(bench, bits: WorkerCommand.nativeHintBit | WorkerCommand.nativeProofBit)
        bench.enter(bench.udp(to: peer.stock), bench.udp(to: peer.stock))
        bench.sleep(2_900)
        #expect(bench.node.worker.waiting == 2 && bench.sent.isEmpty)
        bench.arrive(peer.stock.carry(peer.stock.udp(), mark: [0x48, 0]))
        #expect(bench.node.drops == ["downgrade": 1] && bench.node.delivered.isEmpty)
        bench.node.command(WorkerCommand(.rejectParked, id: peer.native.id))
        bench.turn()
        #expect(bench.node.packets.map { $0[40...41] } == [[1, 3], [1, 3]])
        #expect(bench.node.drops == ["downgrade": 1, "no_route": 2])
        // Nor does it answer stock bodies as a relay.
        bench.arrive(peer.stock.carry(payload: peer.stock.payload([1]), hopLimit: 1))
        #expect(bench.node.drops["hop_limit"] == 1)
        #expect(bench.sent.isEmpty && bench.node.counters[.stockSealed] == 0)
        #expect(bench.node.counters[.keyAgreements] == 0)
    }

    /// A hint that goes away again, and one that comes while a plain peer is talked to.
    @Test func hintsComeAndGo() throws {
        let bench = try StockNode()
        let peer = try Self.both(bench)
        bench.enter(bench.udp(to: peer.stock))
        #expect(bench.sent.count == 1)
        bench.node.setPeer(
            peer.native.id, peer.stock.address, key: peer.stock.identity.key, bits: WorkerCommand.nativeHintBit)
        bench.enter(bench.udp(to: peer.stock))
        #expect(bench.node.worker.waiting == 1 && bench.notices(.flowNeeded).count == 1)
        bench.node.setPeer(peer.native.id, peer.stock.address, key: peer.stock.identity.key)
        bench.enter(bench.udp(to: peer.stock))
        #expect(bench.node.worker.waiting == 2)
        bench.sleep(300)
        #expect(bench.sent.compactMap(peer.stock.inner).count == 3)
        bench.enter(bench.udp(to: peer.stock))
        #expect(bench.sent.compactMap(peer.stock.inner).count == 4 && bench.node.worker.waiting == 0)
    }

    /// The record of a peer stays small, and those of ids that were never used are not made.
    @Test func recordsAreSmall() {
        #expect(MemoryLayout<PeerRecord>.stride <= 224)
        let table = PeerTable(capacity: 1_000_000)
        defer { table.deallocate() }
        #expect(table[0] == nil)
        #expect(table.prepare(1_000_000) == nil)
        #expect(table.prepare(5)?.pointee.exists == 0)
        #expect(table[5] != nil && table[4] != nil && table[6] == nil)
    }
}
