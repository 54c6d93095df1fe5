import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire
import TestVectors
import Testing

@testable import HyphaDataplane

/// Both ends of stock bodies, and of native sessions, over TCP links.
struct StockStreamTests {
    /// A node with one TCP link, by which everybody is reached.
    final class Bench {
        let network = TestNetwork(seed: 31)
        let identity: StockIdentity
        let node: TestNode
        let connection: UInt32

        init(secret: [UInt8]? = nil, _ session: SessionPolicy = .classic) throws {
            identity = try secret.map(StockIdentity.init(secret:)) ?? StockIdentity(network)
            var options = TestNode.Options()
            options.address = identity.address
            options.stock = identity.configuration(session)
            options.slots = 256
            options.maxStreams = 2
            node = try network.add("N", options)
            connection = try StreamTests.accept(node, network)
        }

        func know(_ key: [UInt8]) throws -> UInt32 {
            let address = try #require(PublicKeyAddress.of(key))
            let id = node.addPeer(address, key: key)
            node.route(
                address, NextHop(kind: .link, link: node.numbering.link(connection: connection), peer: id))
            node.turn(network.now)
            return id
        }

        func arrive(_ bytes: [UInt8]) {
            node.io.arrive(bytes, on: connection)
            for _ in 0..<4 { node.turn(network.now) }
        }
    }

    /// Frames of stock nodes as they came over the wire: all in one write, and byte by byte.
    @Test(arguments: [1, 7, 100_000]) func stockFrames(part: Int) throws {
        for file in ["data.json", "icmp.json"] {
            let entries = try Vectors.load(file)[file == "data.json" ? "packets" : "oob"].array()
            for entry in entries where !entry["to_host"].isNull {
                let bench = try Bench(secret: try entry["receiver_secret_key"].bytes())
                _ = try bench.know(try entry["sender_public_key"].bytes())
                if file == "icmp.json" { _ = try bench.know(try entry["original_target_public_key"].bytes()) }
                // Something that is not for this node in front and behind: its neighbours stay whole.
                let other = try StreamTests.frame([1, 2, 3], to: IPv6Address(high: 0x0499 << 48, low: 1))
                var rest = (other + (try entry["frame"].bytes()) + other)[...]
                while !rest.isEmpty {
                    bench.node.io.arrive(Array(rest.prefix(part)), on: bench.connection)
                    rest = rest.dropFirst(part)
                    bench.node.turn(bench.network.now)
                }
                for _ in 0..<4 { bench.node.turn(bench.network.now) }
                #expect(bench.node.packets == [try entry["to_host"].bytes()])
                #expect(bench.node.drops == ["no_route": 2])
                bench.node.expectNoLeak()
            }
        }
    }

    /// What the TUN sends is a frame that a stock node takes.
    @Test func fromTun() throws {
        let bench = try Bench()
        let far = try StockIdentity(bench.network)
        let id = try bench.know(far.key)
        let packets = [60, 1_400, 9_000].map {
            Inner.udp(
                from: bench.node.address, to: far.address, payload: bench.network.bytes($0 - 48), hopLimit: 9)
        }
        for packet in packets { bench.node.io.arriveFromTun(Inner.read(packet)) }
        for _ in 0..<4 { bench.node.turn(bench.network.now) }
        var out = bench.node.io.written(bench.connection)[...]
        let key = far.shared(bench.identity.key)
        for packet in packets {
            let length = packet.count + 32
            #expect(Array(out.prefix(40)) == [1, 0, 0, 0, 0] + Inner.be16(length) + [8] + packet[8..<40])
            let payload = Array(out.dropFirst(40).prefix(length))
            #expect(StockPeer.open(key, payload) == [1, 0, 0, 0] + packet)
            out = out.dropFirst(40 + length)
        }
        #expect(out.isEmpty && id == 0 && bench.node.drops == [:])
        bench.node.expectNoLeak()
    }

    /// Ping and traceroute along a line of TCP links, in stock bodies.
    @Test func stockBodiesAlongALine() throws {
        let line = try StockLine(.classic, overTCP: true)
        for (from, to) in [(line.a, line.b), (line.b, line.a)] {
            line.network.forget()
            let packets = (0..<5).map { PathTests.message(from, to, length: 900 + $0, line.network) }
            for packet in packets { from.io.arriveFromTun(Inner.read(packet)) }
            line.settle()
            #expect(to.packets == packets.map { Inner.withHopLimit($0, 61) })
        }
        for (hopLimit, speaker) in [(2, line.identities[1].relay), (3, line.identities[2].relay)] {
            line.network.forget()
            let probe = Inner.udp(
                from: line.a.address, to: line.b.address, payload: [1, 2, 3], hopLimit: UInt8(hopLimit))
            line.a.io.arriveFromTun(Inner.read(probe))
            line.settle()
            try #require(line.a.packets.count == 1, "hop limit \(hopLimit)")
            #expect(Inner.isSound(line.a.packets[0]) && line.a.packets[0][40...41] == [3, 0])
            #expect(Array(line.a.packets[0][8..<24]) == speaker.bytes)
            #expect(Array(line.a.packets[0][48...]) == probe)
        }
        for node in line.network.nodes { node.expectNoLeak() }
    }

    /// A native session along the same line: data, its empty control bodies, handshakes, and traceroute by way of hints.
    @Test func nativeSessionAlongALine() throws {
        let line = try StockLine(.auto, overTCP: true)
        try line.network.renewFlow(line.a, line.peers.a, line.b, line.peers.b)
        line.settle()
        for (from, to) in [(line.a, line.b), (line.b, line.a)] {
            line.network.forget()
            let packets = (0..<5).map { PathTests.message(from, to, length: 900 + $0, line.network) }
            for packet in packets { from.io.arriveFromTun(Inner.read(packet)) }
            line.settle()
            #expect(to.packets == packets.map { Inner.withHopLimit($0, 61) })
        }
        #expect(line.a.counters[.stockSealed] == 0 && line.b.counters[.stockOpened] == 0)
        // Who got data answers with a sign of life, and nobody takes the other for silent.
        for _ in 0..<60 {
            line.network.advance(milliseconds: 50)
            line.network.step()
        }
        #expect(!(line.a.notices + line.b.notices).contains { $0.kind == .flowSilent })
        #expect(line.a.counters[.keepalivesSent] > 0)
        // A handshake.
        line.network.forget()
        let initiation =
            Seal.route(
                kind: 1, hopLimit: 64, source: line.a.address.bytes, destination: line.b.address.bytes)
            + [1, 1, 0, 0] + line.network.bytes(164)
        line.a.inject(InjectedPacket(kind: .overlay, length: initiation.count), initiation)
        line.settle()
        #expect(line.b.punts.map(\.bytes) == [[initiation[0], 61] + initiation[2...]])
        // The relay knows nothing of sessions; its report quotes what it saw, and the origin knows the rest.
        line.network.forget()
        let probe = Inner.udp(from: line.a.address, to: line.b.address, payload: [1, 2, 3], hopLimit: 2)
        line.a.io.arriveFromTun(Inner.read(probe))
        line.settle()
        try #require(line.a.packets.count == 1)
        #expect(Inner.isSound(line.a.packets[0]) && line.a.packets[0][40...41] == [3, 0])
        #expect(Array(line.a.packets[0][8..<24]) == line.identities[1].relay.bytes)
        #expect(Array(line.a.packets[0][48...]) == Inner.withHopLimit(probe, 1))
        for node in line.network.nodes { node.expectNoLeak() }
    }
}
