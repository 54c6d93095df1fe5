import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire
import Testing

@testable import HyphaDataplane

/// What a relay tells the source of a stock body that cannot go on, and what the source's host hears of it.
struct StockRelayTests {
    /// Content of a report that a node sent to a peer.
    struct Report {
        let target: [UInt8]
        let packet: [UInt8]
        let quote: [UInt8]

        init?(_ sent: [UInt8], _ peer: StockPeer) {
            guard let plain = peer.open(sent), plain.count >= 68, plain[1] == 2 else { return nil }
            target = Array(plain[4..<20])
            packet = Array(plain[20...])
            quote = Array(plain[68...])
        }
    }

    @Test func tellsTheSource() throws {
        let bench = try StockNode()
        let peer = try bench.peer()
        let nowhere = IPv6Address(high: 0x0477 << 48, low: 7)
        let payload = bench.network.bytes(100)
        let cases: [(hopLimit: UInt8, to: IPv6Address, size: Int, icmp: [UInt8], reason: String)] = [
            (1, nowhere, 100, [3, 0], "hop_limit"), (0, bench.node.address, 100, [3, 0], "hop_limit"),
            (9, nowhere, 100, [1, 0], "no_route"),
        ]
        for (i, test) in cases.enumerated() {
            bench.node.forget()
            bench.arrive(peer.carry(payload: payload, hopLimit: test.hopLimit, destination: test.to))
            try #require(bench.sent.count == 1, "case \(i)")
            let sent = bench.sent[0]
            // From <prefix>::, with 64 before this node's own step.
            #expect(sent[1] == 63 && Array(sent[16..<32]) == bench.identity.relay.bytes)
            #expect(Array(sent[32..<48]) == peer.address.bytes)
            let report = try #require(Report(sent, peer))
            #expect(report.target == test.to.bytes && report.quote == payload)
            #expect(Inner.isSound(report.packet) && Array(report.packet[40...41]) == test.icmp)
            #expect(report.packet[7] == 64 && Array(report.packet[8..<24]) == bench.identity.relay.bytes)
            #expect(Array(report.packet[24..<40]) == peer.address.bytes)
            #expect(peer.open(sent).map { Array($0[..<4]) } == [1, 2, 0x48, 0])
        }
        #expect(bench.node.drops == ["hop_limit": 2, "no_route": 1] && bench.node.counters[.errorsSent] == 3)
        bench.node.expectNoLeak()
    }

    /// A next hop that takes less: the MTU is that of an inner packet in a stock body. What is too long to be quoted is not.
    @Test func tooBig() throws {
        let bench = try StockNode()
        let peer = try bench.peer()
        let next = try Neighbour(bench.network, bench.node, number: 2, Neighbour.Options(mtu: 100))
        let far = IPv6Address(high: 0x0477 << 48, low: 7)
        bench.node.route(far, NextHop(kind: .link, link: next.link))
        bench.turn()
        bench.arrive(peer.carry(payload: bench.network.bytes(1_300), destination: far))
        #expect(bench.node.drops == ["too_big": 1])
        let report = try #require(bench.sent.first.flatMap { Report($0, peer) })
        #expect(report.packet[40...41] == [2, 0] && report.quote.isEmpty)
        // Never less than IPv6 asks for: what goes in two datagrams here would be 48.
        #expect(Array(report.packet[44..<48]) == Inner.be32(1_280))
    }

    /// Of a native payload its first 20 bytes are enough.
    @Test func quotesTheHeadOfLongNativePayloads() throws {
        let bench = try StockNode()
        let peer = try bench.peer()
        let native = [0x48, 0x45, 0x31, 0x01] + [0x00, 0x00] + bench.network.bytes(1_300)
        bench.arrive(peer.carry(payload: native, hopLimit: 1, destination: IPv6Address(high: 0x0477 << 48, low: 7)))
        let report = try #require(bench.sent.first.flatMap { Report($0, peer) })
        #expect(report.quote == Array(native[..<20]) && Inner.isSound(report.packet))
    }

    @Test func tellsNobodyElse() throws {
        let bench = try StockNode()
        let peer = try bench.peer()
        // Not known: asked for, not answered.
        let stranger = try StockUnknownSourceTests.stranger(bench)
        bench.arrive(stranger.carry(payload: bench.network.bytes(50), hopLimit: 1))
        #expect(bench.sent.isEmpty && bench.notices(.routeNeeded).map(\.prefix) == [stranger.address.high])
        // This node's own address.
        bench.arrive(peer.carry(payload: bench.network.bytes(50), hopLimit: 1, source: bench.node.address))
        bench.arrive(peer.carry(payload: bench.network.bytes(50), hopLimit: 1, source: bench.identity.relay))
        #expect(bench.sent.isEmpty && bench.node.counters[.errorsSent] == 0)
        // Ten a second for one source.
        for _ in 0..<30 { bench.arrive(peer.carry(payload: bench.network.bytes(50), hopLimit: 1)) }
        #expect(bench.sent.count == 10)
        #expect(bench.node.drops == ["hop_limit": 33])
        bench.node.expectNoLeak()
    }

