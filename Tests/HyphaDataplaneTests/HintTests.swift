import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire
import Testing

@testable import HyphaDataplane

/// What relays say about packets of this node, and what local programs hear of it.
struct HintTests {
    struct Bench {
        let network: TestNetwork
        let node: TestNode
        let link: Neighbour
        let peer: RemotePeer
        static let relay = IPv6Address(high: 0x0408_0000_0000_0001, low: 0x99)

        init() throws {
            network = TestNetwork(seed: 91)
            node = try network.add("N")
            link = try Neighbour(network, node, number: 1)
            peer = try RemotePeer(network, node, address: IPv6Address(high: 0x0500_0000_0000_0033, low: 0x44))
            node.route(peer.address, NextHop(kind: .link, link: link.link, peer: peer.id))
            node.turn(network.now)
            node.forget()
        }

        /// A packet from the TUN; the routing header it went out with, nil when it did not.
        func send(_ count: Int = 100, hopLimit: UInt8 = 64) -> (inner: [UInt8], route: [UInt8]?) {
            node.forget()
            let packet = Inner.udp(
                from: node.address, to: peer.address, payload: network.bytes(count), hopLimit: hopLimit)
            node.io.arriveFromTun(Inner.read(packet))
            for _ in 0..<2 { node.turn(network.now) }
            return (packet, link.received.first?.inner.map { Array($0[..<48]) })
        }

        /// A relay's error about a packet with that routing header.
        func tell(_ code: UInt8, value: UInt16 = 0, about route: [UInt8]?, from relay: IPv6Address = relay) {
            node.forget()
            let header = Seal.route(
                kind: 5, hopLimit: 60, source: relay.bytes, destination: node.address.bytes)
            link.send(link.full(header + [code, 0] + Seal.little(UInt64(value), 2) + (route ?? [])))
            for _ in 0..<2 { node.turn(network.now) }
        }

        /// Types and codes of ICMPv6 messages into the TUN.
        var icmp: [[UInt8]] { node.packets.filter { $0[6] == 58 }.map { Array($0[40...41]) } }
    }

    @Test func noRoute() throws {
        let bench = try Bench()
        let first = bench.send()
        bench.tell(0, about: first.route)
        #expect(bench.icmp.isEmpty && bench.node.punts.isEmpty)
        // For a second local senders are told, and their packets go on.
        let second = bench.send()
        #expect(bench.icmp == [[1, 0]] && second.route != nil)
        #expect(bench.node.packets[0][48...] == second.inner[...])
        bench.network.advance(milliseconds: 1_000)
        #expect(bench.send().route != nil && bench.icmp.isEmpty)
    }

    @Test func tooBig() throws {
        let bench = try Bench()
        // 1,390 - 48 bytes pass; then a relay takes bodies of 1,300 at most: inner packets of 1,318.
        let first = bench.send(1_342)
        #expect(first.route != nil)
        bench.tell(2, value: 1_300, about: first.route)
        #expect(bench.icmp.isEmpty)
        let second = bench.send(1_271)
        #expect(second.route == nil && bench.icmp == [[2, 0]])
        #expect(Array(bench.node.packets[0][44..<48]) == Inner.be32(1_318))
        #expect(bench.node.drops == ["too_big": 1])
        #expect(bench.send(1_270).route != nil)
        // Never raised by a hint, lowered further, and no lower than what IPv6 asks for.
        bench.tell(2, value: 1_350, about: bench.send(100).route)
        #expect(bench.send(1_271).route == nil)
        bench.tell(2, value: 3, about: bench.send(100).route)
        #expect(bench.send(1_270).route == nil)
        #expect(Array(bench.node.packets[0][44..<48]) == Inner.be32(1_280))
        // A body of 1,152 bytes passes everywhere.
        #expect(bench.send(1_152 - 18 - 48).route != nil)
        #expect(bench.send(1_152 - 18 - 47 + 36).route == nil)
        bench.network.advance(milliseconds: 600_000)
        try bench.link.agree(bench.network)
        try bench.peer.agree(bench.network)
        #expect(bench.send(1_342).route != nil)
    }

