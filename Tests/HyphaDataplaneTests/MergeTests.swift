import HyphaBase
import HyphaFIB
import HyphaPacket
import HyphaWire
import Testing

@testable import HyphaDataplane

/// TCP segments of one flow become one write to the TUN.
struct MergeTests {
    /// A node that gets packets from a peer over a link.
    struct Bench {
        let network: TestNetwork
        let node: TestNode
        let link: Neighbour
        let peer: RemotePeer

        init(seed: UInt64) throws {
            network = TestNetwork(seed: seed)
            node = try network.add("N")
            link = try Neighbour(network, node, number: 1)
            peer = try RemotePeer(network, node, address: IPv6Address(high: 0x0500_0000_0000_0077, low: 5))
            node.turn(network.now)
        }

        func tcp(_ sequence: UInt32, _ count: Int, _ change: (inout Inner.TCPFields) -> Void = { _ in }) -> [UInt8] {
            var fields = Inner.TCPFields()
            fields.sequence = sequence
            change(&fields)
            return Inner.tcp(from: peer.address, to: node.address, fields, payload: network.bytes(count))
        }

        /// The packets arrive in one turn, half of them header-sealed; what is written, and what should be.
        func arrive(_ packets: [[UInt8]]) {
            node.forget()
            for (i, packet) in packets.enumerated() {
                let carried = peer.carry(packet)
                link.send(i % 2 == 0 ? link.full(carried) : link.header(carried))
            }
            node.turn(network.now)
            node.turn(network.now)
            node.expectNoLeak()
        }

        /// Packets in each write, after checking the writes against the slow model.
        func counts(_ packets: [[UInt8]]) -> [Int] {
            let slow = SlowMerge.writes(packets.map { Inner.withHopLimit($0, $0[7] - 1) })
            arrive(packets)
            #expect(node.delivered == slow.writes)
            return slow.counts
        }
    }

    @Test func joins() throws {
        let bench = try Bench(seed: 1)
        #expect(bench.counts([bench.tcp(1_000, 100), bench.tcp(1_100, 100), bench.tcp(1_200, 100)]) == [3])
        // A shorter one ends it, a longer one begins another.
        #expect(bench.counts([bench.tcp(1, 100), bench.tcp(101, 99), bench.tcp(200, 99)]) == [2, 1])
        #expect(bench.counts([bench.tcp(1, 100), bench.tcp(101, 101), bench.tcp(202, 101)]) == [1, 2])
        // The sequence runs over its end.
        #expect(bench.counts([bench.tcp(.max - 49, 100), bench.tcp(50, 100)]) == [2])
    }

