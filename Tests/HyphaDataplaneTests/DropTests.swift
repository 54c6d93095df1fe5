import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire
import Testing

@testable import HyphaDataplane

/// Every way in which a packet can end is reached, one by one, and nothing comes out.
struct DropTests {
    struct Bench {
        let network: TestNetwork
        let node: TestNode
        let link: Neighbour
        let peer: RemotePeer

        init(_ options: TestNode.Options = TestNode.Options(), mtu: Int = 1_452, lanes: Int = 8) throws {
            network = TestNetwork(seed: 71)
            node = try network.add("N", options)
            link = try Neighbour(network, node, number: 1, Neighbour.Options(lanes: lanes, mtu: mtu))
            peer = try RemotePeer(network, node, address: IPv6Address(high: 0x0500_0000_0000_0033, low: 0x44))
            node.route(peer.address, NextHop(kind: .link, link: link.link, peer: peer.id))
            node.turn(network.now)
            node.forget()
        }

        /// Routing header and body that this node passes on.
        func transit(kind: UInt8 = 0, hopLimit: UInt8 = 9, to destination: IPv6Address? = nil, body: Int = 40)
            -> [UInt8]
        {
            Seal.route(
                kind: kind, hopLimit: hopLimit, source: IPv6Address(high: 0x04F0 << 48, low: 1).bytes,
                destination: (destination ?? peer.address).bytes) + network.bytes(body)
        }

        var inner: [UInt8] { Inner.udp(from: peer.address, to: node.address, payload: network.bytes(40)) }

        func fromTun(to destination: IPv6Address? = nil, hopLimit: UInt8 = 64) {
            node.io.arriveFromTun(
                Inner.read(
                    Inner.udp(
                        from: node.address, to: destination ?? peer.address, payload: network.bytes(40),
                        hopLimit: hopLimit)))
        }

        /// Flips a bit and sends.
        func damaged(_ datagram: [UInt8], _ offset: Int) {
            var copy = datagram
            copy[offset] ^= 4
            link.send(copy)
        }
    }

    /// Makes a packet end for the given reason; nil when a worker over memory cannot.
    static func reach(_ reason: DropReason) throws -> Bench? {
        switch reason {
        case .badLength, .badType, .unsupported, .unknownIndex, .badLane, .keyExpired, .replay, .badAuth, .badFrame:
            return try reachOnTheLink(reason)
        case .hopLimit, .noRoute, .linkDown, .tooBig, .noListener: return try reachInRouting(reason)
        case .unknownSession, .badFlowAuth, .flowReplay, .flowExpired, .badSource, .badPacket, .notOverlay:
            return try reachEndToEnd(reason)
        case .badFragment, .fragmentLost: return try reachInPieces(reason)
        case .puntFull, .noBuffer, .queueFull, .parkFull, .parkTimeout, .shutdown: return try reachALimit(reason)
        // The kernel's to say.
        case .sendFailed, .tunFailed: return nil
        // Of TCP links and stock bodies: their own tests reach them.
        case .displaced, .unsafe, .unknownSource, .downgrade, .rateLimited: return nil
        }
    }

    private static func reachOnTheLink(_ reason: DropReason) throws -> Bench {
        let bench = try Bench()
        let link = bench.link
        let good = link.full(bench.transit())
        switch reason {
        case .badLength: link.send(Array(good[..<31]))
        case .badType: link.send([12] + good[1...])
        case .unsupported: link.send([7, 1, 0, 0] + bench.network.bytes(28))
        case .unknownIndex: bench.damaged(good, 5)
        case .badLane: link.send(link.full(bench.transit(), lane: 8))
        case .keyExpired: link.send(link.full(bench.transit(), counter: 1 << 50))
        case .replay:
            let keepalive = link.full([])
            link.send(keepalive)
            link.send(keepalive)
        case .badAuth: bench.damaged(good, 30)
        default: link.send(link.full(bench.transit(kind: 6)))
        }
        return bench
    }

    private static func reachInRouting(_ reason: DropReason) throws -> Bench {
        let bench = try Bench(mtu: reason == .tooBig ? 1_300 : 1_452)
        switch reason {
        case .hopLimit: bench.link.send(bench.link.full(bench.transit(hopLimit: 1)))
        case .noRoute:
            bench.link.send(bench.link.full(bench.transit(to: IPv6Address(high: 0x0401 << 48, low: 1))))
        case .linkDown:
            bench.node.route(bench.peer.address, NextHop(kind: .link, link: 9))
            bench.link.send(bench.link.full(bench.transit()))
        case .tooBig: bench.link.send(bench.link.full(bench.transit(kind: 4, body: 2_481)))
        default:
            bench.link.send(
                bench.link.full(bench.transit(kind: 1, to: IPv6Address(high: bench.node.address.high, low: 3))))
        }
        return bench
    }

