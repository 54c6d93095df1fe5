import HyphaBase
import HyphaControl
import HyphaFIB
import HyphaIdentity
import HyphaInterchange
import HyphaWire
import Testing

@Suite struct StreamRoutingTests {
    private let near = StreamRig.address("192.0.2.1:9651")

    // MARK: - What a neighbour hears

    private func kinds(_ bytes: [UInt8]) -> [UInt8] { FakeStreams.tlvs(bytes).map(\.type) }

    /// One round trip after connecting, 60 IHUs in one piece; 20 ms later the own prefixes and the first Hello.
    @Test(arguments: [0, 400, 49_600, 180_000] as [UInt32])
    func theFirstWordsOfWhoDialled(microseconds: UInt32) throws {
        let rig = StreamRig(streaming([2]))
        rig.resolved(0, "10.0.0.2", [near])
        rig.opened(0, dial: rig.takeDials()[0].number, from: near, microseconds: microseconds)
        let start = rig.now
        rig.run(milliseconds: 1_000)
        let written = rig.takeWritten()
        #expect(written.count == 2 && written.allSatisfy { $0.connection == 0 })
        let trip = UInt64((microseconds + 500) / 1_000)
        #expect(written[0].at.milliseconds(since: start) == trip)
        #expect(kinds(written[0].bytes) == [UInt8](repeating: 5, count: 60) && written[0].bytes.count == 960)
        #expect(written[1].at.milliseconds(since: start) == trip + 20)
        #expect(kinds(written[1].bytes).sorted() == [4, 8, 8])
        for case .update(let update) in FakeStreams.tlvs(written[1].bytes) {
            #expect(update.metric == 0 && update.interval == 30_000 && update.routerID.key == rig.own.publicKey.bytes)
            #expect(update.prefix.contains(rig.own.address))
        }
        for case .ihu(let ihu) in FakeStreams.tlvs(written[0].bytes) {
            let cost = microseconds == 0 ? 1_015 : UInt16(trip) + 15
            #expect(ihu.receiveCost == cost && ihu.interval == 6_000 && ihu.address == nil)
            #expect(rig.answers == [0: ihu])
        }
    }

    @Test func theFirstWordsOfWhoWasDialled() {
        let rig = StreamRig(streaming([]))
        rig.opened(0, from: StreamRig.address("[2001:db8::5]:40000"), microseconds: 50_000)
        var written = rig.takeWritten()
        #expect(written.map { $0.at } == [rig.now] && kinds(written[0].bytes) == [UInt8](repeating: 5, count: 60))
        if case .ihu(let ihu)? = FakeStreams.tlvs(written[0].bytes).first { #expect(ihu.receiveCost == 60) }
        rig.run(milliseconds: 19)
        #expect(rig.takeWritten().isEmpty)
        rig.run(milliseconds: 1)
        written = rig.takeWritten()
        #expect(written.count == 1 && kinds(written[0].bytes).sorted() == [4, 8, 8])
    }

    /// The worker does it, once the connection's neighbour was introduced; control says nothing more.
    @Test func hellosAreAnsweredByTheWorker() throws {
        let rig = StreamRig(streaming([2]))
        rig.opened(1, from: StreamRig.address("192.0.2.9:40000"))
        rig.resolved(0, "10.0.0.2", [near])
        rig.opened(0, dial: rig.takeDials()[0].number, from: near, microseconds: 80_000)
        // Who was dialled begins at once, who dialled after a round trip.
        #expect(rig.answers.keys.sorted() == [1])
        rig.control(0, .hello(.init(seqno: 4, interval: 2_000)))
        rig.run(milliseconds: 79)
        #expect(rig.answers.keys.sorted() == [1])
        rig.run(milliseconds: 1)
        #expect(rig.answers[0] == .init(receiveCost: 95, interval: 6_000))
        #expect(rig.answers[1] == .init(receiveCost: 35, interval: 6_000))
        rig.run(milliseconds: 100)
        _ = rig.takeWritten()
        for id in [0, 1] as [UInt32] { rig.control(id, .hello(.init(seqno: 5, interval: 2_000))) }
        #expect(rig.takeWritten().isEmpty && rig.counters.streamControlReceived == 3)
        // And every 20 s one is asked.
        rig.control(0, .ihu(.init(receiveCost: 15, interval: 6_000)))
        rig.control(1, .ihu(.init(receiveCost: 15, interval: 6_000)))
        rig.run(milliseconds: 20_000)
        #expect(
            rig.takeWritten().map { [UInt32($0.connection)] + kinds($0.bytes).map { UInt32($0) } } == [
                [1, 4], [0, 4],
            ])
    }

