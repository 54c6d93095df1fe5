import CAllocHook
import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaWire
import Testing

@testable import HyphaDataplane

/// No packet costs an allocation: not on its way in, through, or out, and not where it ends.
@Suite(.enabled(if: chy_alloc_hook_active() == 1))
struct AllocationTests {
    /// A node with a neighbour on each side and a peer behind the right one.
    struct Bench {
        let network = TestNetwork(seed: 81)
        let node: TestNode
        let left: Neighbour
        let right: Neighbour
        let peer: RemotePeer

        init(mode: SealMode, suite: UInt8, hasTun: Bool = true, slots: Int = 64) throws {
            node = try network.add("N", TestNode.Options(entryMode: mode, hasTun: hasTun, slots: slots))
            left = try Neighbour(network, node, number: 1, Neighbour.Options(suite: suite))
            right = try Neighbour(network, node, number: 2, Neighbour.Options(suite: suite))
            peer = try RemotePeer(
                network, node, address: IPv6Address(high: 0x0500_0000_0000_0033, low: 0x44), suite: suite)
            node.route(peer.address, NextHop(kind: .link, link: right.link, peer: peer.id))
            node.turn(network.now)
            node.forget()
        }

        func makeIO(bytes: Int = 6 << 20, inputs: Int = 4_096) -> ReplayIO {
            ReplayIO(
                pool: node.pool, counters: node.counters, sender: left.endpoint, bytes: bytes, inputs: inputs)
        }

        /// Plays all inputs and returns the allocations of the turns after the first quarter.
        func allocations(_ io: inout ReplayIO, millisecondsPerTurn: UInt64 = 1, quietTurns: Int = 1) -> UInt64 {
            let start = io.left
            var before: UInt64 = 0
            var isWarm = false
            var now = network.now
            while io.left > 0 {
                if !isWarm, io.left <= start * 3 / 4 {
                    isWarm = true
                    before = chy_alloc_hook_count()
                }
                _ = node.worker.turn(&io, now: now)
                now = now.advanced(byMilliseconds: millisecondsPerTurn)
            }
            // Quiet at the end: keepalives, silence, and what waited too long.
            for _ in 0..<quietTurns {
                _ = node.worker.turn(&io, now: now)
                now = now.advanced(byMilliseconds: millisecondsPerTurn)
            }
            return chy_alloc_hook_count() - before
        }
    }

