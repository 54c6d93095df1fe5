import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaWire
import Testing

@testable import HyphaDataplane

/// Packets from the TUN that wait for an end-to-end session.
struct ParkingTests {
    struct Bench {
        let network: TestNetwork
        let node: TestNode
        let link: Neighbour
        let peers: [RemotePeer]

        /// A node with a link and two peers behind it that have no session yet.
        init(_ options: TestNode.Options = TestNode.Options()) throws {
            let network = TestNetwork(seed: 41)
            let node = try network.add("N", options)
            let link = try Neighbour(network, node, number: 1)
            peers = try (0..<3 as Range<UInt64>).map { i in
                let peer = try RemotePeer(
                    network, node, address: IPv6Address(high: 0x0500_0000_0000_0033 + i, low: 0x44),
                    withSession: false)
                node.route(peer.address, NextHop(kind: .link, link: link.link, peer: peer.id))
                return peer
            }
            self.network = network
            self.node = node
            self.link = link
            node.turn(network.now)
            node.forget()
        }

        func packet(_ peer: Int, _ count: Int = 50) -> [UInt8] {
            Inner.udp(from: node.address, to: peers[peer].address, payload: network.bytes(count))
        }

        func enter(_ reads: [[UInt8]]) {
            for read in reads { node.io.arriveFromTun(read) }
            repeat { node.turn(network.now) } while node.io.waiting > 0
            node.turn(network.now)
        }

        /// The inner packets that a peer got.
        func arrived(_ peer: Int) -> [[UInt8]] {
            link.received.compactMap(\.inner).compactMap(peers[peer].inner)
        }
    }

    @Test func goOutInOrder() throws {
        let bench = try Bench()
        let packets = (0..<10).map { bench.packet(0, 20 + $0) }
        let others = (0..<4).map { bench.packet(1, 20 + $0) }
        bench.enter((packets + others).map(Inner.read))
        #expect(bench.node.sent.isEmpty)
        #expect(bench.node.worker.waiting == 14)
        #expect(bench.node.notices.map(\.kind) == [.flowNeeded, .flowNeeded])
        #expect(bench.node.notices.map(\.id) == [bench.peers[0].id, bench.peers[1].id])
        bench.node.expectNoLeak()

        try bench.peers[0].agree(bench.network)
        bench.node.turn(bench.network.now)
        #expect(bench.arrived(0) == packets.map { Inner.withHopLimit($0, 63) })
        #expect(bench.arrived(1).isEmpty)
        #expect(bench.node.worker.waiting == 4)
        try bench.peers[1].agree(bench.network)
        bench.node.turn(bench.network.now)
        bench.node.turn(bench.network.now)
        #expect(bench.arrived(1) == others.map { Inner.withHopLimit($0, 63) })
        #expect(bench.node.worker.waiting == 0)
        #expect(bench.node.drops == [:])
        #expect(bench.node.counters[.received] == 14 && bench.node.counters[.parkedTotal] == 14)
        bench.node.expectNoLeak()
    }

    /// Asked at once, then once a second while packets come.
    @Test func asksOnceASecond() throws {
        let bench = try Bench()
        for expected in [1, 0, 0, 0, 1, 0] {
            bench.node.forget()
            bench.enter([Inner.read(bench.packet(0))])
            #expect(bench.node.notices.filter { $0.kind == .flowNeeded }.count == expected)
            bench.network.advance(milliseconds: 250)
        }
    }

    @Test func sixteenForOnePeer() throws {
        let bench = try Bench(TestNode.Options(parked: 24))
        let packets = (0..<20).map { bench.packet(0, $0) }
        bench.enter(packets.map(Inner.read))
        #expect(bench.node.worker.waiting == 16)
        #expect(bench.node.drops == ["park_full": 4])
        // Others have their own places, up to the sum.
        bench.enter((0..<20).map { _ in Inner.read(bench.packet(1)) })
        #expect(bench.node.worker.waiting == 24)
        #expect(bench.node.drops == ["park_full": 16])
        try bench.peers[0].agree(bench.network)
        bench.node.turn(bench.network.now)
        #expect(bench.arrived(0) == packets[..<16].map { Inner.withHopLimit($0, 63) })
        // What left makes room again.
        bench.enter([Inner.read(bench.packet(2))])
        #expect(bench.node.worker.waiting == 9)
        bench.node.expectNoLeak()
    }

    @Test func noSlot() throws {
        let bench = try Bench(TestNode.Options(slots: 3))
        bench.enter((0..<5).map { _ in Inner.read(bench.packet(0)) })
        #expect(bench.node.worker.waiting == 3)
        #expect(bench.node.drops == ["park_full": 2])
    }