    /// A path that moved, or is congested for minutes: the next IHU says so, and routes through it cost more.
    @Test func aNewRoundTripChangesTheCost() throws {
        let rig = StreamRig(streaming([]))
        rig.opened(0, from: near, microseconds: 20_000)
        rig.opened(1, from: StreamRig.address("192.0.2.9:40000"), microseconds: 50_000)
        rig.introduce(0, as: 30, metric: 40)
        rig.introduce(1, as: 30, metric: 40)
        rig.run(milliseconds: 30_000)
        func cost() -> UInt16? { rig.answers[0]?.receiveCost }
        #expect(cost() == 35 && rig.lookup(30).link == 16)
        // Less than a tenth is not taken into use.
        rig.notice(Notice(.streamRoundTrip, id: 0, slot: 22_400))
        #expect(cost() == 35)
        rig.notice(Notice(.streamRoundTrip, id: 0, slot: 120_400))
        #expect(cost() == 135 && rig.streams.first?.roundTripMicroseconds == 120_400)
        rig.run(milliseconds: 5_000)
        #expect(rig.lookup(30).link == 17)
        // Of a connection that is gone, or of another one in its place.
        rig.notice(Notice(.streamRoundTrip, id: 0x1_0000, slot: 20_000))
        rig.notice(Notice(.streamRoundTrip, id: 5, slot: 20_000))
        rig.notice(Notice(.streamRoundTrip, id: 99, slot: 20_000))
        #expect(cost() == 135)
    }

    /// Many words at once for many neighbours: few pieces, in order, none too long.
    @Test func wordsShareTheirPieces() {
        let rig = StreamRig(streaming([]))
        for i in 0..<3 as Range<UInt32> { rig.opened(i, from: StreamRig.address("192.0.2.\(i + 1):40000")) }
        rig.run(milliseconds: 100)
        _ = rig.takeWritten()
        for number in 30..<130 as Range<UInt8> { rig.introduce(0, as: number, metric: 20) }
        rig.run(milliseconds: 50)
        _ = rig.takeWritten()
        rig.control(1, .routeRequest(.init(prefix: nil)))
        let written = rig.takeWritten()
        #expect(written.allSatisfy { $0.connection == 1 && $0.bytes.count <= 1_400 && $0.bytes.count > 0 })
        let updates = written.flatMap { FakeStreams.tlvs($0.bytes) }
        #expect(updates.count == 102 && Set(updates).count == 102)
        // 68 bytes each, 80 for the /128.
        #expect(written.count == 6)
    }

    // MARK: - Routes

    @Test func routesGoByTheLinkOfTheConnection() {
        let rig = StreamRig(streaming([]))
        rig.opened(5, from: near)
        rig.introduce(5, as: 40)
        rig.introduce(5, as: 41, metric: 30)
        rig.run(milliseconds: 5)
        #expect(rig.lookup(40).kind == .link && rig.lookup(40).link == 21 && rig.lookup(41).link == 21)
        #expect(rig.loop.status(now: rig.now).peers.count == 2)
        // Gone with the connection; nothing is announced through it.
        rig.closed(5)
        rig.run(milliseconds: 5)
        #expect(rig.lookup(40).kind == .unreachable && rig.lookup(41).kind == .unreachable)
        rig.opened(5 + 0x1_0000, from: StreamRig.address("192.0.2.77:40000"))
        rig.run(milliseconds: 7_000)
        #expect(rig.lookup(40).kind == .none)
    }

    /// Words for a connection that has just gone, or of one, go nowhere.
    @Test func nothingIsWrittenOnWhatIsGone() {
        let rig = StreamRig(streaming([]))
        rig.opened(5, from: near)
        rig.run(milliseconds: 100)
        rig.closed(5)
        _ = rig.takeWritten()
        rig.control(5, .hello(.init(seqno: 1, interval: 2_000)))
        rig.opened(5 + 0x1_0000, from: near)
        rig.control(5, .hello(.init(seqno: 1, interval: 2_000)))
        rig.run(milliseconds: 100)
        #expect(rig.takeWritten().allSatisfy { $0.connection == 5 + 0x1_0000 })
        #expect(rig.counters.streamControlRefused == 2)
    }

