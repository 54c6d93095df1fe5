import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire
import Testing

@testable import HyphaDataplane

/// Stock bodies from nodes whose key is not known yet.
struct StockUnknownSourceTests {
    static func prefix(_ address: IPv6Address) -> SocketAddress { SocketAddress(address: address, port: 0) }

    /// Somebody of whom the node has never heard, and becomes known later.
    static func stranger(_ bench: StockNode) throws -> StockPeer {
        StockPeer(bench.node, bench.identity.key, try StockIdentity(bench.network), isKnown: false)
    }

    static func learn(_ bench: StockNode, _ peer: StockPeer) {
        let id = bench.node.addPeer(peer.address, key: peer.identity.key)
        bench.node.route(peer.address, NextHop(kind: .link, link: bench.link.link, peer: id))
    }

    @Test func waitForTheirRoute() throws {
        let bench = try StockNode()
        let peer = try Self.stranger(bench)
        let packets = (0..<3).map { peer.udp(30 + $0, hopLimit: 33) }
        bench.arrive(peer.carry(packets[0]), peer.carry(packets[1]))
        bench.network.advance(milliseconds: 400)
        bench.arrive(peer.carry(packets[2]))
        #expect(bench.notices(.routeNeeded).map(\.prefix) == [peer.address.high])
        #expect(bench.node.worker.waiting == 3 && bench.node.drops == [:])
        bench.node.expectNoLeak()

        Self.learn(bench, peer)
        bench.node.command(WorkerCommand(.routeResolved, endpoint: Self.prefix(peer.address)))
        bench.turn()
        #expect(bench.node.packets == packets.map { Inner.withHopLimit($0, 32) })
        #expect(bench.node.worker.waiting == 0 && bench.node.drops == [:])
        #expect(bench.node.counters[.parkedTotal] == 3)
        bench.node.expectNoLeak()
    }

    /// Asked once a second while they come.
    @Test func asksOnceASecond() throws {
        let bench = try StockNode()
        let peer = try Self.stranger(bench)
        for expected in [1, 0, 0, 1, 0] {
            bench.node.forget()
            bench.arrive(peer.carry(peer.udp()))
            #expect(bench.notices(.routeNeeded).count == expected)
            bench.network.advance(milliseconds: 350)
        }
    }

    @Test func bounds() throws {
        let bench = try StockNode { $0.slots = 400 }
        let peer = try Self.stranger(bench)
        for _ in 0..<20 { bench.arrive(peer.carry(peer.udp())) }
        #expect(bench.node.worker.waiting == 16 && bench.node.drops == ["park_full": 4])
        // 64 different /64s, and as many questions a second as 100.
        for i in 0..<200 as Range<UInt64> {
            let source = IPv6Address(high: 0x0460 << 48 | i << 8, low: 1)
            bench.arrive(peer.carry(payload: peer.payload([1]), source: source))
        }
        #expect(bench.node.worker.waiting == 16 + 63 && bench.node.drops == ["park_full": 4 + 137])
        #expect(bench.notices(.routeNeeded).count == 100)
        bench.sleep(5_100)
        #expect(bench.node.worker.waiting == 0)
        #expect(bench.node.drops == ["park_full": 141, "park_timeout": 79])
        #expect(bench.node.worker.nextDeadline == .distantFuture)
        bench.node.expectNoLeak()
    }

    @Test func failed() throws {
        let bench = try StockNode()
        let peer = try Self.stranger(bench)
        bench.arrive(peer.carry(peer.udp()), peer.carry(peer.udp()))
        bench.node.command(WorkerCommand(.routeFailed, endpoint: Self.prefix(peer.address)))
        bench.turn()
        #expect(bench.node.drops == ["unknown_source": 2] && bench.node.sent.isEmpty && bench.node.delivered.isEmpty)
        // Resolved in name only: not asked for, and not waited for, again.
        bench.node.forget()
        bench.network.advance(milliseconds: 2_000)
        bench.arrive(peer.carry(peer.udp()))
        bench.node.command(WorkerCommand(.routeResolved, endpoint: Self.prefix(peer.address)))
        bench.turn()
        #expect(bench.node.drops == ["unknown_source": 3] && bench.node.worker.waiting == 0)
        #expect(bench.notices(.routeNeeded).count == 1)
        bench.node.expectNoLeak()
    }

    /// Nobody would answer: they do not wait.
    @Test func withoutRouteQueries() throws {
        let bench = try StockNode { $0.asksForRoutes = false }
        let peer = try Self.stranger(bench)
        bench.arrive(peer.carry(peer.udp()))
        #expect(bench.node.drops == ["unknown_source": 1] && bench.notices(.routeNeeded).isEmpty)
    }

    /// A route whose key is another's, or shared by two nodes, proves nothing about the source.
    @Test func notTheirAddress() throws {
        let bench = try StockNode()
        let peer = try bench.peer(ownsPrefix: false)
        bench.arrive(peer.carry(peer.udp()))
        #expect(bench.node.packets.count == 1)
        let guest = IPv6Address(high: peer.address.high, low: 9)
        let packet = Inner.udp(from: guest, to: bench.node.address, payload: [1])
        bench.arrive(peer.carry(payload: peer.payload(packet), source: guest))
        #expect(bench.node.packets.count == 1 && bench.node.worker.waiting == 1)
    }

    @Test func drained() throws {
        let bench = try StockNode()
        let peer = try Self.stranger(bench)
        bench.arrive(peer.carry(peer.udp()))
        bench.enter(Inner.udp(from: bench.node.address, to: peer.address, payload: [1]))
        #expect(bench.node.worker.waiting == 2)
        bench.node.command(WorkerCommand(.drain))
        bench.turn()
        #expect(bench.node.drops == ["shutdown": 2] && bench.node.worker.isDrained == true)
        bench.node.expectNoLeak()
    }
}