    @Test func hookCounts() {
        let before = chy_alloc_hook_count()
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 100, alignment: 16)
        memory.deallocate()
        #expect(chy_alloc_hook_count() > before)
    }

    @Test(arguments: PathTests.cases) func relay(_ test: PathTests.Case) throws {
        let bench = try Bench(mode: test.mode, suite: test.suite)
        var io = bench.makeIO()
        for i in 0..<400 {
            let train = (0..<20).flatMap { _ in
                let packet =
                    Seal.route(
                        kind: 0, hopLimit: 9, source: IPv6Address(high: 0x04F0 << 48, low: 1).bytes,
                        destination: bench.peer.address.bytes) + bench.network.bytes(120 + i % 3)
                return test.mode == .full ? bench.left.full(packet) : bench.left.header(packet)
            }
            io.add(.udp, train, segmentSize: train.count / 20)
        }
        let count = bench.allocations(&io)
        #expect(count == 0)
        #expect(bench.node.counters[.sent] == 8_000)
        #expect(bench.node.drops == [:])
    }

    @Test(arguments: PathTests.cases) func fromTun(_ test: PathTests.Case) throws {
        let bench = try Bench(mode: test.mode, suite: test.suite)
        var io = bench.makeIO()
        let packet = Inner.udp(from: bench.node.address, to: bench.peer.address, payload: bench.network.bytes(200))
        let tcp = SuperPacket.tcp(
            from: bench.node.address, to: bench.peer.address, Inner.TCPFields(), payload: bench.network.bytes(9_000),
            size: 1_000)
        for i in 0..<800 { io.add(.tun, i % 4 == 0 ? tcp.read : Inner.read(packet)) }
        let count = bench.allocations(&io)
        #expect(count == 0)
        #expect(bench.node.counters[.sent] == 200 * 9 + 600)
        #expect(bench.node.drops == [:])
    }

    @Test(arguments: PathTests.cases) func toTun(_ test: PathTests.Case) throws {
        let bench = try Bench(mode: test.mode, suite: test.suite)
        var io = bench.makeIO()
        var fields = Inner.TCPFields()
        for i in 0..<400 {
            let train = (0..<20).flatMap { _ in
                let packet =
                    i % 2 == 0
                    ? Inner.udp(from: bench.peer.address, to: bench.node.address, payload: bench.network.bytes(160))
                    : Inner.tcp(
                        from: bench.peer.address, to: bench.node.address, fields, payload: bench.network.bytes(160))
                fields.sequence &+= 160
                let carried = bench.peer.carry(packet)
                return test.mode == .full ? bench.left.full(carried) : bench.left.header(carried)
            }
            io.add(.udp, train, segmentSize: train.count / 20)
        }
        let count = bench.allocations(&io)
        #expect(count == 0)
        #expect(bench.node.counters[.delivered] == 8_000)
        #expect(bench.node.drops == [:])
    }

    /// Pieces that become packets, which leave in pieces again; and pieces whose other piece never comes.
    @Test(arguments: [1, 2] as [UInt8]) func inPieces(suite: UInt8) throws {
        // Pieces wait in slots; what this node has to say meanwhile needs some, too.
        let bench = try Bench(mode: .full, suite: suite, slots: 512)
        var io = bench.makeIO()
        for i in 0..<150 {
            let train = (0..<10).flatMap { k in
                let packet =
                    Seal.route(
                        kind: 4, hopLimit: 9, source: IPv6Address(high: 0x04F0 << 48, low: 1).bytes,
                        destination: bench.peer.address.bytes) + bench.network.bytes(1_500)
                let pieces = bench.left.pieces(packet, id: UInt16(10 * i + k))
                return k == 9 ? pieces[0] : pieces[0] + pieces[1]
            }
            io.add(.udp, train, segmentSize: train.count / 19)
        }
        let count = bench.allocations(&io, quietTurns: 200)
        #expect(count == 0)
        #expect(bench.node.counters[.reassembled] == 1_350)
        #expect(bench.node.counters[.fragmentsSent] == 2_700)
        #expect(bench.node.counters[.sent] >= 2_700)
        #expect(bench.node.drops == ["fragment_lost": 150])
    }

    /// Packets that end, are answered, punted, parked, and the ticks in between.
    @Test func otherEnds() throws {
        let bench = try Bench(mode: .header, suite: 1)
        let stranger = try RemotePeer(
            bench.network, bench.node, address: IPv6Address(high: 0x0500_0000_0000_0055, low: 1), withSession: false)
        bench.node.route(stranger.address, NextHop(kind: .link, link: bench.right.link, peer: stranger.id))
        bench.node.route(IPv6Address(high: 0x04F0 << 48, low: 1), NextHop(kind: .link, link: bench.left.link))
        bench.node.turn(bench.network.now)
        var io = bench.makeIO()
        let network = bench.network
        let node = bench.node
        let nowhere = IPv6Address(high: 0x0401 << 48, low: 1)
        let read = { (to: IPv6Address, count: Int) in
            Inner.read(Inner.udp(from: node.address, to: to, payload: network.bytes(count)))
        }
        for i in 0..<1_200 {
            let route = { (kind: UInt8, hops: UInt8, to: IPv6Address) in
                Seal.route(
                    kind: kind, hopLimit: hops, index: 9, source: IPv6Address(high: 0x04F0 << 48, low: 1).bytes,
                    destination: to.bytes) + network.bytes(120)
            }
            let (source, bytes): (Arrival.Source, [UInt8]) =
                switch i % 12 {
                case 0: (.udp, bench.left.full(route(0, 1, bench.peer.address)))
                case 1: (.udp, bench.left.full(route(0, 9, nowhere)))
                case 2: (.udp, bench.left.full(route(0, 9, node.address)))
                case 3: (.udp, bench.left.full(route(1, 9, node.address)))
                case 4: (.udp, bench.left.full([0x80, 1, 0, 0]))
                case 5: (.udp, bench.left.full([]))
                case 6: (.udp, network.bytes(i % 300))
                case 7: (.udp, [1, 1, 1, 0] + network.bytes(164))
                case 8: (.tun, read(stranger.address, 50))
                case 9: (.tun, read(nowhere, 50))
                case 10: (.tun, read(bench.peer.address, 1_400))
                default: (.tun, network.bytes(i % 400))
                }
            io.add(source, bytes)
        }
        io.batch = 3
        let count = bench.allocations(&io, millisecondsPerTurn: 20, quietTurns: 100)
        #expect(count == 0)
        for reason in [.hopLimit, .noRoute, .unknownSession, .parkFull, .parkTimeout, .tooBig] as [DropReason] {
            #expect(node.counters[reason] > 0, "\(reason)")
        }
        #expect(node.counters[.errorsSent] > 20 && node.counters[.keepalivesSent] > 0)
    }
}
