import HyphaBase
import HyphaFIB
import HyphaPacket
import HyphaWire
import Testing

@testable import HyphaDataplane

/// Super-packets from the TUN become the segments that a slow splitter makes of them.
struct SegmentTests {
    /// A node with one link and one peer behind it.
    struct Bench {
        let network: TestNetwork
        let node: TestNode
        let link: Neighbour
        let peer: RemotePeer

        init(seed: UInt64, mode: SealMode = .full, mtu: Int = 1_500, suite: UInt8 = 1) throws {
            network = TestNetwork(seed: seed)
            node = try network.add("N", TestNode.Options(entryMode: mode))
            link = try Neighbour(network, node, number: 1, Neighbour.Options(suite: suite, mtu: mtu))
            peer = try RemotePeer(
                network, node, address: IPv6Address(high: 0x0500_0000_0000_0077, low: 5), suite: suite)
            node.route(peer.address, NextHop(kind: .link, link: link.link, peer: peer.id))
            node.turn(network.now)
        }

        /// The inner packets that the node sent to the peer.
        var arrived: [[UInt8]] { link.received.compactMap(\.inner).compactMap(peer.inner) }

        /// Takes a read of the TUN in and turns until all is out.
        func enter(_ read: [UInt8]) {
            node.forget()
            node.io.arriveFromTun(read)
            for _ in 0..<3 { node.turn(network.now) }
        }
    }

    static func hopTaken(_ packets: [[UInt8]]) -> [[UInt8]] { packets.map { Inner.withHopLimit($0, $0[7] - 1) } }

    @Test(arguments: 0..<12 as Range<UInt64>) func tcp(seed: UInt64) throws {
        let bench = try Bench(seed: seed, mode: seed % 2 == 0 ? .full : .header, suite: seed % 3 == 0 ? 2 : 1)
        let network = bench.network
        for round in 0..<12 {
            var fields = Inner.TCPFields()
            fields.sequence = round % 3 == 0 ? .max - 3_000 : network.random.next32()
            fields.flags = UInt8.random(in: 0...255, using: &network.random)
            fields.options = network.bytes(4 * Int.random(in: 0...10, using: &network.random))
            let size = Int.random(in: 1...1_300, using: &network.random)
            let count = Int.random(in: 1...min(60_000, 300 * size), using: &network.random)
            // A hop-by-hop header of 8 or 16 bytes now and then.
            let extensions = [UInt8](repeating: 0, count: 8 * [0, 0, 1, 2][round % 4])
            let withLength =
                extensions.isEmpty ? [] : [6, UInt8(extensions.count / 8 - 1)] + extensions.dropFirst(2)
            var packet = SuperPacket.tcp(
                from: bench.node.address, to: bench.peer.address, fields, payload: network.bytes(count), size: size,
                extensions: withLength)
            if round % 5 == 4 { packet.ecn = 0x80 }
            if round % 7 == 6 { packet.flags = 0 }
            bench.enter(packet.read)
            let expected = SegmentTests.hopTaken(packet.segments)
            try #require(bench.arrived == expected, "seed \(seed), round \(round), \(count) by \(size)")
            #expect(bench.node.counters[.tunReceived] == bench.node.counters[.received])
            bench.node.expectNoLeak()
        }
        #expect(bench.node.drops == [:])
    }

    @Test(arguments: 0..<12 as Range<UInt64>) func udp(seed: UInt64) throws {
        let bench = try Bench(seed: seed, mode: seed % 2 == 0 ? .full : .header)
        let network = bench.network
        for round in 0..<12 {
            let size = Int.random(in: 1...1_300, using: &network.random)
            let count = Int.random(in: 1...min(60_000, 128 * size), using: &network.random)
            let packet = SuperPacket.udp(
                from: bench.node.address, to: bench.peer.address, payload: network.bytes(count), size: size)
            bench.enter(packet.read)
            let expected = SegmentTests.hopTaken(packet.segments)
            try #require(bench.arrived == expected, "seed \(seed), round \(round), \(count) by \(size)")
            #expect(bench.arrived.allSatisfy(Inner.isSound))
        }
        #expect(bench.node.drops == [:])
    }

    /// The splitter of the tests makes sound packets, and as many bytes of payload as went in.
    @Test func slowSplitterIsSound() throws {
        let a = IPv6Address(high: 0x0400_0000_0000_0001, low: 1)
        let payload = (0..<5_000).map { UInt8(truncatingIfNeeded: $0) }
        var fields = Inner.TCPFields()
        fields.flags = 0x99
        let tcp = SuperPacket.tcp(from: a, to: a, fields, payload: payload, size: 999).segments
        #expect(tcp.allSatisfy(Inner.isSound))
        #expect(tcp.flatMap { $0[60...] } == payload)
        #expect(tcp.map { $0[53] } == [0x90, 0x10, 0x10, 0x10, 0x10, 0x19])
        let udp = SuperPacket.udp(from: a, to: a, payload: payload, size: 999).segments
        #expect(udp.allSatisfy(Inner.isSound))
        #expect(udp.flatMap { $0[48...] } == payload)
    }

