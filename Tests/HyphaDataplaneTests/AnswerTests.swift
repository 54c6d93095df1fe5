import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaWire
import Testing

@testable import HyphaDataplane

/// What a node says about overlay packets that it cannot pass on or take.
struct AnswerTests {
    /// A relay between two links, and a source behind the left one.
    struct Bench {
        let network: TestNetwork
        let node: TestNode
        let left: Neighbour
        let right: Neighbour
        static let source = IPv6Address(high: 0x04F0_0000_0000_0011, low: 0x22)
        static let target = IPv6Address(high: 0x0500_0000_0000_0033, low: 0x44)

        init(mtu: Int = 1_452, hasTun: Bool = true) throws {
            network = TestNetwork(seed: 21)
            node = try network.add("R", TestNode.Options(hasTun: hasTun))
            left = try Neighbour(network, node, number: 1)
            right = try Neighbour(network, node, number: 2, Neighbour.Options(mtu: mtu))
            node.route(Bench.source, NextHop(kind: .link, link: left.link))
            node.route(Bench.target, NextHop(kind: .link, link: right.link))
            node.turn(network.now)
            node.forget()
        }

        func packet(
            kind: UInt8 = 0, hopLimit: UInt8 = 9, to destination: IPv6Address = target,
            from source: IPv6Address = source, body: Int = 100, flow: UInt16 = 0xABCD
        ) -> [UInt8] {
            Seal.route(
                kind: kind, hopLimit: hopLimit, flow: flow, index: 0x0102_0304, counter: 77, source: source.bytes,
                destination: destination.bytes) + network.bytes(body)
        }

        func arrive(_ packet: [UInt8], _ mode: SealMode = .full) {
            node.forget()
            left.send(mode == .full ? left.full(packet) : left.header(packet))
            for _ in 0..<2 { node.turn(network.now) }
        }

        /// The one answer about `packet`, checked byte by byte.
        func expectError(_ code: UInt8, value: UInt64 = 0, about packet: [UInt8], _ comment: Comment? = nil) {
            let route = Seal.route(
                kind: 5, hopLimit: 63, flow: UInt16(packet[2]) | UInt16(packet[3]) << 8, source: node.address.bytes,
                destination: Array(packet[16..<32]))
            let expected = route + [code, 0] + Seal.little(value, 2) + packet[..<48]
            #expect(left.received.map(\.inner) == [expected], comment)
            #expect(left.received.map { $0.datagram.prefix(2) } == [[4, 0]], comment)
        }
    }

    @Test(arguments: [SealMode.full, .header]) func noRoute(mode: SealMode) throws {
        let bench = try Bench()
        let unknown = IPv6Address(high: 0x0500_0000_0000_0099, low: 1)
        let packet = bench.packet(to: unknown)
        bench.arrive(packet, mode)
        bench.expectError(0, about: packet)
        bench.node.route(unknown, NextHop(kind: .unreachable))
        bench.arrive(packet, mode)
        bench.expectError(0, about: packet)
        #expect(bench.node.drops == ["no_route": 2])
    }

    @Test(arguments: [SealMode.full, .header], [0, 1] as [UInt8]) func hopLimit(mode: SealMode, hops: UInt8) throws {
        let bench = try Bench()
        let packet = bench.packet(hopLimit: hops)
        bench.arrive(packet, mode)
        bench.expectError(1, about: packet)
        #expect(bench.node.drops == ["hop_limit": 1] && bench.right.received.isEmpty)
        // Two are enough to pass.
        bench.arrive(bench.packet(hopLimit: 2), mode)
        #expect(bench.right.received.map { $0.inner?[1] } == [1])
        // For this node itself the rule is the same.
        bench.arrive(bench.packet(hopLimit: hops, to: bench.node.address), mode)
        #expect(bench.node.drops == ["hop_limit": 2])
    }

    @Test(arguments: [SealMode.full, .header], [1_232, 1_280, 1_452]) func tooBig(mode: SealMode, mtu: Int) throws {
        let bench = try Bench(mtu: mtu)
        let fits = bench.packet(body: mtu - 80)
        bench.arrive(fits, mode)
        #expect(bench.right.received.map(\.datagram.count) == [mtu])
        let packet = bench.packet(body: mtu - 79)
        bench.arrive(packet, mode)
        bench.expectError(2, value: UInt64(mtu - 80), about: packet)
        #expect(bench.node.drops == ["too_big": 1] && bench.right.received.isEmpty)
    }

