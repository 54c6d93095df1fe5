import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaWire
import Testing

@testable import HyphaDataplane

/// ICMPv6 into the TUN about packets that came from it (RFC 4443).
struct LocalAnswerTests {
    struct Bench {
        let network: TestNetwork
        let node: TestNode
        let link: Neighbour
        let peer: RemotePeer

        init(mtu: Int = 1_452, mode: SealMode = .full) throws {
            network = TestNetwork(seed: 31)
            node = try network.add("N", TestNode.Options(entryMode: mode))
            link = try Neighbour(network, node, number: 1, Neighbour.Options(mtu: mtu))
            peer = try RemotePeer(network, node, address: IPv6Address(high: 0x0500_0000_0000_0033, low: 0x44))
            node.route(peer.address, NextHop(kind: .link, link: link.link, peer: peer.id))
            node.turn(network.now)
            node.forget()
        }

        func enter(_ packet: [UInt8], virtio: [UInt8] = Inner.virtio()) {
            node.forget()
            node.io.arriveFromTun(virtio + packet)
            for _ in 0..<2 { node.turn(network.now) }
            node.expectNoLeak()
        }

        func udp(to destination: IPv6Address, _ count: Int = 100, hopLimit: UInt8 = 64) -> [UInt8] {
            Inner.udp(from: node.address, to: destination, payload: network.bytes(count), hopLimit: hopLimit)
        }

        func expectICMP(_ type: UInt8, _ code: UInt8, value: UInt32 = 0, about packet: [UInt8], _ drop: DropReason) {
            let payload = [type, code, 0, 0] + Inner.be32(value) + packet.prefix(1_280 - 48)
            let expected = Inner.complete(
                Inner.ipv6(from: node.address, to: node.address, next: 58, payload: payload, label: 0),
                transport: 40, checksumOffset: 2, next: 58)
            #expect(node.delivered == [Inner.virtio(flags: 2) + expected])
            #expect(node.sent.isEmpty)
            #expect(node.drops == [drop.name: 1])
        }
    }

    @Test func noRoute() throws {
        let bench = try Bench()
        let packet = bench.udp(to: IPv6Address(high: 0x0400_0000_0099_0000, low: 1))
        bench.enter(packet)
        bench.expectICMP(1, 0, about: packet, .noRoute)
    }

    @Test func unreachable() throws {
        let bench = try Bench()
        bench.node.route(bench.peer.address, NextHop(kind: .unreachable))
        let packet = bench.udp(to: bench.peer.address, 1_300)
        bench.enter(packet)
        bench.expectICMP(1, 0, about: packet, .noRoute)
    }

    /// A host of the own /64 that the kernel does not have.
    @Test func ownPrefix() throws {
        let bench = try Bench()
        let packet = bench.udp(to: IPv6Address(high: bench.node.address.high, low: 99))
        bench.enter(packet)
        bench.expectICMP(1, 3, about: packet, .noListener)
    }

    @Test(arguments: [0, 1] as [UInt8]) func hopLimit(hops: UInt8) throws {
        let bench = try Bench()
        let packet = bench.udp(to: bench.peer.address, hopLimit: hops)
        bench.enter(packet)
        bench.expectICMP(3, 0, about: packet, .hopLimit)
        bench.enter(bench.udp(to: bench.peer.address, hopLimit: 2))
        #expect(bench.link.received.map { $0.inner?[1] } == [1])
    }

    @Test func noSessionOnTheLink() throws {
        let bench = try Bench()
        bench.node.command(WorkerCommand(.retireLinkSession, slot: bench.link.slot))
        let packet = bench.udp(to: bench.peer.address)
        bench.enter(packet)
        bench.expectICMP(1, 0, about: packet, .linkDown)
    }

    /// A destination without a known key.
    @Test(arguments: [UInt32.max, 9]) func noPeer(id: UInt32) throws {
        let bench = try Bench()
        bench.node.route(bench.peer.address, NextHop(kind: .link, link: bench.link.link, peer: id))
        let packet = bench.udp(to: bench.peer.address)
        bench.enter(packet)
        bench.expectICMP(1, 0, about: packet, .noRoute)
    }