    /// Single packets whose checksum the kernel left to the device: TCP, UDP and ICMPv6.
    @Test func completesChecksums() throws {
        let bench = try Bench(seed: 3)
        let (from, to) = (bench.node.address, bench.peer.address)
        for count in [0, 1, 2, 63, 64, 65, 1_000, 1_201] {
            let payload = bench.network.bytes(count)
            let ping = Inner.complete(
                Inner.ipv6(from: from, to: to, next: 58, payload: [128, 0, 0, 0, 1, 2, 3, 4] + payload), transport: 40,
                checksumOffset: 2, next: 58)
            let all: [([UInt8], Int, UInt8)] = [
                (Inner.tcp(from: from, to: to, payload: payload), 16, 6),
                (Inner.udp(from: from, to: to, payload: payload), 6, 17), (ping, 2, 58),
            ]
            for (packet, offset, next) in all {
                let partial = Inner.partial(packet, transport: 40, checksumOffset: offset, next: next)
                bench.enter(Inner.virtio(flags: 1, start: 40, offset: offset) + partial)
                #expect(bench.arrived == SegmentTests.hopTaken([packet]), "protocol \(next), \(count) bytes")
            }
        }
    }

    /// UDP has no checksum of zero: it is sent as all ones (RFC 8200 section 8.1).
    @Test func zeroChecksum() throws {
        let bench = try Bench(seed: 4)
        let (from, to) = (bench.node.address, bench.peer.address)
        // Two bytes of payload that make the sum come out as zero.
        let plain = Inner.udp(from: from, to: to, payload: [0, 0, 7])
        let sum = Int(plain[46]) << 8 | Int(plain[47])
        let packet = Inner.udp(from: from, to: to, payload: Inner.be16(sum) + [7])
        #expect(packet[46...47] == [0xFF, 0xFF])
        let partial = Inner.partial(packet, transport: 40, checksumOffset: 6, next: 17)
        bench.enter(Inner.virtio(flags: 1, start: 40, offset: 6) + partial)
        #expect(bench.arrived == SegmentTests.hopTaken([packet]))
        let offloaded = SuperPacket(
            bytes: partial, isTCP: false, transport: 40, headerLength: 48, segmentSize: 100)
        bench.enter(offloaded.read)
        #expect(bench.arrived == SegmentTests.hopTaken([packet]))
    }

    /// Offload fields that do not fit their packet end it by name.
    @Test func refusesWhatDoesNotFit() throws {
        let bench = try Bench(seed: 5)
        let (from, to) = (bench.node.address, bench.peer.address)
        let tcp = Inner.tcp(from: from, to: to, payload: bench.network.bytes(3_000))
        let bad: [[UInt8]] = [
            // Types that are none of ours, sizes of zero, headers past the end or none.
            Inner.virtio(flags: 1, type: 1, size: 1_000, start: 40, offset: 16) + tcp,
            Inner.virtio(flags: 1, type: 3, size: 1_000, start: 40, offset: 16) + tcp,
            Inner.virtio(flags: 1, type: 4, size: 0, start: 40, offset: 16) + tcp,
            Inner.virtio(flags: 1, type: 4, size: 1_000, start: 39, offset: 16) + tcp,
            Inner.virtio(flags: 1, type: 4, size: 1_000, start: 40, offset: 6) + tcp,
            Inner.virtio(flags: 1, type: 5, size: 1_000, start: 40, offset: 16) + tcp,
            Inner.virtio(flags: 1, type: 4, size: 1_000, start: 65_535, offset: 16) + tcp,
            Inner.virtio(flags: 1, type: 4, size: 1_000, start: 40, offset: 16) + tcp[..<60],
            Inner.virtio(flags: 1, type: 5, size: 1_000, start: 40, offset: 6) + tcp[..<48],
            Inner.virtio(flags: 1, type: 0, start: 40, offset: 65_535) + tcp,
            Inner.virtio(flags: 1, type: 0, start: 0, offset: 0) + tcp,
            // A length field that is not the length read.
            Inner.read(tcp + [0]), Inner.read(Array(tcp.dropLast())), Inner.read(Array(tcp[..<40])),
        ]
        for (i, read) in bad.enumerated() {
            bench.enter(read)
            #expect(bench.node.counters[.badPacket] == UInt64(i + 1), "case \(i)")
            #expect(bench.node.sent.isEmpty && bench.node.delivered.isEmpty)
        }
        let foreign: [[UInt8]] = [
            [], [0], Inner.virtio(), Inner.virtio() + [0x45] + [UInt8](repeating: 0, count: 60),
        ]
        for (i, read) in foreign.enumerated() {
            bench.enter(read)
            #expect(bench.node.counters[.notOverlay] == UInt64(i + 1), "case \(i)")
        }
        // Too short for IPv6 though it says so.
        bench.enter(Inner.read([0x60] + [UInt8](repeating: 0, count: 20)))
        #expect(bench.node.counters[.badPacket] == UInt64(bad.count + 1))
        bench.node.expectNoLeak()
    }
}
