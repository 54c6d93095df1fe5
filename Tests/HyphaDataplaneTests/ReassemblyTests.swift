import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaWire
import Testing

@testable import HyphaDataplane

/// Pieces that become packets: against the slow model, at every limit, and through a whole worker.
struct ReassemblyTests {
    static let stranger = IPv6Address(high: 0x04F0 << 48, low: 1)
    static let target = IPv6Address(high: 0x0500_0000_0000_0033, low: 0x44)

    /// What pieces are made of, and what a run of them must reach.
    struct ModelRun {
        var ids: Int
        var links: Int
        /// Milliseconds between pieces now and then, at most.
        var pace: Int
        var wholes: UInt64
        /// Pieces that wait at the same time.
        var most: Int
    }

    /// Any pieces in any order from many links, and sessions that end.
    @Test(arguments: [
        ModelRun(ids: 6, links: 3, pace: 140, wholes: 1_000, most: 20),
        ModelRun(ids: 90, links: 24, pace: 30, wholes: 100, most: 300),
        ModelRun(ids: 65_536, links: 2, pace: 3, wholes: 0, most: 128),
        ModelRun(ids: 9_000, links: 24, pace: 0, wholes: 0, most: 1_024),
        ModelRun(ids: 30, links: 24, pace: 1, wholes: 500, most: 900),
    ])
    func equalsTheModel(run: ModelRun) throws {
        let (ids, links) = (run.ids, run.links)
        var random = Seed(UInt64(ids))
        func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &random) }
        let node = try TestNode("N", number: 1, TestNode.Options(slots: 1_100))
        var context = node.worker.context
        context.now = Instant(nanoseconds: 5_000_000_000)
        var reassembly = Reassembly(pool: node.pool, counters: node.counters, links: links)
        var slab = FrameSlab(pool: node.pool)
        var vector = PacketVector()
        let buffer = try #require(node.pool.takeSlab())
        var model = SlowReassembly()
        var most = 0
        defer {
            reassembly.deallocate()
            slab.deallocate()
            vector.deallocate()
        }
        for step in 0..<6_000 {
            switch below(400) {
            case 0...3: context.now = context.now.advanced(byMilliseconds: UInt64(below(run.pace + 1)))
            case 4:
                let session = UInt32(below(2 * links))
                reassembly.endSession(session, link: session / 2)
                model.end(session)
            case 5:
                reassembly.expire(now: context.now)
                model.expire(context.now)
            case 6:
                reassembly.releaseWholes()
                slab.releaseFull()
            default: break
            }
            let session = UInt32(below(2 * links))
            let length = below(20) == 0 ? 1 + below(2_200) : 1 + below(90)
            var piece = SlowReassembly.Piece(
                link: session / 2, session: session, lane: UInt8(below(2)),
                id: UInt16(truncatingIfNeeded: below(ids)), part: UInt8(below(2)), total: 2,
                bytes: (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }, since: context.now)
            if below(4) != 0 { piece.bytes[0] &= 0x7F }
            if below(50) == 0 { piece.part = UInt8(below(256)) }
            if below(50) == 0 { piece.total = UInt8(below(256)) }

            let datagram =
                [UInt8](repeating: 6, count: 16) + Seal.little(UInt64(piece.id), 2) + [piece.part, piece.total]
                + piece.bytes + [UInt8](repeating: 7, count: 16)
            let offset = 128 + below(4_000)
            datagram.withUnsafeBytes {
                if let base = $0.baseAddress {
                    (node.pool.base(buffer) + offset).copyMemory(from: base, byteCount: datagram.count)
                }
            }
            vector.removeAll()
            vector.append(
                Descriptor(
                    buffer: buffer, offset: UInt32(offset), length: UInt32(datagram.count), mode: .fragment))
            vector.packets[0].link = piece.session
            vector.packets[0].lane = piece.lane
            reassembly.take(vector.packets, link: piece.link, &slab, context)

            let packet = vector.packets[0]
            let outcome: SlowReassembly.Outcome? =
                switch packet.disposition {
                case .parked: .waits
                case .drop where packet.reason == DropReason.badFragment.rawValue: .bad
                case .undecided where packet.mode == .full && packet.link == piece.session:
                    .whole(
                        Array(
                            UnsafeRawBufferPointer(
                                start: node.pool.base(packet.buffer) + Int(packet.offset) + 16,
                                count: Int(packet.length) - 32)))
                default: nil
                }
            if packet.disposition == .drop { node.counters.drop(.badFragment) }
            let expected = model.take(piece)
            most = max(most, model.waiting.count)
            if outcome != expected || reassembly.waiting != model.waiting.count
                || node.counters[.fragmentLost] != UInt64(model.lost)
                || node.counters[.badFragment] != UInt64(model.bad)
                || node.pool.freeSlotCount != node.pool.slotCount - reassembly.waiting
            {
                let (got, wanted) = ("\(String(describing: outcome))".prefix(90), "\(expected)".prefix(90))
                Issue.record("step \(step): \(got), not \(wanted)")
                return
            }
            // A vector is never longer.
            if step % 200 == 0 { reassembly.releaseWholes() }
        }
        // The runs are what they are for: few ids meet their other piece, many reach the limits.
        #expect(node.counters[.reassembled] >= run.wholes, "\(node.counters[.reassembled]) wholes")
        #expect(most >= run.most, "\(most) waited")
        #expect(node.counters[.punted] == 2 * node.counters[.injected])
        reassembly.dropAll(.shutdown)
        reassembly.releaseWholes()
        slab.releaseFull()
        #expect(reassembly.waiting == 0)
        #expect(node.pool.freeSlotCount == node.pool.slotCount)
        #expect(node.pool.freeSlabCount >= node.pool.slabCount - 2)
    }

    // MARK: through a worker

    struct Bench {
        let network: TestNetwork
        let node: TestNode
        let link: Neighbour
        let onward: Neighbour

        init(_ options: TestNode.Options = TestNode.Options(), lanes: Int = 16) throws {
            network = TestNetwork(seed: 211)
            node = try network.add("N", options)
            link = try Neighbour(network, node, number: 1, Neighbour.Options(lanes: lanes))
            onward = try Neighbour(network, node, number: 2, Neighbour.Options(mtu: 5_000))
            node.route(ReassemblyTests.target, NextHop(kind: .link, link: onward.link))
            node.turn(network.now)
            node.forget()
        }

        func packet(kind: UInt8 = 4, _ count: Int, to destination: IPv6Address = target) -> [UInt8] {
            Seal.route(kind: kind, hopLimit: 9, source: stranger.bytes, destination: destination.bytes)
                + network.bytes(count)
        }

        /// What went on, as the node got it.
        var passed: [[UInt8]?] {
            onward.received.map { $0.inner.map { [$0[0], $0[1] + 1] + $0[2...] } }
        }

        func turn() { node.turn(network.now) }
    }

    /// Sizes at the edges, the second piece first or last, on all lanes.
    @Test func wholes() throws {
        let bench = try Bench()
        var sent: [[UInt8]] = []
        for (i, count) in [0, 1, 2, 500, 1_431, 1_432, 4_047, 4_048].enumerated() {
            for isReversed in [false, true] {
                let packet = bench.packet(count)
                let pieces = bench.link.pieces(packet, id: UInt16(i), lane: UInt8(2 * i + (isReversed ? 1 : 0)))
                for piece in isReversed ? pieces.reversed() : pieces { bench.link.send(piece) }
                sent.append(packet)
            }
        }
        for _ in 0..<3 { bench.turn() }
        #expect(bench.passed == sent)
        #expect(bench.onward.received.allSatisfy { $0.datagram[0] == 4 })
        #expect(bench.node.counters[.reassembled] == 16 && bench.node.counters[.fragmentsReceived] == 32)
        #expect(bench.node.counters[.punted] == 32 && bench.node.counters[.injected] == 16)
        #expect(bench.node.drops == [:])
        bench.node.expectNoLeak()
    }

    /// Any two parts make a packet, not only halves.
    @Test func unequalPieces() throws {
        let bench = try Bench()
        let packet = bench.packet(1_000)
        for at in [1, 3, 47, 48, 1_047] {
            bench.link.send(bench.link.fragment(id: 5, part: 1, Array(packet[at...])))
            bench.link.send(bench.link.fragment(id: 5, part: 0, Array(packet[..<at])))
        }
        for _ in 0..<3 { bench.turn() }
        #expect(bench.passed == Array(repeating: packet, count: 5))
    }

    /// A native packet comes in pieces too; its body is opened here, and it goes on fully sealed elsewhere.
    @Test func nativePackets() throws {
        let bench = try Bench()
        let peer = try RemotePeer(bench.network, bench.node, address: IPv6Address(high: 0x0501 << 48, low: 7))
        bench.turn()
        let inner = Inner.udp(from: peer.address, to: bench.node.address, payload: bench.network.bytes(1_300))
        for piece in bench.link.pieces(peer.carry(inner), id: 0) { bench.link.send(piece) }
        let transit = bench.packet(kind: 0, 700)
        for piece in bench.link.pieces(transit, id: 1) { bench.link.send(piece) }
        bench.turn()
        #expect(bench.node.packets.map { Array($0[8...]) } == [Array(inner[8...])])
        #expect(bench.passed == [transit] && bench.onward.received[0].datagram[0] == 4)
        bench.turn()
        bench.node.expectNoLeak()
    }

    /// Session, lane and id name a packet: pieces that differ in one of them never meet.
    @Test func keys() throws {
        let bench = try Bench()
        let other = try Neighbour(bench.network, bench.node, number: 3)
        bench.turn()
        let packet = bench.packet(900)
        let half = packet.count / 2
        bench.link.send(bench.link.fragment(id: 7, part: 0, Array(packet[..<half])))
        bench.link.send(bench.link.fragment(id: 8, part: 1, Array(packet[half...])))
        bench.link.send(bench.link.fragment(id: 7, part: 1, Array(packet[half...]), lane: 2))
        other.send(other.fragment(id: 7, part: 1, Array(packet[half...])))
        bench.turn()
        #expect(bench.node.worker.waiting == 4 && bench.node.sent.isEmpty)
        // A new session of the same link starts from nothing.
        let old = bench.link.slot
        try bench.link.agree(bench.network)
        bench.turn()
        bench.link.send(bench.link.fragment(id: 7, part: 1, Array(packet[half...])))
        bench.turn()
        #expect(bench.node.worker.waiting == 5 && bench.node.sent.isEmpty)
        // What came under the old one ends with it.
        bench.node.command(WorkerCommand(.retireLinkSession, slot: old))
        bench.turn()
        #expect(bench.node.worker.waiting == 2 && bench.node.drops == ["fragment_lost": 3])
        bench.link.send(bench.link.fragment(id: 7, part: 0, Array(packet[..<half])))
        other.send(other.fragment(id: 7, part: 0, Array(packet[..<half])))
        bench.turn()
        #expect(bench.passed == [packet, packet])
    }

    /// A copy of a piece under a new counter is dropped; the first one stays.
    @Test func secondCopy() throws {
        let bench = try Bench()
        let packet = bench.packet(900)
        let half = packet.count / 2
        bench.link.send(bench.link.fragment(id: 7, part: 0, Array(packet[..<half])))
        bench.link.send(bench.link.fragment(id: 7, part: 0, bench.network.bytes(half)))
        bench.link.send(bench.link.fragment(id: 7, part: 1, Array(packet[half...])))
        bench.link.send(bench.link.fragment(id: 7, part: 1, Array(packet[half...])))
        bench.turn()
        #expect(bench.passed == [packet])
        // The last one began another packet.
        #expect(bench.node.drops == ["bad_fragment": 1] && bench.node.worker.waiting == 1)
    }

    /// 100 ms and not more, also when no tick comes in between.
    @Test(arguments: [(99, true), (100, false), (101, false)] as [(UInt64, Bool)])
    func time(milliseconds: UInt64, isInTime: Bool) throws {
        let bench = try Bench()
        let packet = bench.packet(900)
        let pieces = bench.link.pieces(packet, id: 3)
        bench.link.send(pieces[0])
        bench.turn()
        bench.network.advance(milliseconds: milliseconds)
        bench.link.send(pieces[1])
        bench.turn()
        #expect(bench.passed == (isInTime ? [packet] : []))
        #expect(bench.node.drops == (isInTime ? [:] : ["fragment_lost": 1]))
        #expect(bench.node.worker.waiting == (isInTime ? 0 : 1))
    }

    /// What is alone ends by itself, within a tick.
    @Test func timeAlone() throws {
        let bench = try Bench()
        for id in 0..<5 as Range<UInt16> { bench.link.send(bench.link.pieces(bench.packet(900), id: id)[0]) }
        bench.turn()
        #expect(bench.node.worker.waiting == 5)
        // No answer is owed to anybody: only the pieces keep the worker awake.
        bench.node.worker.context.links[bench.link.link]?.pointee.liveness = Liveness()
        bench.network.sleep(bench.node, milliseconds: 99)
        #expect(bench.node.worker.waiting == 5)
        bench.network.sleep(bench.node, milliseconds: 51)
        #expect(bench.node.worker.waiting == 0 && bench.node.drops == ["fragment_lost": 5])
        bench.node.expectNoLeak()
    }

    /// A link that begins too many loses its own oldest.
    @Test func perLink() throws {
        let bench = try Bench(TestNode.Options(slots: 200))
        let other = try Neighbour(bench.network, bench.node, number: 3)
        bench.turn()
        let kept = bench.packet(700)
        let keptPieces = other.pieces(kept, id: 0)
        other.send(keptPieces[0])
        let packets = (0..<66).map { _ in bench.packet(600) }
        let pieces = packets.enumerated().map { bench.link.pieces($1, id: UInt16($0)) }
        for piece in pieces { bench.link.send(piece[1]) }
        while bench.node.io.waiting > 0 { bench.turn() }
        #expect(bench.node.worker.waiting == 65 && bench.node.drops == ["fragment_lost": 2])
        // The first pieces of the lost packets begin them anew, which costs two others.
        other.send(keptPieces[1])
        for piece in pieces[4...] { bench.link.send(piece[0]) }
        for piece in pieces[..<2] { bench.link.send(piece[0]) }
        while bench.node.io.waiting > 0 { bench.turn() }
        #expect(bench.passed == [kept] + packets[4...])
        bench.turn()
        bench.node.expectNoLeak()
    }

    /// Without a slot to wait in, or a slab to stand in, pieces end.
    @Test func noMemory() throws {
        let bench = try Bench(TestNode.Options(slabs: 6, slots: 3))
        let packets = (0..<5).map { _ in bench.packet(900) }
        let pieces = packets.enumerated().map { bench.link.pieces($1, id: UInt16($0)) }
        for piece in pieces { bench.link.send(piece[0]) }
        bench.turn()
        #expect(bench.node.worker.waiting == 3 && bench.node.drops == ["no_buffer": 2])
        bench.turn()
        // One slab to receive in, none to build in.
        var taken: [UInt32] = []
        while bench.node.pool.freeSlabCount > 1 { if let slab = bench.node.pool.takeSlab() { taken.append(slab) } }
        bench.link.send(pieces[0][1])
        bench.turn()
        #expect(bench.node.worker.waiting == 2 && bench.node.drops == ["no_buffer": 4])
        for slab in taken { bench.node.pool.release(slab) }
        for piece in pieces[1..<3] { bench.link.send(piece[1]) }
        bench.turn()
        #expect(bench.passed == Array(packets[1..<3]))
        bench.turn()
        bench.node.expectNoLeak()
    }

    /// A node that shuts down waits for nobody.
    @Test func drain() throws {
        let bench = try Bench()
        bench.link.send(bench.link.pieces(bench.packet(900), id: 3)[0])
        bench.turn()
        #expect(bench.node.worker.waiting == 1)
        bench.node.command(WorkerCommand(.drain))
        bench.turn()
        #expect(bench.node.worker.isDrained && bench.node.drops == ["shutdown": 1])
        #expect(bench.node.pool.freeSlotCount == bench.node.pool.slotCount)
    }

    /// A vector full of second pieces of the largest packets: more than a few slabs of wholes at once.
    @Test func fullVector() throws {
        let bench = try Bench(TestNode.Options(slabs: 60, slots: 400, maxLinks: 16))
        let others = try (3..<8).map { try Neighbour(bench.network, bench.node, number: $0) }
        bench.turn()
        let packets = (0..<256).map { _ in bench.packet(4_048) }
        let pieces = packets.enumerated().map { others[$0 % 5].pieces($1, id: UInt16($0 / 5)) }
        for piece in pieces { others[0].send(piece[0]) }
        while bench.node.io.waiting > 0 { bench.turn() }
        #expect(bench.node.worker.waiting == 256 && bench.node.drops == [:])
        // As trains: all of them in one vector.
        for part in 0..<16 {
            let train = pieces[16 * part..<16 * part + 16].flatMap { $0[1] }
            bench.node.io.arrive(train, segmentSize: train.count / 16, from: others[0].endpoint)
        }
        bench.turn()
        #expect(bench.passed == packets)
        bench.turn()
        #expect(bench.node.drops == [:] && bench.node.worker.waiting == 0)
        bench.node.expectNoLeak()
    }

    /// Pieces prove that a link lives, as all data does, and are answered.
    @Test func liveness() throws {
        let bench = try Bench()
        bench.link.send(bench.link.pieces(bench.packet(900), id: 3)[0])
        bench.turn()
        bench.network.sleep(bench.node, milliseconds: 300)
        #expect(bench.link.received.map(\.inner) == [[]])
    }
}
