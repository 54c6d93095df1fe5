import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaWire
import Testing

@testable import HyphaDataplane

/// A link that cannot be used any more does not stop packets that have another way. Every turn checks that no packet is
/// lost uncounted.
struct AlternateHopTests {
    struct Bench {
        let network = TestNetwork(seed: 91)
        let node: TestNode
        /// Where transit comes from.
        let left: Neighbour
        /// Links that lead on.
        let ways: [Neighbour]
        let peer: RemotePeer

        init(maxStreams: Int = 0) throws {
            node = try network.add("N", TestNode.Options(slots: 256, maxStreams: maxStreams))
            left = try Neighbour(network, node, number: 1)
            var ways: [Neighbour] = []
            for number in 2...5 { ways.append(try Neighbour(network, node, number: UInt64(number))) }
            self.ways = ways
            peer = try RemotePeer(network, node, address: IPv6Address(high: 0x0500_0000_0000_0033, low: 0x44))
            node.turn(network.now)
            node.forget()
        }

        func hop(_ link: UInt32, isAgeing: Bool = false) -> NextHop {
            var hop = NextHop(kind: .link, link: link, peer: peer.id)
            hop.isAgeing = isAgeing
            return hop
        }

        /// Sets the way to the peer, best link first.
        func route(_ links: [UInt32]) {
            node.route(peer.address, hop(links[0]), alternates: links.dropFirst().map { hop($0) })
        }

        /// A packet from the left for the peer.
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

        /// Data packets that each neighbour got since the last call, the left one first.
        func taken() -> [Int] {
            defer { node.forget() }
            return ([left] + ways).map { way in way.received.filter { ($0.inner?.count ?? 0) > 60 }.count }
        }

        /// Without a session: nothing can leave by it.
        func cut(_ way: Neighbour) {
            node.command(WorkerCommand(.retireLinkSession, slot: way.slot))
            node.turn(network.now)
        }

        /// Data goes to a neighbour that says nothing until the link is suspect.
        func silence(_ way: Neighbour) {
            node.command(WorkerCommand(.probeLink, id: way.link))
            node.turn(network.now)
            network.sleep(node, milliseconds: 500)
            node.forget()
        }
    }

    @Test func theNextPacketTakesTheAlternate() throws {
        let bench = try Bench()
        bench.route(bench.ways.map(\.link))
        bench.transit()
        bench.fromTun()
        #expect(bench.taken() == [0, 2, 0, 0, 0])
        bench.cut(bench.ways[0])
        bench.transit()
        bench.fromTun()
        #expect(bench.taken() == [0, 0, 2, 0, 0])
        for way in bench.ways[1...2] { bench.cut(way) }
        bench.transit()
        bench.fromTun()
        #expect(bench.taken() == [0, 0, 0, 0, 2])
        // The best is back.
        try bench.ways[0].agree(bench.network)
        bench.node.turn(bench.network.now)
        bench.transit()
        bench.fromTun()
        #expect(bench.taken() == [0, 2, 0, 0, 0])
        #expect(bench.node.drops == [:])
        bench.node.turn(bench.network.now)
        bench.node.expectNoLeak()
    }

    @Test func withoutAnyWayPacketsEnd() throws {
        let bench = try Bench()
        bench.route(bench.ways.map(\.link))
        for way in bench.ways { bench.cut(way) }
        bench.transit()
        bench.fromTun()
        #expect(bench.node.counters[.linkDown] == 2)
        // Nor does a link that is gone stand in for one.
        bench.node.command(WorkerCommand(.removeLink, id: bench.ways[1].link))
        bench.transit()
        #expect(bench.node.counters[.linkDown] == 3)
    }

    /// What came from the left does not go back there, what is made here may go there.
    @Test func neverBackWhereItCameFrom() throws {
        let bench = try Bench()
        bench.route([bench.ways[0].link, bench.left.link])
        bench.cut(bench.ways[0])
        bench.transit()
        #expect(bench.node.counters[.linkDown] == 1)
        bench.fromTun()
        #expect(bench.taken()[0] == 1)
        // The one behind it is taken instead.
        bench.route([bench.ways[0].link, bench.left.link, bench.ways[3].link])
        bench.transit()
        #expect(bench.taken() == [0, 0, 0, 0, 1])
        #expect(bench.node.counters[.linkDown] == 1)
    }