    @Test func aNeighbourThatAnswersNoHelloIsDead() {
        let rig = StreamRig(streaming([]))
        rig.opened(0, from: near)
        rig.introduce(0, as: 40)
        rig.run(milliseconds: 42_900)
        #expect(rig.takeCloses().isEmpty && rig.lookup(40).kind == .link)
        rig.run(milliseconds: 200)
        #expect(rig.takeCloses() == [0] && rig.lookup(40).kind == .unreachable)
        #expect(rig.counters.streamsDead == 1 && rig.streams[0].state == .closing)
        rig.closed(0)
        #expect(rig.log.last?.contains("closed: it does not answer Hellos") == true && rig.streams.isEmpty)
    }

    /// What is found between the opening of a connection and its first words is not lost on it: nothing comes twice.
    @Test func newsDuringTheIntroductionComeBehindIt() {
        let rig = StreamRig(streaming([2]))
        rig.opened(0, from: near)
        rig.run(milliseconds: 100)
        rig.resolved(0, "10.0.0.2", [near])
        rig.opened(1, dial: rig.takeDials()[0].number, from: near, microseconds: 80_000)
        _ = rig.takeWritten()
        let start = rig.now
        for number in 40..<45 as Range<UInt8> { rig.introduce(0, as: number, metric: 20) }
        rig.introduce(0, as: 44, metric: .max)
        rig.run(milliseconds: 99)
        let early = rig.takeWritten().filter { $0.connection == 1 }.flatMap { FakeStreams.tlvs($0.bytes) }
        #expect(early.count >= 60 && early.allSatisfy { if case .ihu = $0 { true } else { false } })
        rig.run(milliseconds: 1)
        let told = rig.takeWritten().filter { $0.connection == 1 }.flatMap { FakeStreams.tlvs($0.bytes) }
        let prefixes = told.compactMap { tlv -> IPv6Address? in
            if case .update(let update) = tlv, update.metric > 0 { update.prefix.address } else { nil }
        }
        #expect(prefixes.map(\.high) == (40..<44).map { SimulatedNetwork.identity($0).address.high })
        #expect(rig.now.milliseconds(since: start) == 100)
        // The neighbour that they came from, and who is not connected, miss nothing.
        for number in 0..<200 as Range<UInt8> { rig.introduce(0, as: number &+ 50, metric: 20) }
        rig.run(milliseconds: 5_000)
        #expect(rig.takeWritten().allSatisfy { $0.bytes.count <= 1_400 })
    }

    // MARK: - Whole nodes

    enum Shape: String, CaseIterable { case line, ring, star, mixed }

    private func network(_ shape: Shape, seed: UInt64) -> SimulatedNetwork {
        switch shape {
        case .line: return .streams(5, edges: [(1, 2), (3, 2), (3, 4), (5, 4)], seed: seed)
        case .ring: return .streams(5, edges: [(1, 2), (2, 3), (3, 4), (4, 5), (5, 1)], seed: seed)
        case .star: return .streams(5, edges: [(2, 1), (3, 1), (4, 1), (5, 1)], seed: seed)
        case .mixed:
            let network = SimulatedNetwork(seed: seed)
            network.addNode(1, streaming([2]))
            network.addNode(2, streaming([]))
            network.addNode(3, streaming([], hl1: [2]))
            network.addNode(4, streaming([3]))
            network.addNode(5, streaming([], hl1: [4]))
            return network
        }
    }