    @Test func linkWithoutSession() throws {
        let bench = try Bench()
        bench.node.command(WorkerCommand(.retireLinkSession, slot: bench.right.slot))
        let packet = bench.packet()
        bench.arrive(packet)
        bench.expectError(0, about: packet)
        // A link that never was.
        bench.node.route(Bench.target, NextHop(kind: .link, link: 12))
        bench.arrive(packet)
        bench.expectError(0, about: packet)
        // Ids out of range are no links either.
        bench.node.route(Bench.target, NextHop(kind: .link, link: 4_000_000_000))
        bench.arrive(packet)
        bench.expectError(0, about: packet)
        #expect(bench.node.drops == ["link_down": 3])
    }

    @Test(arguments: [SealMode.full, .header]) func unknownSession(mode: SealMode) throws {
        let bench = try Bench()
        let packet = bench.packet(to: bench.node.address)
        bench.arrive(packet, mode)
        bench.expectError(3, about: packet)
        var zero = packet
        zero.replaceSubrange(4..<8, with: [0, 0, 0, 0])
        bench.arrive(zero, mode)
        bench.expectError(3, about: zero)
        #expect(bench.node.drops == ["unknown_session": 2])
    }

    /// An answer is 132 bytes on the wire; about anything smaller there is none.
    @Test func neverLargerThanItsCause() throws {
        let bench = try Bench()
        for body in [32, 48, 51] {
            bench.arrive(bench.packet(hopLimit: 1, body: body))
            bench.arrive(bench.packet(to: bench.node.address, body: body))
            #expect(bench.node.sent.isEmpty)
        }
        let packet = bench.packet(hopLimit: 1, body: 52)
        bench.arrive(packet)
        bench.expectError(1, about: packet)
        #expect(bench.left.received[0].datagram.count == 132)
    }