    /// The MTU that is told is the largest that passes.
    @Test(arguments: [1_342, 1_343, 1_400, 1_452, 1_472, 1_500, 8_952], [SealMode.full, .header])
    func tooBig(mtu: Int, mode: SealMode) throws {
        let bench = try Bench(mtu: mtu, mode: mode)
        let largest = mtu - 62
        bench.enter(bench.udp(to: bench.peer.address, largest - 48))
        #expect(bench.link.received.map(\.datagram.count) == [mtu])
        let packet = bench.udp(to: bench.peer.address, largest - 47)
        bench.enter(packet)
        bench.expectICMP(2, 0, value: UInt32(largest), about: packet, .tooBig)
    }

    /// Never less than IPv6 asks of every link.
    @Test func smallestMTU() throws {
        let bench = try Bench(mtu: 1_232)
        let packet = bench.udp(to: bench.peer.address, 1_200)
        bench.enter(packet)
        bench.expectICMP(2, 0, value: 1_280, about: packet, .tooBig)
        // Padded sizes around 256 bytes of plaintext pass.
        for count in 180...260 {
            bench.enter(bench.udp(to: bench.peer.address, count))
            #expect(bench.link.received.count == 1)
        }
    }

    /// The segments of a super-packet decide, not its length; all of them are counted.
    @Test func tooBigSegments() throws {
        let bench = try Bench(mtu: 1_452)
        var fields = Inner.TCPFields()
        fields.flags = 0x18
        let make = { size in
            SuperPacket.tcp(
                from: bench.node.address, to: bench.peer.address, fields, payload: bench.network.bytes(10_000),
                size: size)
        }
        let good = make(1_330)
        bench.enter(good.bytes, virtio: good.virtio)
        #expect(bench.link.received.count == 8 && bench.node.drops == [:])
        let bad = make(1_331)
        bench.enter(bad.bytes, virtio: bad.virtio)
        #expect(bench.node.drops == ["too_big": 8])
        #expect(bench.node.packets.map { $0[40] } == [2])
        #expect(bench.node.packets.map(\.count) == [1_280])
    }

    /// What is not the overlay's, or not this node's, gets no answer.
    @Test func silent() throws {
        let bench = try Bench()
        for prefix in [0x02, 0x03, 0x06, 0x20, 0xFD, 0xFE, 0xFF] as [UInt64] {
            bench.enter(bench.udp(to: IPv6Address(high: prefix << 56, low: 1)))
            #expect(bench.node.delivered.isEmpty && bench.node.sent.isEmpty)
        }
        // 400::/7 is 4 and 5.
        #expect(bench.node.drops == ["not_overlay": 7])
        bench.enter(
            Inner.udp(from: IPv6Address(high: 0x04 << 56, low: 1), to: bench.peer.address, payload: [1, 2, 3]))
        #expect(bench.node.delivered.isEmpty && bench.node.sent.isEmpty)
        #expect(bench.node.drops == ["not_overlay": 7, "bad_source": 1])
        // Another address of the own /64 is this node's.
        bench.enter(
            Inner.udp(
                from: IPv6Address(high: bench.node.address.high, low: 77), to: bench.peer.address, payload: [1, 2, 3]))
        #expect(bench.link.received.count == 1)
    }

    @Test func noneAboutErrors() throws {
        let bench = try Bench()
        let unknown = IPv6Address(high: 0x0400_0000_0099_0000, low: 1)
        for type in [0, 1, 2, 3, 4, 127, 137] as [UInt8] {
            bench.enter(
                Inner.ipv6(from: bench.node.address, to: unknown, next: 58, payload: [type] + bench.network.bytes(60)))
            #expect(bench.node.delivered.isEmpty)
        }
        bench.enter(Inner.ipv6(from: bench.node.address, to: unknown, next: 58, payload: []))
        #expect(bench.node.delivered.isEmpty)
        bench.enter(Inner.ipv6(from: bench.node.address, to: unknown, next: 58, payload: [128, 0, 0, 0]))
        #expect(bench.node.delivered.count == 1)
    }

    @Test func tenASecond() throws {
        let bench = try Bench()
        let packet = bench.udp(to: IPv6Address(high: 0x0400_0000_0099_0000, low: 1))
        for _ in 0..<2 {
            var answers = 0
            for _ in 0..<30 {
                bench.enter(packet)
                answers += bench.node.delivered.count
            }
            #expect(answers == 10)
            bench.network.advance(milliseconds: 1_000)
        }
    }
}