    @Test func hopLimit() throws {
        let bench = try Bench()
        let first = bench.send(60, hopLimit: 5)
        bench.tell(1, about: first.route)
        try #require(bench.node.packets.count == 1)
        let answer = bench.node.packets[0]
        #expect(Inner.isSound(answer))
        #expect(Array(answer[8..<24]) == Bench.relay.bytes && Array(answer[24..<40]) == bench.node.address.bytes)
        #expect(answer[40...41] == [3, 0])
        #expect(Array(answer[48...]) == Inner.withHopLimit(first.inner, 4))
        // Said once.
        bench.tell(1, about: first.route)
        #expect(bench.node.delivered.isEmpty)
        // A long packet is quoted by its head.
        let long = bench.send(900, hopLimit: 2)
        bench.tell(1, about: long.route)
        #expect(Array(bench.node.packets[0][48...]) == Array(Inner.withHopLimit(long.inner, 1)[..<128]))
        // Ordinary packets are not kept.
        bench.tell(1, about: bench.send(60, hopLimit: 64).route)
        #expect(bench.node.delivered.isEmpty)
        // Traceroute: 70 packets out, the last 64 are known.
        let routes = (0..<70).map { _ in bench.send(10, hopLimit: 3).route }
        var answers = 0
        for route in routes {
            bench.tell(1, about: route)
            answers += bench.node.delivered.count
            bench.network.advance(milliseconds: 20)
        }
        #expect(answers > 10 && answers <= 64)
    }

    @Test func unknownSessionIsForControl() throws {
        let bench = try Bench()
        bench.tell(3, about: bench.send().route)
        #expect(bench.node.punts.map(\.head.kind) == [.overlay])
        #expect(bench.node.delivered.isEmpty)
    }

    /// Every way in which a hint does not quote a packet of ours: it goes to control, and has no effect here.
    @Test func takenOnlyAboutOurOwn() throws {
        let bench = try Bench()
        let good = try #require(bench.send().route)
        let change = { (range: Range<Int>, bytes: [UInt8]) in
            var route = good
            route.replaceSubrange(range, with: bytes)
            return route
        }
        let bad: [[UInt8]] = [
            change(4..<8, [1, 2, 3, 4]), change(8..<9, [good[8] &+ 100]), change(15..<16, [0x80]),
            change(3..<4, [good[3] ^ 0x10]), change(16..<17, [5]), change(32..<33, [4]),
            change(39..<40, [good[39] ^ 1]),
            change(0..<1, [0x10]), Array(good.dropLast()), good + [0], [],
        ]
        for (i, route) in bad.enumerated() {
            bench.tell(2, value: 1_200, about: route)
            #expect(bench.node.punts.map(\.head.kind) == [.overlay], "case \(i)")
            #expect(bench.send(1_342).route != nil, "case \(i)")
        }
        // The same one, unchanged, is taken.
        bench.tell(2, value: 1_200, about: good)
        #expect(bench.node.punts.isEmpty)
        #expect(bench.send(1_342).route == nil)
    }

    /// Packets of long ago are none of ours any more.
    @Test func notAboutOldPackets() throws {
        let bench = try Bench()
        let old = bench.send(60, hopLimit: 5).route
        bench.network.advance(milliseconds: 5_000)
        bench.tell(0, about: old)
        #expect(bench.send().route != nil && bench.icmp.isEmpty)
        // Sending goes on: what is older than five seconds is forgotten all the same.
        let first = bench.send(60, hopLimit: 5).route
        for _ in 0..<6 {
            bench.network.advance(milliseconds: 1_000)
            _ = bench.send()
        }
        bench.tell(0, about: first)
        _ = bench.send()
        #expect(bench.icmp.isEmpty)
        bench.tell(1, about: first)
        #expect(bench.node.delivered.isEmpty)
        // But two seconds are not long.
        let recent = bench.send().route
        bench.network.advance(milliseconds: 2_000)
        bench.tell(0, about: recent)
        _ = bench.send()
        #expect(bench.icmp == [[1, 0]])
    }

    /// A hint never reaches a session, and rate limits hold for what it makes.
    @Test func harmless() throws {
        let bench = try Bench()
        var heard = 0
        for _ in 0..<60 {
            bench.tell(1, about: bench.send(10, hopLimit: 5).route)
            heard += bench.node.delivered.count
        }
        #expect(heard == 10)
        #expect(bench.node.port.flowSessions.use(bench.peer.slot).pointee.installed == 1)
        #expect(bench.send().route != nil)
    }
}