    /// Handshakes get answers, errors none, and stock bodies none where only native sessions are allowed.
    @Test func kinds() throws {
        let bench = try Bench()
        for kind in 0...5 as ClosedRange<UInt8> {
            let packet = bench.packet(kind: kind, hopLimit: 1)
            bench.arrive(packet)
            if kind <= 3 { bench.expectError(1, about: packet) } else { #expect(bench.node.sent.isEmpty) }
        }
    }

    /// A packet that claims to come from this node is answered to nobody.
    @Test func ownSource() throws {
        let bench = try Bench()
        bench.arrive(bench.packet(hopLimit: 1, from: bench.node.address))
        #expect(bench.node.sent.isEmpty && bench.node.delivered.isEmpty && bench.node.punts.isEmpty)
    }

    /// An answer that cannot pass either ends here, without an answer.
    @Test func answerWithoutRoute() throws {
        let bench = try Bench()
        bench.arrive(bench.packet(hopLimit: 1, from: IPv6Address(high: 0x04F0_0000_0000_0077, low: 1)))
        #expect(bench.node.sent.isEmpty)
        #expect(bench.node.drops == ["hop_limit": 1, "no_route": 1])
    }

    @Test func tenASecondForASource() throws {
        let bench = try Bench()
        for second in 0..<3 {
            var answers = 0
            for _ in 0..<30 {
                bench.arrive(bench.packet(hopLimit: 1))
                answers += bench.left.received.count
            }
            #expect(answers == 10, "second \(second)")
            bench.network.advance(milliseconds: 1_000)
        }
        // The whole /64 is one source.
        var answers = 0
        for host in 0..<30 as Range<UInt64> {
            bench.arrive(bench.packet(hopLimit: 1, from: IPv6Address(high: Bench.source.high, low: host)))
            answers += bench.left.received.count
        }
        #expect(answers == 10)
    }

    @Test func hundredASecondInAll() throws {
        let bench = try Bench()
        bench.node.route(
            Prefix(IPv6Address(high: 0x04F0 << 48, low: 0), length: 16), NextHop(kind: .link, link: bench.left.link))
        for expected in [100, 50] {
            var answers = 0
            for i in 0..<400 as Range<UInt64> {
                bench.arrive(bench.packet(hopLimit: 1, from: IPv6Address(high: 0x04F0 << 48 | i % 80, low: 1)))
                answers += bench.left.received.count
            }
            #expect(answers == expected)
            bench.network.advance(milliseconds: 500)
        }
    }

    /// Handshakes and errors for this node go to control, for hosts beside it nowhere.
    @Test func handshakesForThisNode() throws {
        let bench = try Bench()
        for kind in [1, 2, 3, 5] as [UInt8] {
            let packet = bench.packet(kind: kind, to: bench.node.address)
            bench.arrive(packet)
            #expect(bench.node.punts.map(\.bytes) == [[packet[0], 8] + packet[2...]])
            #expect(bench.node.punts.map(\.head.kind) == [.overlay])
            #expect(bench.node.punts.map(\.head.link) == [bench.left.link])
            let beside = IPv6Address(high: bench.node.address.high, low: 1)
            bench.arrive(bench.packet(kind: kind, to: beside))
            #expect(bench.node.punts.isEmpty && bench.node.sent.isEmpty)
        }
        bench.arrive(bench.packet(kind: 4, to: bench.node.address))
        #expect(bench.node.drops == ["no_listener": 4, "downgrade": 1])
        // Longer than a record: it does not fit.
        bench.arrive(bench.packet(kind: 1, to: bench.node.address, body: 2_000))
        #expect(bench.node.drops["punt_full"] == 1)
    }

    // MARK: end to end, without a TUN

    @Test(arguments: [SealMode.full, .header]) func noTun(mode: SealMode) throws {
        let bench = try Bench(hasTun: false)
        let (node, network) = (bench.node, bench.network)
        let peer = try RemotePeer(network, node, address: Bench.source)
        node.route(Bench.source, NextHop(kind: .link, link: bench.left.link, peer: peer.id))
        let packet = Inner.udp(from: peer.address, to: node.address, payload: network.bytes(200), hopLimit: 9)
        bench.arrive(peer.carry(packet), mode)
        let answers = bench.left.received.compactMap(\.inner).compactMap(peer.inner)
        try #require(answers.count == 1)
        #expect(Inner.isSound(answers[0]))
        let header = [0x60, 0, 0, 0, 1, 0, 58, 63] + node.address.bytes + peer.address.bytes
        #expect(Array(answers[0][..<40]) == header)
        // Destination unreachable, address unreachable, about the packet as it would have been delivered.
        #expect(answers[0][40...41] == [1, 3])
        #expect(answers[0][48...] == Inner.withHopLimit(packet, 8)[...])
        #expect(node.drops == ["no_listener": 1])
        // None about an ICMPv6 error.
        let error = Inner.complete(
            Inner.ipv6(from: peer.address, to: node.address, next: 58, payload: [1, 3, 0, 0] + network.bytes(60)),
            transport: 40, checksumOffset: 2, next: 58)
        bench.arrive(peer.carry(error), mode)
        #expect(node.sent.isEmpty)
        #expect(node.drops == ["no_listener": 2])
        // About an echo request there is.
        let ping = Inner.complete(
            Inner.ipv6(from: peer.address, to: node.address, next: 58, payload: [128, 0, 0, 0] + network.bytes(60)),
            transport: 40, checksumOffset: 2, next: 58)
        bench.arrive(peer.carry(ping), mode)
        #expect(bench.left.received.count == 1)
        node.expectNoLeak()
    }

    @Test func noTunInLimits() throws {
        let bench = try Bench(hasTun: false)
        let (node, network) = (bench.node, bench.network)
        let peer = try RemotePeer(network, node, address: Bench.source)
        node.route(Bench.source, NextHop(kind: .link, link: bench.left.link, peer: peer.id))
        let packet = Inner.udp(from: peer.address, to: node.address, payload: network.bytes(2_00))
        var answers = 0
        for _ in 0..<40 {
            bench.arrive(peer.carry(packet))
            answers += bench.left.received.count
        }
        #expect(answers == 10)
        // Many in one turn: no more than there is room for.
        network.advance(milliseconds: 2_000)
        node.forget()
        let train = (0..<100).flatMap { _ in bench.left.full(peer.carry(packet)) }
        node.io.arrive(train, segmentSize: train.count / 100, from: bench.left.endpoint)
        node.turn(network.now)
        node.turn(network.now)
        #expect(bench.left.received.count == 10)
        node.expectNoLeak()
    }

    /// The answer waits, like any packet, when there is no session to send with.
    @Test func noTunAndNoSession() throws {
        let bench = try Bench(hasTun: false)
        let (node, network) = (bench.node, bench.network)
        let peer = try RemotePeer(network, node, address: Bench.source, withSession: false)
        try peer.agree(network, isSentWith: false)
        node.route(Bench.source, NextHop(kind: .link, link: bench.left.link, peer: peer.id))
        let packet = Inner.udp(from: peer.address, to: node.address, payload: network.bytes(200))
        bench.arrive(peer.carry(packet))
        #expect(node.sent.isEmpty && node.worker.waiting == 1)
        #expect(node.notices.contains { $0.kind == .flowNeeded && $0.id == peer.id })
        node.command(WorkerCommand(.sendWithFlowSession, id: peer.id, slot: peer.slot))
        node.turn(network.now)
        #expect(bench.left.received.compactMap(\.inner).compactMap(peer.inner).map { $0[40] } == [1])
    }
}