    private static func reachInPieces(_ reason: DropReason) throws -> Bench {
        let bench = try Bench()
        let pieces = bench.link.pieces(bench.transit(kind: 4, body: 600), id: 1)
        if reason == .badFragment {
            bench.link.send(bench.link.fragment(id: 1, part: 2, Array(repeating: 0, count: 9)))
        } else {
            bench.link.send(pieces[1])
            bench.node.turn(bench.network.now)
            bench.network.sleep(bench.node, milliseconds: 150)
            // A keepalive.
            #expect(bench.node.sent.map(\.bytes.count) == [32])
            bench.node.sent.removeAll()
        }
        return bench
    }

    private static func reachEndToEnd(_ reason: DropReason) throws -> Bench {
        let bench = try Bench()
        let (link, peer) = (bench.link, bench.peer)
        switch reason {
        case .unknownSession:
            link.send(link.full(peer.packet(RemotePeer.plaintext(bench.inner)[..<16] + [], index: 0x7777)))
        case .badFlowAuth:
            var packet = peer.carry(bench.inner)
            packet[50] ^= 1
            link.send(link.full(packet))
        case .flowReplay:
            let packet = peer.packet([0xF2] + [UInt8](repeating: 0, count: 15))
            link.send(link.full(packet))
            link.send(link.header(packet))
        case .flowExpired: link.send(link.full(peer.carry(bench.inner, counter: 1 << 50)))
        case .badSource:
            let other = Inner.udp(
                from: IPv6Address(high: 0x0402 << 48, low: 1), to: bench.node.address, payload: [1, 2, 3])
            link.send(link.full(peer.carry(other)))
        case .badPacket: link.send(link.full(peer.packet([0x07] + [UInt8](repeating: 0, count: 15))))
        default: bench.fromTun(to: IPv6Address(high: 0xFF02 << 48, low: 1))
        }
        return bench
    }

    private static func reachALimit(_ reason: DropReason) throws -> Bench {
        var options = TestNode.Options()
        if reason == .noBuffer { options.slabs = 1 }
        let bench = try Bench(options)
        switch reason {
        case .puntFull: bench.link.send(bench.link.full([0x80, 0xD0, 0x07] + [UInt8](repeating: 0, count: 2_000)))
        case .noBuffer: bench.fromTun()
        case .queueFull:
            bench.node.io.isFull = true
            bench.link.send(bench.link.full(bench.transit()))
        case .parkFull:
            bench.node.command(WorkerCommand(.retireFlowSession, slot: bench.peer.slot))
            for _ in 0..<15 { bench.fromTun() }
            bench.node.turn(bench.network.now)
            for _ in 0..<2 { bench.fromTun() }
        case .parkTimeout:
            bench.node.command(WorkerCommand(.retireFlowSession, slot: bench.peer.slot))
            bench.fromTun()
            bench.node.turn(bench.network.now)
            bench.network.sleep(bench.node, milliseconds: 5_100)
        default:
            bench.node.command(WorkerCommand(.drain))
            bench.fromTun()
        }
        return bench
    }

    @Test(arguments: DropReason.allCases) func reached(_ reason: DropReason) throws {
        guard let bench = try DropTests.reach(reason) else { return }
        for _ in 0..<3 { bench.node.turn(bench.network.now) }
        #expect(bench.node.drops == [reason.name: 1])
        #expect(bench.node.sent.isEmpty && bench.node.delivered.isEmpty && bench.node.handshakes.isEmpty)
        #expect(bench.node.punts.isEmpty)
        bench.node.io.isFull = false
        bench.node.expectNoLeak()
    }

    @Test func names() {
        #expect(Set(DropReason.allCases.map(\.name)).count == DropReason.allCases.count)
        #expect(DropReason.badFlowAuth.name == "bad_flow_auth")
    }