    /// A super-packet waits as what it is, and counts as its segments; a slot is the most it may take.
    @Test func superPackets() throws {
        let bench = try Bench()
        let small = SuperPacket.tcp(
            from: bench.node.address, to: bench.peers[0].address, Inner.TCPFields(),
            payload: bench.network.bytes(1_900),
            size: 500)
        bench.enter([small.read])
        #expect(bench.node.worker.waiting == 4)
        #expect(bench.node.counters[.received] == 4)
        let large = SuperPacket.tcp(
            from: bench.node.address, to: bench.peers[0].address, Inner.TCPFields(),
            payload: bench.network.bytes(2_000),
            size: 500)
        bench.enter([large.read])
        #expect(bench.node.worker.waiting == 4)
        #expect(bench.node.drops == ["park_full": 4])
        try bench.peers[0].agree(bench.network)
        bench.node.turn(bench.network.now)
        #expect(bench.arrived(0) == SegmentTests.hopTaken(small.segments))
    }

    @Test func fiveSeconds() throws {
        let bench = try Bench()
        bench.enter([Inner.read(bench.packet(0)), Inner.read(bench.packet(1))])
        bench.network.sleep(bench.node, milliseconds: 3_000)
        bench.enter([Inner.read(bench.packet(0)), Inner.read(bench.packet(0))])
        #expect(bench.node.worker.waiting == 4)
        bench.network.sleep(bench.node, milliseconds: 1_900)
        #expect(bench.node.worker.waiting == 4)
        bench.network.sleep(bench.node, milliseconds: 200)
        #expect(bench.node.worker.waiting == 2)
        #expect(bench.node.drops == ["park_timeout": 2])
        bench.network.sleep(bench.node, milliseconds: 2_700)
        #expect(bench.node.worker.waiting == 2)
        bench.network.sleep(bench.node, milliseconds: 300)
        #expect(bench.node.worker.waiting == 0)
        #expect(bench.node.drops == ["park_timeout": 4])
        // With nothing left to wait for, nothing is due.
        #expect(bench.node.worker.nextDeadline == .distantFuture)
        bench.node.expectNoLeak()
    }

    @Test func rejected() throws {
        let bench = try Bench()
        let packets = (0..<16).map { bench.packet(0, 30 + $0) }
        bench.enter(packets.map(Inner.read))
        bench.enter([Inner.read(bench.packet(1))])
        bench.node.forget()
        bench.node.command(WorkerCommand(.rejectParked, id: bench.peers[0].id))
        bench.node.turn(bench.network.now)
        bench.node.turn(bench.network.now)
        // Ten answers a second for one source.
        #expect(bench.node.packets.count == 10)
        for (answer, packet) in zip(bench.node.packets, packets) {
            #expect(Inner.isSound(answer))
            #expect(answer[40...41] == [1, 3])
            #expect(answer[48...] == packet[...])
        }
        #expect(bench.node.drops == ["no_route": 16])
        #expect(bench.node.worker.waiting == 1)
        // The next packet asks at once.
        bench.enter([Inner.read(bench.packet(0))])
        #expect(bench.node.notices.map(\.kind) == [.flowNeeded])
        bench.node.expectNoLeak()
    }

    @Test func peerRemoved() throws {
        let bench = try Bench()
        bench.enter([Inner.read(bench.packet(0)), Inner.read(bench.packet(0)), Inner.read(bench.packet(1))])
        bench.node.command(WorkerCommand(.removePeer, id: bench.peers[0].id))
        bench.node.turn(bench.network.now)
        #expect(bench.node.worker.waiting == 1)
        #expect(bench.node.drops == ["no_route": 2])
        bench.node.expectNoLeak()
    }

    /// The route went away while they waited.
    @Test func noRouteAnyMore() throws {
        let bench = try Bench()
        bench.enter([Inner.read(bench.packet(0)), Inner.read(bench.packet(0))])
        bench.node.route(bench.peers[0].address, NextHop(kind: .unreachable))
        try bench.peers[0].agree(bench.network)
        bench.node.turn(bench.network.now)
        bench.node.turn(bench.network.now)
        #expect(bench.node.drops == ["no_route": 2])
        #expect(bench.node.packets.map { $0[40] } == [1, 1])
        #expect(bench.node.worker.waiting == 0)
        bench.node.expectNoLeak()
    }

    /// The session was gone again before its command was read.
    @Test func sessionGoneAgain() throws {
        let bench = try Bench()
        let packets = (0..<3).map { bench.packet(0, 30 + $0) }
        bench.enter(packets.map(Inner.read))
        bench.node.command(WorkerCommand(.sendWithFlowSession, id: bench.peers[0].id, slot: .max))
        bench.node.turn(bench.network.now)
        #expect(bench.node.worker.waiting == 3)
        try bench.peers[0].agree(bench.network)
        bench.node.turn(bench.network.now)
        bench.node.turn(bench.network.now)
        #expect(bench.arrived(0) == packets.map { Inner.withHopLimit($0, 63) })
        bench.node.expectNoLeak()
    }

    @Test func drained() throws {
        let bench = try Bench()
        bench.enter([Inner.read(bench.packet(0)), Inner.read(bench.packet(1))])
        bench.node.command(WorkerCommand(.drain))
        bench.enter([Inner.read(bench.packet(0))])
        #expect(bench.node.drops == ["shutdown": 3])
        #expect(bench.node.worker.isDrained == true)
        #expect(bench.node.notices.filter { $0.kind == .drained }.count == 1)
        bench.node.expectNoLeak()
    }
}
