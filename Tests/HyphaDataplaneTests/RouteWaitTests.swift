import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire
import Testing

@testable import HyphaDataplane

/// Packets from the TUN whose destination has no route yet.
struct RouteWaitTests {
    static let far = IPv6Address(high: 0x0477_0000_0000_0001, low: 7)

    static func command(_ operation: WorkerCommand.Operation, _ address: IPv6Address) -> WorkerCommand {
        WorkerCommand(operation, endpoint: SocketAddress(address: address, port: 0))
    }

    static func packet(_ bench: StockNode, to destination: IPv6Address = far, _ count: Int = 40) -> [UInt8] {
        Inner.udp(from: bench.node.address, to: destination, payload: bench.network.bytes(count))
    }

    @Test func resolved() throws {
        let bench = try StockNode()
        let identity = try StockIdentity(bench.network)
        let beside = IPv6Address(high: identity.address.high, low: 99)
        let packets = (0..<5).map { Self.packet(bench, to: $0 % 2 == 0 ? identity.address : beside, $0) }
        bench.enter(packets[0], packets[1], packets[2], packets[3])
        #expect(bench.notices(.routeNeeded).map(\.prefix) == [identity.address.high])
        #expect(bench.node.worker.waiting == 4 && bench.node.drops == [:] && bench.node.delivered.isEmpty)
        bench.node.expectNoLeak()
        let peer = try bench.peer(identity)
        #expect(bench.sent.isEmpty)
        bench.node.command(Self.command(.routeResolved, identity.address))
        bench.enter(packets[4])
        #expect(bench.sent.compactMap(peer.inner) == packets)
        #expect(bench.node.worker.waiting == 0 && bench.node.drops == [:])
        bench.node.expectNoLeak()
    }

    /// The route comes with the session still to be made: the packet waits a second time, for that.
    @Test func thenForASession() throws {
        let bench = try StockNode(.require)
        let identity = try StockIdentity(bench.network)
        let packet = Self.packet(bench, to: identity.address)
        bench.enter(packet)
        let peer = try RemotePeer(bench.network, bench.node, address: identity.address, withSession: false)
        bench.node.route(identity.address, NextHop(kind: .link, link: bench.link.link, peer: peer.id))
        bench.node.command(Self.command(.routeResolved, identity.address))
        bench.turn()
        #expect(bench.node.worker.waiting == 1 && bench.notices(.flowNeeded).map(\.id) == [peer.id])
        try peer.agree(bench.network)
        bench.turn()
        #expect(bench.sent.compactMap(peer.inner) == [Inner.withHopLimit(packet, 63)])
        bench.node.expectNoLeak()
    }

    @Test func failed() throws {
        let bench = try StockNode()
        let packets = (0..<3).map { Self.packet(bench, 20 + $0) }
        bench.enter(packets[0], packets[1], packets[2])
        bench.node.command(Self.command(.routeFailed, Self.far))
        bench.turn()
        #expect(bench.node.drops == ["no_route": 3] && bench.node.worker.waiting == 0)
        #expect(bench.node.packets.map { Array($0[48...]) } == packets)
        #expect(bench.node.packets.allSatisfy { $0[40...41] == [1, 0] && Inner.isSound($0) })
        // The next one asks again.
        bench.enter(packets[0])
        #expect(bench.notices(.routeNeeded).count == 2)
        bench.node.expectNoLeak()
    }

    /// Resolved in name only: answered, and not asked for in a circle.
    @Test func resolvedToNothing() throws {
        let bench = try StockNode()
        bench.enter(Self.packet(bench))
        bench.node.command(Self.command(.routeResolved, Self.far))
        bench.turn()
        #expect(bench.node.drops == ["no_route": 1] && bench.notices(.routeNeeded).count == 1)
        #expect(bench.node.packets.map { $0[40...41] } == [[1, 0]])
        #expect(bench.node.worker.waiting == 0)
        bench.sleep(100)
        #expect(bench.node.worker.nextDeadline == .distantFuture)
    }