    /// What the first look at a datagram must find, from the table of the protocol.
    static func firstLook(_ bytes: [UInt8]) -> DropReason? {
        guard bytes.count >= 4 else { return .badLength }
        let isZero = bytes[2] == 0 && bytes[3] == 0
        switch bytes[0] {
        case 4: return bytes.count < 32 ? .badLength : isZero ? nil : .badType
        case 5: return bytes.count < 96 ? .badLength : isZero ? nil : .badType
        case 6: return bytes.count < 37 ? .badLength : isZero ? nil : .badType
        case 1, 2, 3, 7, 8, 9:
            let sizes: [UInt8: Int] = [1: 168, 2: 148, 3: 64, 7: 32, 8: 168, 9: 88]
            guard bytes.count == sizes[bytes[0]] else { return .badLength }
            guard bytes[1] == 1 else { return .badType }
            if bytes[0] == 1 { return nil }
            if bytes[0] == 2 { return bytes[3] == 0 ? nil : .badType }
            guard isZero else { return .badType }
            return bytes[0] == 3 ? nil : .unsupported
        default: return .badType
        }
    }

    /// Every type with every length, right and wrong second bytes and reserved bytes.
    @Test func typesAndLengths() throws {
        let bench = try Bench()
        var expected: [DropReason: UInt64] = [:]
        var handshakes = 0
        for type in Array(0...12) + [0x40, 0x84, 0xFF] as [UInt8] {
            for length in 0...180 {
                for (second, third, fourth) in [(1, 0, 0), (0, 0, 0), (1, 1, 0), (1, 0, 1)] as [(UInt8, UInt8, UInt8)] {
                    let head = [type, second, third, fourth] + Seal.little(UInt64(bench.link.index), 4)
                    let bytes = Array((head + bench.network.bytes(180)).prefix(length))
                    bench.link.send(bytes)
                    let isHandshake = [1, 2, 3].contains(type)
                    if let reason = DropTests.firstLook(bytes) {
                        expected[reason, default: 0] += 1
                    } else if isHandshake {
                        handshakes += 1
                    } else {
                        // Random counters: nearly all are past the limit.
                        let counter = bytes[8..<16].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
                        expected[counter >= 1 << 50 ? .keyExpired : .badAuth, default: 0] += 1
                    }
                }
                while bench.node.io.waiting > 0 { bench.node.turn(bench.network.now) }
            }
        }
        for reason in DropReason.allCases {
            #expect(bench.node.counters[reason] == expected[reason, default: 0], "\(reason)")
        }
        #expect(bench.node.handshakes.count == handshakes && handshakes > 4)
        #expect(
            bench.node.handshakes.allSatisfy { $0.head.sender == bench.link.endpoint && $0.head.kind == .handshake })
        #expect(bench.node.sent.isEmpty && bench.node.delivered.isEmpty && bench.node.punts.isEmpty)
    }

    /// Every bit of a datagram matters.
    @Test(arguments: [SealMode.full, .header], [1, 2] as [UInt8]) func everyBit(mode: SealMode, suite: UInt8) throws {
        let network = TestNetwork(seed: 72)
        let node = try network.add("N")
        let link = try Neighbour(network, node, number: 1, Neighbour.Options(suite: suite))
        let peer = try RemotePeer(
            network, node, address: IPv6Address(high: 0x0500_0000_0000_0033, low: 0x44), suite: suite)
        let packet = peer.carry(Inner.udp(from: peer.address, to: node.address, payload: network.bytes(20)))
        let datagram = mode == .full ? link.full(packet) : link.header(packet)
        for bit in 0..<(8 * datagram.count) {
            var copy = datagram
            copy[bit / 8] ^= 1 << (bit % 8)
            link.send(copy)
            if bit % 16 == 15 { node.turn(network.now) }
        }
        node.turn(network.now)
        #expect(node.delivered.isEmpty && node.sent.isEmpty)
        #expect(node.counters[.punted] == UInt64(node.handshakes.count))
        link.send(datagram)
        node.turn(network.now)
        // A header-sealed body is covered end to end: its damaged copies took the link counter with them.
        #expect(node.delivered.count == (mode == .full ? 1 : 0))
    }

    /// Every truncation and extension.
    @Test(arguments: [SealMode.full, .header]) func everyLength(mode: SealMode) throws {
        let bench = try Bench()
        let packet = bench.peer.carry(bench.inner)
        let datagram = mode == .full ? bench.link.full(packet) : bench.link.header(packet)
        for length in 0..<datagram.count { bench.link.send(Array(datagram[..<length])) }
        for extra in 1...40 { bench.link.send(datagram + bench.network.bytes(extra)) }
        while bench.node.io.waiting > 0 { bench.node.turn(bench.network.now) }
        #expect(bench.node.delivered.isEmpty && bench.node.sent.isEmpty && bench.node.punts.isEmpty)
        bench.link.send(datagram)
        bench.node.turn(bench.network.now)
        #expect(bench.node.delivered.count == 1)
    }
}