    @Test(arguments: Shape.allCases, [1, 2] as [UInt64])
    func everyoneReachesEveryone(shape: Shape, seed: UInt64) {
        let network = network(shape, seed: seed)
        #expect(network.becomesWhole(seconds: 3))
        for _ in 0..<40 {
            network.run(seconds: 10)
            #expect(network.isWhole)
        }
        for node in network.nodes { #expect(node.worker.streams.controlSizes.allSatisfy { $0 <= 1_400 }) }
        // Nobody was closed and dialled again.
        let dials = network.nodes.map { Int($0.loop.counters.streamsOpened) }.reduce(0, +)
        #expect(dials == network.pipes.count)
    }

    /// The node that is asked for a session may know no way back; the answer goes out as soon as there is one.
    @Test func anAnswerWaitsForTheWayBack() throws {
        let network = SimulatedNetwork(seed: 1)
        network.addNode(1, streaming([]))
        network.addNode(2, streaming([1]))
        network.run(seconds: 2)
        // It comes late, and nobody tells it of those before; they hear of it.
        network.addNode(3, streaming([2]))
        network.run(seconds: 2)
        let (a, b) = (network.node(1), network.node(3))
        #expect(a.worker.lookup(b.address).kind == .link && b.worker.lookup(a.address).kind == .none)
        network.act(on: a) { $0.worker.sendFromHost(to: b.address, now: $1) }
        // INIT 20 ms, question and answer 20 ms, RESP 20 ms: before the INIT is repeated.
        network.run(seconds: 0.1)
        let session = try #require(a.peerStatus.first { $0.key == b.key })
        #expect(session.state == .up && session.isNative)
        #expect(b.loop.counters.queries == 1 && a.loop.counters.flow.initSent == 1)
        #expect(b.worker.lookup(a.address).kind == .link)
        network.act(on: a) { $0.worker.sendFromHost(to: b.address, now: $1) }
        network.run(seconds: 0.1)
        #expect(b.worker.received == [a.address])
    }

    @Test func theCostIsKnownAtOnce() {
        let network = SimulatedNetwork.streams(3, edges: [(1, 2), (2, 3)])
        network.delay = 40...40
        network.run(seconds: 2)
        // 80 ms and the 15 of IPv4 for the first link; what the third node is told.
        let told = network.node(3).loop.status(now: network.now).routing
        #expect(told.contains { $0.name == "table_neighbours" && $0.value == 1 })
        let counters = network.node(2).loop.status(now: network.now).streams
        #expect(counters.allSatisfy { $0.roundTripMicroseconds == 80_000 })
        #expect(network.isWhole)
    }

    @Test func aRestartedNodeIsBack() {
        let network = network(.line, seed: 1)
        network.run(seconds: 20)
        for number in [2, 3, 1] as [UInt8] {
            network.restart(network.node(number))
            // Its neighbours write, are told that nobody knows them, and dial again.
            #expect(network.becomesWhole(seconds: 60))
            network.run(seconds: 30)
            #expect(network.isWhole)
        }
    }

    @Test func aCutConnectionMovesTheRoute() {
        let network = network(.ring, seed: 1)
        network.run(seconds: 10)
        let (a, b) = (network.node(1), network.node(2))
        #expect(network.path(a, b)?.count == 2)
        // One end closes in order: no waiting.
        network.act(on: b) { node, _ in
            for id in node.worker.streams.remotes.keys.sorted() { node.worker.streams.closes.append((id, false)) }
        }
        #expect(network.run(seconds: 0.2) { network.path(a, b).map { $0.count > 2 } ?? true })
        #expect(network.becomesWhole(seconds: 10))
        // Silence is noticed by the missing IHUs.
        network.cut(a, b)
        #expect(network.becomesWhole(seconds: 50))
        network.heal()
        #expect(network.run(seconds: 90) { network.path(a, b)?.count == 2 })
        #expect(network.becomesWhole(seconds: 5))
    }

    @Test func drainingSaysGoodbye() {
        let network = network(.star, seed: 1)
        network.run(seconds: 5)
        let leaf = network.node(2)
        network.act(on: leaf) { node, now in node.loop.drain(now: now) }
        #expect(leaf.worker.commands(.drain).isEmpty)
        network.run(seconds: 0.2)
        for number in [1, 3, 4] as [UInt8] {
            #expect(network.node(number).worker.lookup(leaf.address).kind == .unreachable)
        }
        let operations = leaf.worker.commands.suffix(2).map(\.operation)
        #expect(operations == [.closeStream, .drain] && leaf.worker.commands.suffix(2).first?.value == 0)
        #expect(network.node(1).loop.counters.streamsClosed == 1 && leaf.loop.isDrained)
        // Nothing begins any more.
        let dials = leaf.worker.commands(.openStream).count
        network.run(seconds: 100)
        #expect(leaf.worker.commands(.openStream).count == dials && leaf.worker.commands(.drain).count == 1)
    }

    @Test func drainingRefusesWhoComes() {
        let rig = StreamRig(streaming([2]))
        rig.opened(0, from: near)
        rig.loop.drain(now: rig.now)
        rig.take()
        rig.opened(1, from: near)
        #expect(rig.takeCloses() == [1])
        rig.run(milliseconds: 99)
        #expect(!rig.takeSteps().contains(.command(.drain)))
        rig.run(milliseconds: 1)
        #expect(Array(rig.takeSteps().suffix(2)) == [.close(0, reset: false), .command(.drain)])
        rig.loop.drain(now: rig.now)
        rig.run(milliseconds: 10_000)
        #expect(rig.takeSteps().isEmpty)
    }

    // MARK: - Any bytes

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func anyBytesAreSafe(value: UInt64) {
        let network = SimulatedNetwork.streams(4, edges: [(2, 1), (3, 1), (4, 1)], seed: value)
        network.run(seconds: 3)
        let hub = network.node(1)
        let victim = hub.worker.streams.remotes.keys.sorted()[0]
        var seed = Seed(value)
        var bodies: [[UInt8]] = []
        for number in 40..<60 as Range<UInt8> {
            let update = BabelTLV.update(StreamRig.update(number, metric: UInt16(number), seqno: 3))
            bodies.append([update.type, UInt8(update.body.count)] + update.body)
        }
        for _ in 0..<4_000 {
            var body: [UInt8]
            switch seed.next() % 3 {
            case 0: body = (0..<Int(seed.next() % 300)).map { _ in UInt8(truncatingIfNeeded: seed.next() >> 16) }
            case 1:
                body = [UInt8(4 + seed.next() % 8)] + (0..<70).map { _ in UInt8(truncatingIfNeeded: seed.next() >> 16) }
            default:
                body = bodies[Int(seed.next() % 20)]
                for _ in 0..<seed.next() % 4 {
                    body[Int(seed.next() % UInt64(body.count))] ^= 1 << UInt8(seed.next() % 8)
                }
                if seed.next() % 3 == 0 { body = Array(body.prefix(Int(seed.next() % UInt64(body.count)))) }
                if seed.next() % 3 == 0 { body += bodies[Int(seed.next() % 20)] }
            }
            let connection = seed.next() % 10 == 0 ? UInt32(truncatingIfNeeded: seed.next()) : victim
            network.act(on: hub) { node, now in
                body.withUnsafeBytes {
                    node.loop.handle(
                        PuntedPacket(kind: .streamControl, length: $0.count, link: connection), $0, now: now)
                    // Openings that are none, and notices about nobody.
                    node.loop.handle(
                        PuntedPacket(kind: .streamOpened, length: $0.count, link: 31, sender: .none),
                        UnsafeRawBufferPointer(rebasing: $0.prefix(7)), now: now)
                }
                let kinds: [Notice.Kind] = [.streamFailed, .routeUsed, .peerMarked, .peerFellBack]
                let kind = kinds[Int(seed.next() % UInt64(kinds.count))]
                node.loop.handle(
                    Notice(kind, id: UInt32(truncatingIfNeeded: seed.next()), slot: UInt32(seed.next() % 200)), now: now
                )
            }
            if seed.next() % 100 == 0 { network.run(seconds: 0.3) }
        }
        #expect(hub.loop.counters.streamControlRefused > 500 && hub.loop.counters.streamControlReceived > 2_000)
        // The others never noticed, and what the liar said goes with its connection.
        network.run(seconds: 1)
        #expect(
            network.node(3).loop.counters.streamsClosed == 0 && network.path(network.node(3), network.node(4)) != nil)
        network.act(on: hub) { node, _ in node.worker.streams.closes.append((victim, true)) }
        #expect(network.becomesWhole(seconds: 20))
        for number in 40..<60 as Range<UInt8> {
            #expect(hub.worker.lookup(SimulatedNetwork.identity(number).address).kind != .link)
        }
    }

