import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaWire
import Testing

@testable import HyphaDataplane

/// Keepalives that are owed and silence that control hears of, on links and end to end. The node sleeps until its next
/// deadline, as in a real loop.
struct LivenessTests {
    struct Bench {
        let network: TestNetwork
        let node: TestNode
        let left: Neighbour
        let right: Neighbour
        let peer: RemotePeer

        init() throws {
            network = TestNetwork(seed: 51)
            node = try network.add("N")
            left = try Neighbour(network, node, number: 1)
            right = try Neighbour(network, node, number: 2)
            peer = try RemotePeer(network, node, address: IPv6Address(high: 0x0500_0000_0000_0033, low: 0x44))
            node.route(peer.address, NextHop(kind: .link, link: right.link, peer: peer.id))
            node.turn(network.now)
            node.forget()
        }

        /// A packet from the left for the peer behind the right link.
        func transit() {
            let route = Seal.route(
                kind: 0, source: IPv6Address(high: 0x0400_0000_0000_0999, low: 1).bytes,
                destination: peer.address.bytes)
            left.send(left.full(route + network.bytes(64)))
            node.turn(network.now)
        }

        func fromTun() {
            node.io.arriveFromTun(
                Inner.read(Inner.udp(from: node.address, to: peer.address, payload: network.bytes(64))))
            node.turn(network.now)
        }

        /// The peer's packet for the node's TUN, over the right link.
        func fromPeer() {
            let packet = Inner.udp(from: peer.address, to: node.address, payload: network.bytes(64))
            right.send(right.full(peer.carry(packet)))
            node.turn(network.now)
        }

        func notices(_ kind: Notice.Kind) -> [UInt32] { node.notices.filter { $0.kind == kind }.map(\.id) }

        /// Link messages without content that a neighbour got.
        func keepalives(_ link: Neighbour) -> Int { link.received.filter { $0.inner == [] }.count }

        /// Empty control bodies that the peer got.
        var flowKeepalives: Int {
            right.received.compactMap(\.inner).filter { $0.count == 48 + 32 && $0[0] >> 4 == 0 }
                .compactMap(peer.open).filter { $0[0] == 0xF2 }.count
        }
    }

    // MARK: links

    @Test func keepaliveAfter50Milliseconds() throws {
        let bench = try Bench()
        bench.transit()
        bench.network.sleep(bench.node, milliseconds: 49)
        #expect(bench.left.received.isEmpty)
        bench.network.sleep(bench.node, milliseconds: 55)
        #expect(bench.keepalives(bench.left) == 1 && bench.left.received.count == 1)
        #expect(bench.left.received[0].datagram.count == 32)
        #expect(bench.left.received[0].datagram[1] == 0, "control lane")
        #expect(bench.node.counters[.keepalivesSent] == 1)
        bench.network.sleep(bench.node, milliseconds: 5_000)
        #expect(bench.left.received.count == 1)
        // Data again, a keepalive again.
        bench.transit()
        bench.network.sleep(bench.node, milliseconds: 400)
        #expect(bench.keepalives(bench.left) == 2)
    }

    /// One keepalive answers all that came; anything sent makes it needless.
    @Test func nothingOwed() throws {
        let bench = try Bench()
        for _ in 0..<10 {
            bench.transit()
            bench.network.sleep(bench.node, milliseconds: 4)
        }
        bench.network.sleep(bench.node, milliseconds: 1_000)
        #expect(bench.keepalives(bench.left) == 1)
        bench.transit()
        bench.network.sleep(bench.node, milliseconds: 20)
        bench.node.command(WorkerCommand(.probeLink, id: bench.left.link))
        bench.node.turn(bench.network.now)
        bench.network.sleep(bench.node, milliseconds: 100)
        #expect(bench.keepalives(bench.left) == 1)
    }

    /// A keepalive asks for no answer.
    @Test func noAnswerToAKeepalive() throws {
        let bench = try Bench()
        bench.left.send(bench.left.full([]))
        bench.node.turn(bench.network.now)
        #expect(bench.node.worker.nextDeadline == .distantFuture)
        bench.network.sleep(bench.node, milliseconds: 3_000)
        #expect(bench.node.sent.isEmpty)
        // A control message does.
        bench.left.send(bench.left.full([0x80, 0, 0]))
        bench.node.turn(bench.network.now)
        bench.network.sleep(bench.node, milliseconds: 400)
        #expect(bench.keepalives(bench.left) == 1)
    }

