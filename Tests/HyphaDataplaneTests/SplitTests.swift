import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire
import Testing

@testable import HyphaDataplane

/// Packets that leave in two pieces: which, how, in what order; and both ends together.
struct SplitTests {
    static let target = ReassemblyTests.target

    /// A node between a neighbour that sends and one that the packets go to.
    struct Bench {
        let network: TestNetwork
        let node: TestNode
        let from: Neighbour
        let to: Neighbour

        init(_ options: TestNode.Options = TestNode.Options(), mtu: Int = 1_452, lanes: Int = 16) throws {
            network = TestNetwork(seed: 223)
            node = try network.add("N", options)
            from = try Neighbour(network, node, number: 1)
            to = try Neighbour(network, node, number: 2, Neighbour.Options(lanes: lanes, mtu: mtu))
            node.route(SplitTests.target, NextHop(kind: .link, link: to.link))
            node.turn(network.now)
            node.forget()
        }

        func packet(kind: UInt8 = 4, inner: Int) -> [UInt8] {
            Seal.route(
                kind: kind, hopLimit: 9, source: ReassemblyTests.stranger.bytes,
                destination: SplitTests.target.bytes) + network.bytes(inner - 48)
        }

        func pass(_ packet: [UInt8]) {
            from.send(from.full(packet))
            node.turn(network.now)
        }

        /// The packet as it is after one more hop.
        func hopped(_ packet: [UInt8]) -> [UInt8] { [packet[0], packet[1] - 1] + packet[2...] }
    }

    /// What a packet of `inner` bytes becomes on a link that takes datagrams of `mtu` bytes: 0, 1 or 2 datagrams.
    static func datagrams(_ inner: Int, mtu: Int) -> Int {
        if inner + 32 <= mtu { return 1 }
        return inner <= 4_096 && (inner + 1) / 2 + 36 <= mtu ? 2 : 0
    }