    /// A silent cut: packets move before control hears of the silence, and come back with the first sign of life.
    @Test func silenceMovesPackets() throws {
        let bench = try Bench()
        bench.route([bench.ways[0].link, bench.ways[1].link])
        var moved: UInt64?
        for step in 0..<200 as Range<UInt64> {
            bench.transit()
            let taken = bench.taken()
            #expect(taken[1] + taken[2] == 1)
            if taken[2] == 1, moved == nil { moved = step * 5 }
            if moved != nil { #expect(taken[2] == 1) }
            #expect(bench.node.notices.isEmpty)
            if step * 5 >= 560 { break }
            // The other way answers what comes there.
            bench.ways[1].send(bench.ways[1].full([]))
            bench.network.sleep(bench.node, milliseconds: 5)
        }
        let after = try #require(moved)
        #expect((Liveness.suspectAfterMilliseconds...Liveness.suspectAfterMilliseconds + 60).contains(after))
        // Control is told as ever.
        bench.network.sleep(bench.node, milliseconds: 150)
        #expect(bench.node.notices.filter { $0.kind == .linkSilent }.map(\.id) == [bench.ways[0].link])
        bench.node.forget()
        bench.ways[0].send(bench.ways[0].full([]))
        bench.node.turn(bench.network.now)
        bench.transit()
        #expect(bench.taken() == [0, 1, 0, 0, 0])
        #expect(bench.node.drops == [:])
    }

    @Test func aNewSessionIsASignOfLife() throws {
        let bench = try Bench()
        bench.route([bench.ways[0].link, bench.ways[1].link])
        bench.silence(bench.ways[0])
        bench.fromTun()
        #expect(bench.taken() == [0, 0, 1, 0, 0])
        try bench.ways[0].agree(bench.network)
        bench.node.turn(bench.network.now)
        bench.fromTun()
        #expect(bench.taken() == [0, 1, 0, 0, 0])
    }

    /// Suspicion moves packets to a way without it; where there is none they stay, and a suspect way is better than none.
    @Test func suspicionIsNoCut() throws {
        let bench = try Bench()
        bench.route([bench.ways[0].link, bench.ways[1].link, bench.ways[2].link])
        bench.silence(bench.ways[0])
        bench.silence(bench.ways[1])
        bench.transit()
        #expect(bench.taken() == [0, 0, 0, 1, 0])
        bench.silence(bench.ways[2])
        bench.transit()
        bench.fromTun()
        #expect(bench.taken() == [0, 2, 0, 0, 0])
        bench.cut(bench.ways[0])
        bench.transit()
        bench.fromTun()
        #expect(bench.taken() == [0, 0, 2, 0, 0])
        #expect(bench.node.drops == [:])
    }

    /// Without alternates nothing changes while a link is silent.
    @Test func theOnlyWayStays() throws {
        let bench = try Bench()
        bench.route([bench.ways[0].link])
        bench.silence(bench.ways[0])
        bench.transit()
        bench.fromTun()
        #expect(bench.taken() == [0, 2, 0, 0, 0])
    }

    /// A worker that stood still heard nobody: it suspects nobody before it has had time to listen.
    @Test func aWorkerThatStoodStillSuspectsNobody() throws {
        let bench = try Bench()
        bench.route([bench.ways[0].link, bench.ways[1].link])
        bench.transit()
        bench.network.advance(milliseconds: 700)
        bench.node.turn(bench.network.now)
        bench.fromTun()
        #expect(bench.taken() == [0, 2, 0, 0, 0])
        // Nor does it say that anybody is silent.
        #expect(bench.node.notices.isEmpty)
        // Still nothing: it is not the worker.
        bench.network.sleep(bench.node, milliseconds: 410)
        bench.fromTun()
        #expect(bench.taken() == [0, 0, 1, 0, 0])
    }

    /// TCP links stand in for HL1 links and the other way round.
    @Test func bothKindsOfLinks() throws {
        let bench = try Bench(maxStreams: 2)
        let accepted = bench.node.io.accept(from: bench.left.endpoint)
        let connection = try #require(accepted)
        bench.node.turn(bench.network.now)
        let stream = bench.node.numbering.link(connection: connection)
        bench.route([bench.ways[0].link, stream, bench.ways[1].link])
        bench.cut(bench.ways[0])
        bench.transit()
        bench.node.turn(bench.network.now)
        let once = bench.node.io.written(connection).count
        #expect(once > 60)
        #expect(bench.taken() == [0, 0, 0, 0, 0])
        bench.route([stream, bench.ways[2].link])
        bench.fromTun()
        bench.node.turn(bench.network.now)
        #expect(bench.node.io.written(connection).count > once)
        bench.node.command(WorkerCommand(.closeStream, id: connection, value: 1))
        bench.node.turn(bench.network.now)
        bench.fromTun()
        #expect(bench.taken() == [0, 0, 0, 1, 0])
        #expect(bench.node.drops == [:])
        bench.node.turn(bench.network.now)
        bench.node.expectNoLeak()
    }

    // MARK: routes that end soon

    private func uses(_ bench: Bench) -> [UInt64] {
        defer { bench.node.forget() }
        return bench.node.notices.filter { $0.kind == .routeUsed }.map(\.prefix)
    }

    @Test func useOfAnAgeingRouteIsTold() throws {
        let bench = try Bench()
        let prefix = bench.peer.address.high
        bench.route([bench.ways[0].link])
        bench.transit()
        bench.fromTun()
        #expect(uses(bench).isEmpty)
        bench.node.route(bench.peer.address, bench.hop(bench.ways[0].link, isAgeing: true))
        for _ in 0..<5 { bench.transit() }
        #expect(uses(bench) == [prefix])
        bench.fromTun()
        bench.network.advance(milliseconds: 999)
        bench.transit()
        #expect(uses(bench).isEmpty)
        bench.network.advance(milliseconds: 1)
        bench.fromTun()
        #expect(uses(bench) == [prefix])
        // An alternate is as old as the route that it belongs to says.
        bench.network.advance(milliseconds: 1_000)
        bench.node.route(
            bench.peer.address, bench.hop(bench.ways[0].link, isAgeing: true),
            alternates: [bench.hop(bench.ways[1].link)])
        bench.cut(bench.ways[0])
        bench.transit()
        #expect(uses(bench).isEmpty)
    }

    /// However many prefixes there are: each at most once a second, 64 in all, and every one in its turn.
    @Test func manyAgeingRoutes() throws {
        let bench = try Bench()
        let prefixes = (0..<400 as Range<UInt64>).map { 0x0500_0000_0001_0000 | $0 << 3 }
        var ring = bench.network.random
        let use = RouteUse()
        defer { use.deallocate() }
        var punts = PuntRings(bench.node.port)
        var told: [UInt64: [Instant]] = [:]
        var now = bench.network.now
        for _ in 0..<120 {
            for prefix in prefixes.shuffled(using: &ring) { use.note(prefix, now: now) }
            use.tell(&punts)
            _ = punts.publish()
            bench.node.takeRings()
            let all = uses(bench)
            #expect(all.count <= 64)
            for prefix in all { told[prefix, default: []].append(now) }
            now = now.advanced(byMilliseconds: 1_000)
        }
        #expect(told.count == prefixes.count)
        for times in told.values { #expect(Set(times).count == times.count) }
    }

    /// While control reads nothing a note waits.
    @Test func aFullRingLosesNoNote() throws {
        let bench = try Bench()
        bench.node.route(bench.peer.address, bench.hop(bench.ways[0].link, isAgeing: true))
        bench.node.readsRings = false
        var punts = PuntRings(bench.node.port)
        var filled = 0
        while punts.notice(.linkSilent, id: 77) { filled += 1 }
        #expect(filled > 1_000)
        let use = RouteUse()
        defer { use.deallocate() }
        use.note(5, now: bench.network.now)
        use.tell(&punts)
        _ = punts.publish()
        bench.node.takeRings()
        #expect(uses(bench).isEmpty)
        use.tell(&punts)
        use.tell(&punts)
        _ = punts.publish()
        bench.node.takeRings()
        #expect(uses(bench) == [5])
    }
}