    @Test func silenceIsTold() throws {
        let bench = try Bench()
        bench.transit()
        bench.network.sleep(bench.node, milliseconds: 595)
        #expect(bench.notices(.linkSilent) == [])
        bench.network.sleep(bench.node, milliseconds: 60)
        #expect(bench.notices(.linkSilent) == [bench.right.link])
        // Told again in the same time while it lasts.
        bench.network.sleep(bench.node, milliseconds: 1_300)
        #expect(bench.notices(.linkSilent).count == 3)
        bench.right.send(bench.right.full([]))
        bench.node.turn(bench.network.now)
        bench.network.sleep(bench.node, milliseconds: 5_000)
        #expect(bench.notices(.linkSilent).count == 3)
        #expect(bench.node.worker.nextDeadline == .distantFuture)
    }

    /// A neighbour farther away has that much longer to answer.
    @Test func aLongWayIsNoSilence() throws {
        let bench = try Bench()
        bench.node.command(
            WorkerCommand(.sendWithLinkSession, id: bench.right.link, slot: bench.right.slot, value: 700))
        bench.transit()
        bench.network.sleep(bench.node, milliseconds: 1_295)
        #expect(bench.notices(.linkSilent) == [])
        bench.network.sleep(bench.node, milliseconds: 60)
        #expect(bench.notices(.linkSilent) == [bench.right.link])
    }

    /// Who waits for an answer asks for one, a few times; with silence that ends, and begins anew with the next life.
    @Test func whoWaitsAsks() throws {
        let bench = try Bench()
        func asked() -> Int {
            defer { bench.node.forget() }
            return bench.right.received.filter { $0.inner == [0x80, 0, 0] }.count
        }
        bench.transit()
        bench.network.sleep(bench.node, milliseconds: 145)
        #expect(asked() == 0)
        bench.network.sleep(bench.node, milliseconds: 60)
        #expect(asked() == 1)
        bench.network.sleep(bench.node, milliseconds: 3_000)
        #expect((3...5).contains(asked()))
        bench.right.send(bench.right.full([]))
        bench.transit()
        bench.network.sleep(bench.node, milliseconds: 210)
        #expect(asked() == 1)
    }

    /// Behind a cut nobody says anything any more: who was answered a moment before notices it all the same, if the link
    /// carried packets both ways.
    @Test func aLinkInUseIsWatched() throws {
        let bench = try Bench()
        func asked() -> Int { bench.right.received.filter { $0.inner == [0x80, 0, 0] }.count }
        bench.fromPeer()
        bench.fromTun()
        bench.right.send(bench.right.full([]))
        bench.node.turn(bench.network.now)
        bench.network.sleep(bench.node, milliseconds: 90)
        #expect(asked() == 0)
        bench.network.sleep(bench.node, milliseconds: 50)
        #expect(asked() == 1)
        bench.network.sleep(bench.node, milliseconds: 450)
        #expect(bench.notices(.linkSilent) == [])
        bench.network.sleep(bench.node, milliseconds: 60)
        #expect(bench.notices(.linkSilent) == [bench.right.link])
    }

    /// Once it is answered and carries no more packets, it is left alone.
    @Test func aLinkThatWasInUseCalmsDown() throws {
        let bench = try Bench()
        bench.fromPeer()
        bench.fromTun()
        var asked = 0
        for _ in 0..<100 {
            bench.network.sleep(bench.node, milliseconds: 50)
            let new = bench.right.received.filter { $0.inner == [0x80, 0, 0] }.count
            asked += new
            #expect(bench.notices(.linkSilent) == [])
            bench.node.forget()
            if new > 0 { bench.right.send(bench.right.full([])) }
            bench.node.turn(bench.network.now)
        }
        #expect((1...3).contains(asked))
        bench.node.forget()
        // Packets one way only: nobody is asked.
        bench.transit()
        bench.right.send(bench.right.full([]))
        bench.node.turn(bench.network.now)
        bench.network.sleep(bench.node, milliseconds: 1_000)
        #expect(bench.left.received.map(\.inner) == [[]])
    }

