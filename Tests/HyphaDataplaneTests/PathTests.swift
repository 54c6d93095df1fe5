import Foundation
import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire
import Testing

@testable import HyphaDataplane

/// Packets from one TUN to another over one relay.
struct PathTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let mode: SealMode
        let suite: UInt8
        var testDescription: String { "\(mode), suite \(suite)" }
    }

    static let cases: [Case] = [SealMode.full, .header].flatMap { mode in
        [1, 2].map { Case(mode: mode, suite: $0) }
    }

    /// A - R - B, sessions everywhere.
    static func line(
        _ test: Case, seed: UInt64 = 1, rightModes: UInt8 = 3, rightFullOnly: Bool = false, lanes: Int = 16
    ) throws -> (TestNetwork, a: TestNode, r: TestNode, b: TestNode) {
        let network = TestNetwork(seed: seed)
        let a = try network.add("A", TestNode.Options(entryMode: test.mode))
        let r = try network.add("R", TestNode.Options(hasTun: false))
        let b = try network.add("B", TestNode.Options(entryMode: test.mode))
        let left = try network.link(a, r, suite: test.suite, lanes: lanes)
        let right = try network.link(
            r, b, suite: test.suite, lanes: lanes, modes: rightModes, fullOnly: rightFullOnly)
        r.route(a.address, NextHop(kind: .link, link: left.b))
        r.route(b.address, NextHop(kind: .link, link: right.a))
        try network.introduce(a, over: left.a, b, over: right.b, suite: test.suite)
        network.settle()
        return (network, a, r, b)
    }

    static func message(_ a: TestNode, _ b: TestNode, length: Int, _ network: TestNetwork) -> [UInt8] {
        length < 48
            ? Inner.ipv6(from: a.address, to: b.address, next: 59, payload: network.bytes(length - 40))
            : Inner.udp(from: a.address, to: b.address, payload: network.bytes(length - 48))
    }

    static let lengths = Array(stride(from: 40, through: 1_390, by: 27)) + [255, 256, 257, 290, 291, 1_389, 1_390]

    @Test(arguments: cases) func comesOutEqual(_ test: Case) throws {
        let (network, a, r, b) = try PathTests.line(test)
        for length in PathTests.lengths {
            network.forget()
            let packet = PathTests.message(a, b, length: length, network)
            a.io.arriveFromTun(Inner.read(packet))
            network.settle()
            try #require(b.packets == [Inner.withHopLimit(packet, 61)], "length \(length)")
            #expect(Inner.isSound(b.packets[0]))
            let plain = length - 40 + 6
            let body = plain + (plain < 256 ? (16 - plain % 16) % 16 : 0) + 16
            for node in [a, r] {
                #expect(network.datagrams(from: node).map(\.[0]) == [test.mode.rawValue])
                #expect(network.datagrams(from: node).map(\.count) == [80 + body])
            }
        }
        for node in network.nodes {
            #expect(node.drops == [:])
            node.expectNoLeak()
        }
    }

    @Test(arguments: cases) func trainsComeOutInOrder(_ test: Case) throws {
        let (network, a, r, b) = try PathTests.line(test)
        // Sizes up and down, twice, so that trains close and open.
        let packets = (PathTests.lengths + PathTests.lengths.reversed()).map {
            PathTests.message(a, b, length: $0, network)
        }
        for packet in packets { a.io.arriveFromTun(Inner.read(packet)) }
        network.settle()
        #expect(b.packets == packets.map { Inner.withHopLimit($0, 61) })
        for node in [a, r, b] { node.expectNoLeak() }
    }

    /// The relay sees neither payload nor the inner packet, neither on the wire nor in its memory.
    @Test(arguments: cases) func relayNeverHoldsPlaintext(_ test: Case) throws {
        let (network, a, r, b) = try PathTests.line(test)
        for length in [80, 200, 700, 1_390] {
            network.forget()
            let packet = PathTests.message(a, b, length: length, network)
            let secret = Data(packet.suffix(24))
            // The memory comes from an allocator that has seen other tests.
            r.pool.region.initializeMemory(as: UInt8.self, repeating: 0)
            a.io.arriveFromTun(Inner.read(packet))
            network.settle()
            #expect(b.packets.count == 1)
            for (_, train) in network.wire { #expect(Data(train.bytes).range(of: secret) == nil) }
            let memory = Data(bytes: r.pool.region.baseAddress ?? r.pool.base(0), count: r.pool.region.count)
            #expect(memory.range(of: secret) == nil)
            // The search finds what is there.
            let there = Data(bytes: b.pool.region.baseAddress ?? b.pool.base(0), count: b.pool.region.count)
            #expect(there.range(of: secret) != nil)
        }
    }

    /// Back and forth, the second direction too.
    @Test(arguments: cases) func answersComeBack(_ test: Case) throws {
        let (network, a, _, b) = try PathTests.line(test)
        let there = PathTests.message(a, b, length: 300, network)
        let back = PathTests.message(b, a, length: 1_200, network)
        a.io.arriveFromTun(Inner.read(there))
        b.io.arriveFromTun(Inner.read(back))
        network.settle()
        #expect(b.packets == [Inner.withHopLimit(there, 61)])
        #expect(a.packets == [Inner.withHopLimit(back, 61)])
    }

    /// A link whose far end takes no header seal, or that is to be sealed in full, makes type 5 into type 4.
    @Test(arguments: [1, 2] as [UInt8], [true, false]) func relaySealsInFull(suite: UInt8, byLink: Bool) throws {
        let (network, a, r, b) = try PathTests.line(
            Case(mode: .header, suite: suite), rightModes: byLink ? 3 : 1, rightFullOnly: byLink)
        for length in PathTests.lengths {
            network.forget()
            let packet = PathTests.message(a, b, length: length, network)
            a.io.arriveFromTun(Inner.read(packet))
            network.settle()
            try #require(b.packets == [Inner.withHopLimit(packet, 61)], "length \(length)")
            #expect(network.datagrams(from: a).map(\.[0]) == [5])
            #expect(network.datagrams(from: r).map(\.[0]) == [4])
            #expect(network.datagrams(from: a).map(\.count) == network.datagrams(from: r).map(\.count))
        }
    }

    /// The same at the node where packets enter.
    @Test(arguments: [true, false]) func entrySealsInFull(byLink: Bool) throws {
        let (network, b, _, a) = try PathTests.line(
            Case(mode: .header, suite: 1), rightModes: byLink ? 3 : 1, rightFullOnly: byLink)
        let packet = PathTests.message(a, b, length: 500, network)
        a.io.arriveFromTun(Inner.read(packet))
        network.settle()
        #expect(b.packets == [Inner.withHopLimit(packet, 61)])
        #expect(network.datagrams(from: a).map(\.[0]) == [4])
    }

    /// A link's own wish for header seals, at a node that else seals in full: it holds where the neighbour takes them
    /// and nothing else asks for the full seal.
    @Test(arguments: [1, 3] as [UInt8], [false, true]) func entryByLink(modes: UInt8, fullOnly: Bool) throws {
        let network = TestNetwork(seed: 6)
        let node = try network.add("N")
        let link = try Neighbour(network, node, number: 1, Neighbour.Options(modes: modes))
        let peer = try RemotePeer(network, node, address: IPv6Address(high: 0x0500_0000_0000_0033, low: 0x44))
        node.route(peer.address, NextHop(kind: .link, link: link.link, peer: peer.id))
        let bits = WorkerCommand.headerSealBit | (fullOnly ? WorkerCommand.fullSealBit : 0)
        node.command(WorkerCommand(.setLink, id: link.link, value: 1_452 | bits, endpoint: link.endpoint))
        let packet = Inner.udp(from: node.address, to: peer.address, payload: network.bytes(77))
        node.io.arriveFromTun(Inner.read(packet))
        node.turn(network.now)
        #expect(link.received.compactMap(\.inner).compactMap(peer.inner) == [Inner.withHopLimit(packet, 63)])
        #expect(link.received.map { $0.datagram[0] } == [modes == 3 && !fullOnly ? 5 : 4])
    }

    /// The S flag of a packet asks every relay for the full seal; flags pass unchanged.
    @Test(arguments: [0, 1, 2, 3, 12, 13] as [UInt8]) func fullSealFlag(flags: UInt8) throws {
        let network = TestNetwork(seed: 5)
        let node = try network.add("R")
        let left = try Neighbour(network, node, number: 1)
        let right = try Neighbour(network, node, number: 2, Neighbour.Options(suite: 2))
        let target = IPv6Address(high: 0x0500_0000_0000_0001, low: 9)
        node.route(target, NextHop(kind: .link, link: right.link))
        let body = network.bytes(333)
        let route = Seal.route(
            kind: 0, flags: flags, hopLimit: 9, flow: 0x4321, index: 7, counter: 8,
            source: IPv6Address(high: 0x0600_0000_0000_0001, low: 1).bytes, destination: target.bytes)
        left.send(left.header(route + body))
        left.send(left.full(route + body))
        node.turn(network.now)
        let expected = [route[0], 8] + route[2...] + body
        #expect(right.received.map(\.inner) == [expected, expected])
        #expect(right.received.map { $0.datagram[0] } == [flags & 1 == 0 ? 5 : 4, 4])
    }

    /// With one lane everything goes on lane 0; else data goes on the worker's own.
    @Test(arguments: [1, 2, 16]) func lanes(count: Int) throws {
        let (network, a, r, b) = try PathTests.line(Case(mode: .full, suite: 1), lanes: count)
        let packet = PathTests.message(a, b, length: 100, network)
        a.io.arriveFromTun(Inner.read(packet))
        network.settle()
        #expect(b.packets.count == 1)
        #expect(network.datagrams(from: a).map(\.[1]) == [count == 1 ? 0 : 1])
        #expect(network.datagrams(from: r).map(\.[1]) == [count == 1 ? 0 : 1])
    }

    /// Counters of a lane go up by one from zero, and every datagram differs.
    @Test func countersGoUp() throws {
        let (network, a, _, b) = try PathTests.line(Case(mode: .full, suite: 1))
        let packet = PathTests.message(a, b, length: 100, network)
        for _ in 0..<40 { a.io.arriveFromTun(Inner.read(packet)) }
        network.settle()
        #expect(b.packets.count == 40)
        let sent = network.datagrams(from: a)
        #expect(sent.map { $0[8] } == (0..<40).map { UInt8($0) })
        #expect(Set(sent.map { $0[16...] }).count == 40)
    }
}