    /// Three workers in a line that share no native session: traceroute from end to end.
    @Test func traceroute() throws {
        let line = try StockLine(.classic)
        for (hopLimit, speaker) in [(2, line.identities[1].relay), (3, line.identities[2].relay)] {
            line.network.forget()
            let probe = Inner.udp(
                from: line.a.address, to: line.b.address, payload: [1, 2, 3], hopLimit: UInt8(hopLimit))
            line.a.io.arriveFromTun(Inner.read(probe))
            line.network.settle()
            try #require(line.a.packets.count == 1, "hop limit \(hopLimit)")
            let answer = line.a.packets[0]
            #expect(Inner.isSound(answer) && answer[40...41] == [3, 0])
            #expect(Array(answer[8..<24]) == speaker.bytes && Array(answer[24..<40]) == line.a.address.bytes)
            // The packet as it was sent.
            #expect(Array(answer[48...]) == probe)
            #expect(line.b.packets.isEmpty)
        }
        line.network.forget()
        let probe = Inner.udp(from: line.a.address, to: line.b.address, payload: [1, 2, 3], hopLimit: 4)
        line.a.io.arriveFromTun(Inner.read(probe))
        line.network.settle()
        #expect(line.b.packets == [Inner.withHopLimit(probe, 1)] && line.a.packets.isEmpty)
    }

    /// The relay in the middle lost its route.
    @Test func noRouteBehindTheRelay() throws {
        let line = try StockLine(.classic)
        line.r.route(line.b.address, NextHop(kind: .unreachable))
        let packet = PathTests.message(line.a, line.b, length: 300, line.network)
        line.a.io.arriveFromTun(Inner.read(packet))
        line.network.settle()
        try #require(line.a.packets.count == 1)
        #expect(Inner.isSound(line.a.packets[0]) && line.a.packets[0][40...41] == [1, 0])
        #expect(Array(line.a.packets[0][48...]) == packet)
        for node in line.network.nodes { node.expectNoLeak() }
    }

    /// A report that quotes a native payload is a hint: it has the effect of a type 5 packet.
    @Test func reportsAboutNativePackets() throws {
        let bench = try StockNode()
        let relay = try bench.peer()
        let peer = try StockSessionTests.both(bench)
        try peer.native.agree(bench.network)
        bench.turn()

        func send(_ count: Int, hopLimit: UInt8 = 64) throws -> (inner: [UInt8], packet: [UInt8]?) {
            bench.node.forget()
            let packet = bench.udp(to: peer.stock, count, hopLimit: hopLimit)
            bench.enter(packet)
            return (packet, bench.sent.first)
        }
        func tell(_ type: UInt8, _ code: UInt8, value: UInt32 = 0, about packet: [UInt8]?) throws {
            bench.node.forget()
            let quote = StockNativeTests.payload(try #require(packet)).prefix(20)
            let icmp = Inner.ipv6(
                from: relay.identity.relay, to: bench.node.address, next: 58,
                payload: [type, code, 0, 0] + Inner.be32(value) + quote, label: 0)
            let content = peer.stock.address.bytes + icmp
            bench.arrive(
                relay.carry(
                    payload: relay.payload(content, kind: 2), hopLimit: 62, source: relay.identity.relay))
        }
        // Hop limit: what traceroute waits for.
        let probe = try send(30, hopLimit: 5)
        try tell(3, 0, about: probe.packet)
        try #require(bench.node.packets.count == 1)
        #expect(bench.node.packets[0][40...41] == [3, 0])
        #expect(Array(bench.node.packets[0][8..<24]) == relay.identity.relay.bytes)
        #expect(Array(bench.node.packets[0][48...]) == Inner.withHopLimit(probe.inner, 4))
        // No route: local senders hear of it for a second.
        try tell(1, 0, about: try send(30).packet)
        #expect(bench.node.packets.isEmpty)
        #expect(try send(30).packet != nil)
        #expect(bench.node.packets.map { $0[40...41] } == [[1, 0]])
        bench.network.advance(milliseconds: 1_000)
        // Too big: an MTU of 1,288 is a payload of 1,320, a native body of 1,300, an inner packet of 1,318.
        #expect(try send(1_271).packet != nil)
        try tell(2, 0, value: 1_288, about: try send(30).packet)
        #expect(try send(1_271).packet == nil)
        #expect(Array(bench.node.packets[0][44..<48]) == Inner.be32(1_318))
        #expect(try send(1_270).packet != nil)
        // About a packet that was never sent, and in words that mean nothing.
        var other = try #require(try send(30).packet)
        other[8] ^= 0x40
        try tell(1, 0, about: other)
        try tell(4, 0, about: try send(30).packet)
        #expect(bench.node.drops == ["too_big": 1, "unknown_session": 2])
        #expect(bench.node.counters[.stockOpened] == 5)
        bench.node.expectNoLeak()
    }
}