    /// Whatever datagram is lost after a packet from A to B, or that and the next one of all: nobody looks silent.
    @Test(arguments: [1, 2], 0..<12) func lossIsNoSilence(losses: Int, first: Int) throws {
        let (network, a, _, b) = try PathTests.line(PathTests.Case(mode: .full, suite: 1))
        var count = 0
        network.tamper = { _, train in
            defer { count += 1 }
            return (first..<first + losses).contains(count) ? [] : [(train.bytes, train.segmentSize)]
        }
        a.io.arriveFromTun(Inner.read(PathTests.message(a, b, length: 100, network)))
        for _ in 0..<400 {
            network.step()
            network.advance(milliseconds: 5)
        }
        #expect(count >= 3)
        for node in network.nodes { #expect(node.notices.allSatisfy { $0.kind != .linkSilent }) }
    }

    @Test func anyValidPacketIsAnAnswer() throws {
        let bench = try Bench()
        bench.transit()
        bench.network.sleep(bench.node, milliseconds: 660)
        // A damaged packet and a replay are none.
        var damaged = bench.right.full([])
        damaged[31] ^= 1
        bench.right.send(damaged)
        bench.node.turn(bench.network.now)
        bench.network.sleep(bench.node, milliseconds: 100)
        #expect(bench.notices(.linkSilent).count == 1)
        let keepalive = bench.right.full([])
        for _ in 0..<20 {
            bench.transit()
            bench.right.send(bench.right.full([]))
            bench.node.turn(bench.network.now)
            bench.network.sleep(bench.node, milliseconds: 500)
        }
        #expect(bench.notices(.linkSilent).count == 1)
        bench.right.send(keepalive)
        bench.transit()
        bench.right.send(keepalive)
        bench.node.turn(bench.network.now)
        bench.network.sleep(bench.node, milliseconds: 800)
        #expect(bench.notices(.linkSilent).count == 2)
    }

    /// Keepalives of ours ask nobody: two quiet nodes stay quiet.
    @Test func twoNodesCalmDown() throws {
        let (network, a, _, b) = try PathTests.line(PathTests.Case(mode: .full, suite: 1))
        a.io.arriveFromTun(Inner.read(PathTests.message(a, b, length: 100, network)))
        var last = network.now
        for _ in 0..<2_000 {
            network.step()
            if network.nodes.contains(where: { $0.io.waiting > 0 }) { last = network.now }
            network.advance(milliseconds: 5)
        }
        #expect(network.now.milliseconds(since: last) > 9_000)
        for node in network.nodes {
            #expect(node.notices.allSatisfy { $0.kind != .linkSilent && $0.kind != .flowSilent })
            #expect(node.worker.nextDeadline == .distantFuture)
        }
        // Each got data and had nothing else to say: R to A, B to R, and B to A end to end (which R passes on).
        #expect(a.counters[.keepalivesSent] <= 1 && b.counters[.keepalivesSent] <= 2)
    }

    /// More keepalives at once than there are places for them: all go, some of them a tick later.
    @Test(arguments: [40, 1_000]) func manyLinks(slots: Int) throws {
        let network = TestNetwork(seed: 52)
        let node = try network.add(
            "N", TestNode.Options(slots: slots, maxLinks: 512, sessions: 512))
        let links = try (0..<300 as Range<UInt64>).map { try Neighbour(network, node, number: $0) }
        node.turn(network.now)
        for link in links { link.send(link.full([0x80, 0, 0])) }
        while node.io.waiting > 0 { node.turn(network.now) }
        node.forget()
        network.sleep(node, milliseconds: 1_000)
        let counts = links.map { link in node.sent.filter { $0.destination == link.endpoint }.count }
        #expect(counts == [Int](repeating: 1, count: 300))
        #expect(node.worker.nextDeadline == .distantFuture)
        node.expectNoLeak()
    }

    // MARK: end to end

    @Test func flowKeepalive() throws {
        let bench = try Bench()
        bench.fromPeer()
        bench.network.sleep(bench.node, milliseconds: 249)
        #expect(bench.flowKeepalives == 0)
        bench.network.sleep(bench.node, milliseconds: 55)
        #expect(bench.flowKeepalives == 1)
        #expect(bench.right.received.allSatisfy { $0.datagram[0] == 4 }, "never header-sealed")
        let route = try #require(bench.right.received.compactMap(\.inner).first { $0.count == 80 })
        #expect(route[1] == 63 && route[2...3] == [0, 0])
        #expect(route[16..<48] == (bench.node.address.bytes + bench.peer.address.bytes)[...])
        bench.right.send(bench.right.full([]))
        bench.network.sleep(bench.node, milliseconds: 5_000)
        #expect(bench.flowKeepalives == 1)
    }

    @Test func flowKeepaliveNeedless() throws {
        let bench = try Bench()
        bench.fromPeer()
        bench.network.sleep(bench.node, milliseconds: 100)
        bench.fromTun()
        bench.right.send(bench.right.full([]))
        bench.network.sleep(bench.node, milliseconds: 700)
        #expect(bench.flowKeepalives == 0)
    }

    @Test func flowSilence() throws {
        let bench = try Bench()
        bench.fromTun()
        bench.right.send(bench.right.full([]))
        bench.node.turn(bench.network.now)
        bench.network.sleep(bench.node, milliseconds: 840)
        #expect(bench.notices(.flowSilent) == [])
        bench.network.sleep(bench.node, milliseconds: 70)
        #expect(bench.notices(.flowSilent) == [bench.peer.id])
        #expect(bench.notices(.linkSilent) == [])
        // The peer's empty control body is an answer, and asks for none.
        bench.right.send(bench.right.full(bench.peer.packet([0xF2] + [UInt8](repeating: 0, count: 15))))
        bench.node.turn(bench.network.now)
        bench.network.sleep(bench.node, milliseconds: 3_000)
        #expect(bench.notices(.flowSilent).count == 1)
        #expect(bench.flowKeepalives == 0)
    }

    /// An end-to-end keepalive is data to the link that carries it: if that is silent, control hears of it.
    @Test func keepaliveOverASilentLink() throws {
        let bench = try Bench()
        let packet = Inner.udp(from: bench.peer.address, to: bench.node.address, payload: bench.network.bytes(64))
        // It came over the left link, the answer goes out on the right one.
        bench.left.send(bench.left.full(bench.peer.carry(packet)))
        bench.node.turn(bench.network.now)
        bench.network.sleep(bench.node, milliseconds: 400)
        #expect(bench.flowKeepalives == 1)
        bench.network.sleep(bench.node, milliseconds: 1_000)
        #expect(bench.notices(.linkSilent) == [bench.right.link])
    }

    // MARK: notices

    @Test func confirmedOnce() throws {
        let bench = try Bench()
        bench.fromPeer()
        bench.fromPeer()
        #expect(bench.notices(.linkSessionConfirmed) == [bench.right.link])
        #expect(bench.notices(.flowSessionConfirmed) == [bench.peer.id])
        bench.node.forget()
        try bench.right.agree(bench.network)
        try bench.peer.agree(bench.network)
        bench.node.turn(bench.network.now)
        #expect(bench.node.notices.isEmpty)
        bench.fromPeer()
        #expect(
            bench.node.notices.map(\.kind) == [.linkSessionConfirmed, .flowSessionConfirmed])
        #expect(bench.node.notices.map(\.slot) == [bench.right.slot, bench.peer.slot])
    }