    /// A neighbour that asks and tells without end gets what its budget allows, the others what they need.
    @Test func floodsAreBounded() throws {
        let rig = StreamRig(streaming([]))
        for i in 0..<3 as Range<UInt32> { rig.opened(i, from: StreamRig.address("192.0.2.\(i + 1):40000")) }
        rig.run(milliseconds: 100)
        _ = rig.takeWritten()
        for round in 0..<20 {
            for i in 0..<1_000 {
                rig.control(0, .hello(.init(seqno: UInt16(i), interval: 2_000)))
                let address = IPv6Address(high: 0x0400_0000_0000_0000 | UInt64(round * 1_000 + i) << 8, low: 0)
                rig.control(0, .routeRequest(.init(prefix: Prefix(address, length: 64))))
                rig.control(0, .routeRequest(.init(prefix: nil)))
            }
            rig.run(milliseconds: 100)
        }
        let written = rig.takeWritten()
        let tlvs = written.flatMap { piece in FakeStreams.tlvs(piece.bytes).map { (piece.connection, $0.type) } }
        // 64 open queries; Hellos are not control's to answer.
        #expect(tlvs.count { $0.1 == 5 } == 0)
        #expect(tlvs.count { $0.0 != 0 && $0.1 == 9 } == 2 * 64)
        let figures = Dictionary(
            uniqueKeysWithValues: rig.loop.status(now: rig.now).routing.map { ($0.name, $0.value) })
        let exceeded = try #require(figures["rate_exceeded"])
        #expect(exceeded > 30_000 && figures["table_queries"] == 64)
        rig.control(1, .routeRequest(.init(prefix: nil)))
        #expect(rig.takeWritten().map(\.connection) == [1])
    }
}