    @Test func flags() throws {
        let bench = try Bench(seed: 2)
        let push: (inout Inner.TCPFields) -> Void = { $0.flags |= 8 }
        let fin: (inout Inner.TCPFields) -> Void = { $0.flags |= 1 }
        #expect(bench.counts([bench.tcp(1, 100), bench.tcp(101, 100, push), bench.tcp(201, 100)]) == [3])
        #expect(bench.node.packets[0][53] == 0x18)
        #expect(bench.counts([bench.tcp(1, 100), bench.tcp(101, 100, fin), bench.tcp(201, 100)]) == [2, 1])
        #expect(bench.node.packets[0][53] == 0x11)
        #expect(bench.counts([bench.tcp(1, 100, fin), bench.tcp(101, 100)]) == [1, 1])
        // SYN, RST, URG, ECE and CWR stand alone; so does a segment without ACK among those with it.
        for flag in [0x02, 0x04, 0x20, 0x40, 0x80] as [UInt8] {
            #expect(
                bench.counts([bench.tcp(1, 100), bench.tcp(101, 100) { $0.flags |= flag }, bench.tcp(201, 100)])
                    == [1, 1, 1])
        }
        #expect(bench.counts([bench.tcp(1, 100), bench.tcp(101, 100) { $0.flags = 0 }]) == [1, 1])
        #expect(bench.counts([bench.tcp(1, 100) { $0.flags = 8 }, bench.tcp(101, 100)]) == [1, 1])
    }

    @Test func headersDiffer() throws {
        let bench = try Bench(seed: 3)
        let changes: [(inout Inner.TCPFields) -> Void] = [
            { $0.ports.0 += 1 }, { $0.ports.1 += 1 }, { $0.acknowledgement += 1 }, { $0.window += 1 },
            { $0.urgent += 1 }, { $0.options = [1, 1, 1, 1] }, { $0.sequence += 1 }, { $0.sequence &-= 100 },
        ]
        for change in changes {
            #expect(bench.counts([bench.tcp(1, 100), bench.tcp(101, 100, change)]) == [1, 1])
        }
        let options: (inout Inner.TCPFields) -> Void = { $0.options = [1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8] }
        let others: (inout Inner.TCPFields) -> Void = { $0.options = [1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 9] }
        #expect(bench.counts([bench.tcp(1, 100, options), bench.tcp(101, 100, options)]) == [2])
        #expect(bench.counts([bench.tcp(1, 100, options), bench.tcp(101, 100, others)]) == [1, 1])
        // Traffic class, flow label, hop limit, addresses.
        for (offset, value) in [(1, 0xF1), (3, 0x46), (7, 63), (23, 9), (39, 9)] as [(Int, UInt8)] {
            var other = bench.tcp(101, 100)
            other[offset] = value
            #expect(bench.counts([bench.tcp(1, 100), other]) == [1, 1], "offset \(offset)")
        }
    }

    @Test func otherPacketsStandAlone() throws {
        let bench = try Bench(seed: 4)
        let udp = Inner.udp(from: bench.peer.address, to: bench.node.address, payload: bench.network.bytes(100))
        #expect(bench.counts([bench.tcp(1, 100), udp, udp, bench.tcp(101, 100)]) == [1, 1, 1, 1])
        // A pure acknowledgement carries nothing to join, and keeps its place.
        #expect(bench.counts([bench.tcp(1, 100), bench.tcp(101, 0), bench.tcp(101, 100)]) == [1, 1, 1])
        // Header lengths that are none.
        var short = bench.tcp(101, 100)
        short[52] = 0x40
        var long = bench.tcp(101, 20)
        long[52] = 0xF0
        #expect(bench.counts([bench.tcp(1, 100), short, long]) == [1, 1, 1])
        var cut = bench.tcp(1, 0)
        cut.removeLast()
        cut[5] -= 1
        #expect(bench.counts([cut, cut]) == [1, 1])
    }

    /// A merge never passes the 16 bits of its length field.
    @Test func largest() throws {
        let bench = try Bench(seed: 5)
        let packets = (0..<60).map { bench.tcp(UInt32($0 * 1_300), 1_300) }
        // 16 arrivals a turn: give them as one train.
        bench.node.forget()
        let train = packets.flatMap { bench.link.full(bench.peer.carry($0)) }
        let size = train.count / packets.count
        for part in [train[..<(40 * size)], train[(40 * size)...]] {
            bench.node.io.arrive(Array(part), segmentSize: size, from: bench.link.endpoint)
        }
        bench.node.turn(bench.network.now)
        let slow = SlowMerge.writes(packets.map { Inner.withHopLimit($0, 63) })
        #expect(slow.counts == [50, 10])
        #expect(bench.node.delivered == slow.writes)
    }

    /// Small segments: no more than a train's pieces in one write.
    @Test func mostPieces() throws {
        let bench = try Bench(seed: 6)
        let packets = (0..<200).map { bench.tcp(UInt32($0 * 8), 8) }
        let train = packets.flatMap { bench.link.full(bench.peer.carry($0)) }
        bench.node.io.arrive(train, segmentSize: train.count / packets.count, from: bench.link.endpoint)
        bench.node.turn(bench.network.now)
        let slow = SlowMerge.writes(packets.map { Inner.withHopLimit($0, 63) })
        #expect(slow.counts == [128, 72])
        #expect(bench.node.delivered == slow.writes)
    }

    /// Any mixture of flows, sizes and flags gives the writes of the slow model.
    @Test(arguments: 0..<16 as Range<UInt64>) func likeTheModel(seed: UInt64) throws {
        let bench = try Bench(seed: 100 + seed)
        let network = bench.network
        var sequences: [UInt32] = [5, .max - 500, 70_000]
        for round in 0..<30 {
            var packets: [[UInt8]] = []
            for _ in 0..<Int.random(in: 1...16, using: &network.random) {
                let flow =
                    Int.random(in: 0..<10, using: &network.random) < 8
                    ? 0 : Int.random(in: 1...2, using: &network.random)
                let count = [64, 64, 64, 64, 64, 63, 65, 0, 1][Int.random(in: 0..<9, using: &network.random)]
                let dice = Int.random(in: 0..<30, using: &network.random)
                packets.append(
                    bench.tcp(sequences[flow], count) {
                        $0.ports.0 += flow
                        switch dice {
                        case 0: $0.flags |= 1
                        case 1...3: $0.flags |= 8
                        case 4: $0.flags = UInt8.random(in: 0...255, using: &network.random)
                        case 5: $0.options = [1, 1, 1, 1]
                        case 6: $0.sequence &+= 1
                        case 7: $0.window += 1
                        default: break
                        }
                    })
                sequences[flow] &+= UInt32(count)
            }
            let slow = SlowMerge.writes(packets.map { Inner.withHopLimit($0, 63) })
            bench.arrive(packets)
            try #require(bench.node.delivered == slow.writes, "seed \(seed), round \(round)")
        }
        #expect(bench.node.drops == [:])
    }

    /// A super-packet from one TUN arrives over a relay as the same super-packet.
    @Test(arguments: PathTests.cases) func endToEnd(_ test: PathTests.Case) throws {
        let (network, a, _, b) = try PathTests.line(test)
        for (count, size) in [(60_000, 1_300), (30_001, 1_000), (2, 1), (128, 1), (1_300, 1_300), (1_301, 1_300)] {
            network.forget()
            var fields = Inner.TCPFields()
            fields.flags = 0x18
            fields.options = [1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8]
            let packet = SuperPacket.tcp(
                from: a.address, to: b.address, fields, payload: network.bytes(count), size: size)
            a.io.arriveFromTun(packet.read)
            network.settle()
            let isOne = count <= size
            let expected = isOne ? packet.segments[0] : packet.bytes
            try #require(b.packets == [Inner.withHopLimit(expected, 61)], "\(count) by \(size)")
            #expect(b.delivered[0].prefix(10) == (isOne ? Inner.virtio(flags: 2) : packet.virtio)[...])
        }
        for node in network.nodes {
            #expect(node.drops == [:])
            node.expectNoLeak()
        }
    }
}