    /// The packets that confirm a session go out at once, under that session.
    @Test func confirming() throws {
        let bench = try Bench()
        let oldKeys = bench.right.back
        try bench.right.agree(bench.network, Neighbour.Options(isSentWith: false))
        bench.node.command(WorkerCommand(.confirmLinkSession, slot: bench.right.slot))
        bench.node.turn(bench.network.now)
        #expect(bench.right.received.map(\.inner) == [[]])
        // Data still goes under the old one.
        bench.node.forget()
        bench.fromTun()
        #expect(bench.right.received.map(\.inner) == [nil])
        #expect(bench.node.datagrams.compactMap { Seal.openLink(suite: 1, keys: oldKeys, $0) }.count == 1)
        bench.node.command(WorkerCommand(.sendWithLinkSession, id: bench.right.link, slot: bench.right.slot))
        bench.node.forget()
        bench.fromTun()
        #expect(bench.right.received.allSatisfy { $0.inner != nil })

        try bench.peer.agree(bench.network, isSentWith: false)
        bench.node.command(WorkerCommand(.confirmFlowSession, slot: bench.peer.slot))
        bench.node.forget()
        bench.node.turn(bench.network.now)
        #expect(bench.flowKeepalives == 1)
    }

    @Test func probe() throws {
        let bench = try Bench()
        bench.node.command(WorkerCommand(.probeLink, id: bench.left.link))
        bench.node.turn(bench.network.now)
        #expect(bench.left.received.map(\.inner) == [[0x80, 0, 0]])
        bench.network.sleep(bench.node, milliseconds: 1_060)
        #expect(bench.notices(.linkSilent) == [bench.left.link])
        // Without a session there is nothing to probe with.
        bench.node.forget()
        bench.node.command(WorkerCommand(.retireLinkSession, slot: bench.right.slot))
        bench.node.command(WorkerCommand(.probeLink, id: bench.right.link))
        bench.node.command(WorkerCommand(.probeLink, id: 4_000_000_000))
        bench.node.turn(bench.network.now)
        #expect(bench.node.sent.isEmpty)
        #expect(bench.node.notices.map(\.kind) == [.linkSessionRetired])
    }
}