    /// Every size around every limit, byte by byte.
    @Test(arguments: [300, 301, 1_232, 1_452, 2_084, 2_085, 4_127, 4_128, 5_000]) func sizes(mtu: Int) throws {
        let bench = try Bench(mtu: mtu)
        var id: UInt64 = 0
        var tooBig: UInt64 = 0
        let around = [mtu - 32, 2 * (mtu - 36), 4_096, 1_480]
        let sizes = Set(around.flatMap { $0 - 2...$0 + 3 }.filter { $0 >= 48 && $0 <= 6_000 })
        for inner in sizes.sorted() {
            let packet = bench.packet(inner: inner)
            bench.node.forget()
            bench.pass(packet)
            let hopped = bench.hopped(packet)
            let half = (inner + 1) / 2
            switch SplitTests.datagrams(inner, mtu: mtu) {
            case 1: #expect(bench.to.received.map(\.inner) == [hopped], "\(inner)")
            case 2:
                let head = Seal.little(id & 0xFFFF, 2)
                #expect(
                    bench.to.received.map(\.inner) == [
                        head + [0, 2] + hopped[..<half], head + [1, 2] + hopped[half...],
                    ], "\(inner)")
                #expect(bench.to.received.allSatisfy { $0.datagram[0] == 6 && $0.datagram[1] == 1 }, "\(inner)")
                #expect(bench.to.received.allSatisfy { $0.datagram.count <= mtu }, "\(inner)")
                id += 1
            default:
                #expect(bench.node.sent.isEmpty, "\(inner)")
                tooBig += 1
            }
        }
        bench.node.turn(bench.network.now)
        #expect(bench.node.counters[.fragmentsSent] == 2 * id && id > 0 || mtu > 4_127)
        #expect(bench.node.drops == (tooBig == 0 ? [:] : ["too_big": tooBig]))
        #expect(bench.node.counters[.errorsSent] == 0)
        bench.node.expectNoLeak()
    }

    @Test func largestFrames() {
        for mtu in [0, 1, 31, 36, 37, 60, 84, 85, 100, 1_232, 2_083, 2_084, 4_127, 4_128, 4_129, 65_535] {
            var link = LinkRecord()
            link.mtu = UInt32(mtu)
            #expect(link.largestFrame(.data) == UInt32(mtu))
            let most = (Array(0...4_200) + [mtu - 33, mtu - 32]).filter { SplitTests.datagrams($0, mtu: mtu) > 0 }.max()
            if let most, most >= 48 { #expect(link.largestFrame(.stock) == UInt32(most + 32), "\(mtu)") }
            link.isStream = 1
            #expect(link.largestFrame(.stock) == UInt32(mtu))
        }
    }

    /// Native packets of these sizes are answered, and link control goes as it is.
    @Test func othersAreNotSplit() throws {
        let bench = try Bench(mtu: 1_232)
        bench.node.route(ReassemblyTests.stranger, NextHop(kind: .link, link: bench.from.link))
        for kind in 0...3 as ClosedRange<UInt8> { bench.pass(bench.packet(kind: kind, inner: 1_300)) }
        #expect(bench.to.received.isEmpty && bench.node.drops == ["too_big": 4])
        #expect(bench.from.received.compactMap(\.inner).filter { $0[0] == 0x50 }.count == 4)
        bench.node.forget()
        let control = [0x84, 0x50, 5] + bench.network.bytes(1_360)
        bench.node.inject(InjectedPacket(kind: .linkControl, length: control.count, link: bench.to.link), control)
        bench.node.turn(bench.network.now)
        #expect(bench.to.received.map(\.inner) == [control] && bench.to.received[0].datagram[0] == 4)
        #expect(bench.node.counters[.fragmentsSent] == 0)
    }

    /// What control sends to the overlay goes on the control lane, in pieces too.
    @Test func injected() throws {
        let bench = try Bench(mtu: 1_232)
        let packet = bench.packet(inner: 1_400)
        bench.node.inject(InjectedPacket(kind: .overlay, length: packet.count), packet)
        bench.node.turn(bench.network.now)
        let hopped = bench.hopped(packet)
        #expect(bench.to.received.map(\.inner) == [[0, 0, 0, 2] + hopped[..<700], [0, 0, 1, 2] + hopped[700...]])
        #expect(bench.to.received.allSatisfy { $0.datagram[0] == 6 && $0.datagram[1] == 0 })
        bench.node.turn(bench.network.now)
        bench.node.expectNoLeak()
    }

    /// Ids count per session and lane and go round; a lane that was not agreed on is lane 0.
    @Test(arguments: [1, 16]) func ids(lanes: Int) throws {
        let bench = try Bench(mtu: 1_232, lanes: lanes)
        let lane = lanes == 1 ? 0 : 1
        bench.node.port.linkSessions.fragmentID(bench.to.slot, lane: lane).pointee = 0xFFFE
        for _ in 0..<4 { bench.pass(bench.packet(inner: 1_400)) }
        let ids = bench.to.received.compactMap(\.inner).map { Array($0[..<3]) }
        let expected: [[UInt8]] = [[0xFE, 0xFF], [0xFF, 0xFF], [0, 0], [1, 0]].flatMap { [$0 + [0], $0 + [1]] }
        #expect(ids == expected)
        #expect(bench.to.received.allSatisfy { Int($0.datagram[1]) == lane })
        let sessions = bench.node.port.linkSessions
        for other in 0..<16 where other != lane {
            #expect(sessions.fragmentID(bench.to.slot, lane: other).pointee == 0)
        }
        // A new session begins anew.
        bench.node.forget()
        try bench.to.agree(bench.network, Neighbour.Options(lanes: lanes))
        bench.pass(bench.packet(inner: 1_400))
        #expect(bench.to.received.compactMap(\.inner).map { Array($0[..<3]) } == [[0, 0, 0], [0, 0, 1]])
    }

    /// Large and small packets of one vector leave in the order in which they came, with counters in that order.
    @Test func order() throws {
        let bench = try Bench(TestNode.Options(slabs: 60), mtu: 700)
        var expected: [[UInt8]] = []
        // Trains of 16, the last packet of each shorter: one vector holds them all.
        for i in 0..<16 {
            let size = [120, 900, 1_328, 400, 1_200][i % 5]
            let packets = (0..<16).map { bench.packet(inner: $0 == 15 ? 100 : size) }
            expected += packets.map(bench.hopped)
            bench.node.io.arrive(
                packets.flatMap { bench.from.full($0) }, segmentSize: size + 32, from: bench.from.endpoint)
        }
        bench.node.turn(bench.network.now)
        #expect(bench.node.io.waiting == 0)
        var whole: [[UInt8]] = []
        for (datagram, inner) in bench.to.received {
            let inner = try #require(inner)
            if datagram[0] == 4 || inner[2] == 0 {
                whole.append(datagram[0] == 4 ? inner : Array(inner[4...]))
            } else {
                whole[whole.count - 1] += inner[4...]
            }
        }
        #expect(whole == expected)
        let counters = bench.to.received.map { $0.datagram[8..<16].reversed().reduce(0) { $0 << 8 | UInt64($1) } }
        #expect(counters == (0..<UInt64(counters.count)).map { $0 })
        #expect(bench.node.drops == [:])
    }

    /// A full vector of packets that all leave in pieces, and with few slabs: none is lost without a reason.
    @Test(arguments: [60, 16, 9, 3]) func fullVector(slabs: Int) throws {
        let bench = try Bench(TestNode.Options(slabs: slabs))
        var expected: [[UInt8]] = []
        for _ in 0..<6 {
            var train: [UInt8] = []
            for _ in 0..<43 {
                let packet = bench.packet(inner: 1_480)
                expected.append(bench.hopped(packet))
                train += bench.from.full(packet)
            }
            bench.node.io.arrive(train, segmentSize: train.count / 43, from: bench.from.endpoint)
        }
        for _ in 0..<20 { bench.node.turn(bench.network.now) }
        let inner = bench.to.received.compactMap(\.inner)
        #expect(bench.node.counters[.sent] == UInt64(inner.count))
        let lost = Int(bench.node.counters[.noBuffer])
        #expect(inner.count == 2 * (expected.count - lost) && (slabs < 16 || lost == 0), "\(lost)")
        if lost == 0 {
            let whole = stride(from: 0, to: inner.count, by: 2).map { Array(inner[$0][4...] + inner[$0 + 1][4...]) }
            #expect(whole == expected)
        }
        bench.node.expectNoLeak()
    }

    /// The link is gone, its key is used up, or the kernel takes nothing: every piece ends by name.
    @Test func ends() throws {
        let bench = try Bench(mtu: 1_232)
        let sessions = bench.node.port.linkSessions
        bench.node.io.isFull = true
        bench.pass(bench.packet(inner: 1_400))
        #expect(bench.node.drops == ["queue_full": 2])
        bench.node.io.isFull = false
        // The last counter of the lane is left: the first piece takes it.
        sessions.sendCounter(bench.to.slot, lane: 1).pointee = (1 << 50) - 1
        bench.pass(bench.packet(inner: 1_400))
        #expect(bench.to.received.count == 1 && bench.node.drops == ["queue_full": 2, "key_expired": 1])
        bench.node.command(WorkerCommand(.retireLinkSession, slot: bench.to.slot))
        bench.pass(bench.packet(inner: 1_400))
        #expect(bench.node.drops == ["queue_full": 2, "key_expired": 1, "link_down": 1])
        bench.node.turn(bench.network.now)
        bench.node.expectNoLeak()
    }

    // MARK: both ends

    /// What the run of `both` does to the datagrams between the two nodes.
    enum Wire: String, CaseIterable {
        case straight, shuffled, lossy, doubled
    }

    /// Packets of random sizes through two nodes with random limits: what fits arrives once and unchanged, whatever
    /// happens to the order; a lost piece costs its own packet.
    @Test(arguments: Wire.allCases, 0..<6 as Range<UInt64>) func both(wire: Wire, seed: UInt64) throws {
        let network = TestNetwork(seed: 1_000 + seed)
        func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &network.random) }
        let options = TestNode.Options(slabs: 60, slots: 200)
        let (a, b) = (try network.add("A", options), try network.add("B", options))
        let between = number(1...3) == 1 ? number(150...700) : number(1_232...1_500)
        let ids = try network.link(a, b, suite: UInt8(number(1...2)), lanes: number(1...16), mtu: between)
        let from = try Neighbour(network, a, number: 1)
        let last = number(300...5_000)
        let to = try Neighbour(network, b, number: 2, Neighbour.Options(mtu: last))
        a.route(SplitTests.target, NextHop(kind: .link, link: ids.a))
        b.route(SplitTests.target, NextHop(kind: .link, link: to.link))
        network.step()
        network.forget()
        var crossing: [[UInt8]] = []
        network.tamper = { node, train in
            if node === a { crossing += train.datagrams }
            return []
        }

        var got: [[UInt8]: Int] = [:]
        var expected: [[UInt8]] = []
        var lostPackets = 0
        for _ in 0..<30 {
            for _ in 0..<number(1...30) {
                let inner = number(0...3) == 0 ? number(56...4_200) : number(1_200...1_550)
                let packet =
                    Seal.route(
                        kind: 4, hopLimit: 9, source: ReassemblyTests.stranger.bytes,
                        destination: SplitTests.target.bytes) + network.bytes(inner - 48)
                from.send(from.full(packet))
                let fits =
                    SplitTests.datagrams(inner, mtu: between) > 0 && SplitTests.datagrams(inner, mtu: last) > 0
                if fits { expected.append([packet[0], 7] + packet[2...]) }
            }
            while a.io.waiting > 0 {
                a.turn(network.now)
                for train in a.sent where train.destination == b.endpoint { crossing += train.datagrams }
                a.forget()
            }
            switch wire {
            case .straight: break
            case .shuffled: crossing.shuffle(using: &network.random)
            case .lossy:
                let before = crossing.count
                crossing.removeAll { _ in number(0...9) == 0 }
                lostPackets += before - crossing.count
            case .doubled: crossing = crossing.flatMap { [$0, $0] }
            }
            for datagram in crossing { b.io.arrive(datagram, from: a.endpoint) }
            crossing = []
            while b.io.waiting > 0 {
                b.turn(network.now)
                for packet in SplitTests.wholes(to.received.compactMap(\.inner)) { got[packet, default: 0] += 1 }
                b.forget()
            }
            network.advance(milliseconds: UInt64(number(0...20)))
        }
        #expect(got.values.allSatisfy { $0 == 1 })
        let arrived = expected.filter { got[$0] == 1 }.count
        #expect(arrived == got.count)
        #expect(wire == .lossy ? arrived >= expected.count - lostPackets : arrived == expected.count)
        #expect(wire != .lossy || arrived < expected.count)
        #expect(b.counters[.badFragment] == 0 && (wire == .doubled || b.counters[.replay] == 0))
        network.sleep(b, milliseconds: 200)
        #expect(b.worker.waiting == 0 && (wire == .lossy || b.counters[.fragmentLost] == 0))
        for node in [a, b] {
            for _ in 0..<2 { node.turn(network.now) }
            node.expectNoLeak()
        }
    }

    /// The packets in what a node sent, put together where they came in pieces one right behind the other.
    static func wholes(_ inner: [[UInt8]]) -> [[UInt8]] {
        var all: [[UInt8]] = []
        // What begins with 0x80 or more is a control message, what is empty a keepalive.
        for message in inner where message.first.map({ $0 < 0x80 }) ?? false {
            // A routing header of a stock body begins with 0x40, 7; the head of a piece has 2 in its fourth byte.
            if message[0] == 0x40, message[1] == 7, message[3] == 0 {
                all.append(message)
            } else if message[2] == 0 {
                all.append(Array(message[4...]))
            } else {
                all[all.count - 1] += message[4...]
            }
        }
        return all
    }
}