    @Test func bounds() throws {
        let bench = try StockNode {
            $0.parked = 300
            $0.slots = 400
        }
        for _ in 0..<20 { bench.enter(Self.packet(bench)) }
        #expect(bench.node.worker.waiting == 16 && bench.node.drops == ["park_full": 4])
        // 256 different /64s.
        for i in 0..<300 as Range<UInt64> {
            bench.enter(Self.packet(bench, to: IPv6Address(high: 0x0488 << 48 | i, low: 1)))
        }
        #expect(bench.node.worker.waiting == 16 + 255 && bench.node.drops == ["park_full": 4 + 45])
        #expect(bench.notices(.routeNeeded).count == 256)
        // Nothing larger than a slot.
        let tcp = SuperPacket.tcp(
            from: bench.node.address, to: Self.far, Inner.TCPFields(), payload: bench.network.bytes(2_000), size: 500)
        bench.node.command(Self.command(.routeFailed, Self.far))
        bench.turn()
        bench.enter(reads: [tcp.read])
        #expect(bench.node.drops["park_full"] == 4 + 45 + 4)
        bench.node.expectNoLeak()
    }

    @Test func sumIsBounded() throws {
        let bench = try StockNode { $0.parked = 5 }
        for i in 0..<9 as Range<UInt64> {
            bench.enter(Self.packet(bench, to: IPv6Address(high: 0x0488 << 48 | i, low: 1)))
        }
        #expect(bench.node.worker.waiting == 5 && bench.node.drops == ["park_full": 4])
        bench.node.expectNoLeak()
    }

    /// Nobody answered.
    @Test func sixteenSeconds() throws {
        let bench = try StockNode()
        bench.enter(Self.packet(bench))
        bench.sleep(10_000)
        bench.enter(Self.packet(bench))
        bench.sleep(5_900)
        #expect(bench.node.worker.waiting == 2)
        bench.sleep(200)
        #expect(bench.node.worker.waiting == 1 && bench.node.drops == ["park_timeout": 1])
        bench.sleep(10_000)
        #expect(bench.node.worker.waiting == 0 && bench.node.drops == ["park_timeout": 2])
        #expect(bench.node.worker.nextDeadline == .distantFuture)
        bench.node.expectNoLeak()
    }

    /// A destination that has just been lost is asked for like one that was never known.
    @Test func whatIsLostIsAskedFor() throws {
        let bench = try StockNode()
        bench.node.route(Self.far, .unreachable)
        bench.enter(Self.packet(bench))
        #expect(bench.node.worker.waiting == 1 && bench.notices(.routeNeeded).count == 1)
    }

    /// All of them when nobody finds routes: answered at once.
    @Test func answeredAtOnce() throws {
        let other = try StockNode { $0.asksForRoutes = false }
        other.enter(Self.packet(other))
        #expect(other.node.drops == ["no_route": 1] && other.node.packets.map { $0[40...41] } == [[1, 0]])
        #expect(other.notices(.routeNeeded).isEmpty)
    }

    /// Answers of the node itself wait for no route, and packets for others than the overlay never did.
    @Test func ownPacketsDoNotWait() throws {
        let bench = try StockNode { $0.hasTun = false }
        let peer = try bench.peer()
        bench.node.route(peer.address, NextHop(kind: .none, peer: peer.id))
        bench.turn()
        bench.arrive(peer.carry(peer.udp()))
        #expect(bench.node.drops == ["no_listener": 1, "no_route": 1])
        #expect(bench.node.worker.waiting == 0 && bench.notices(.routeNeeded).isEmpty)
        bench.node.expectNoLeak()
    }

    /// Control does not read its notices: the question is put with the next packet.
    @Test func askedWhenThereIsRoom() throws {
        let bench = try StockNode { $0.slots = 2_000 }
        bench.node.readsRings = false
        while bench.node.worker.punts.notice(.linkSilent, id: 1) {}
        bench.enter(Self.packet(bench))
        bench.node.takeRings()
        #expect(bench.notices(.routeNeeded).isEmpty && bench.node.worker.waiting == 1)
        bench.node.readsRings = true
        bench.enter(Self.packet(bench))
        #expect(bench.notices(.routeNeeded).map(\.prefix) == [Self.far.high])
    }
}
