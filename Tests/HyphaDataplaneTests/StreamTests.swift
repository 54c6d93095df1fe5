import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaWire
import Testing

@testable import HyphaDataplane

/// Stock frames over TCP links: in, on, and out.
struct StreamTests {
    static let options = TestNode.Options(hasTun: false, slabs: 24, slots: 256, maxStreams: 8)
    static let source = IPv6Address(high: 0x0500_0000_0000_0001, low: 7)
    static let destination = IPv6Address(high: 0x0500_0000_0000_0002, low: 9)

    static func frame(
        _ payload: [UInt8], hopLimit: UInt8 = 63, from source: IPv6Address = source,
        to destination: IPv6Address = destination
    ) throws -> [UInt8] {
        try #require(StockData.frame(payload, hopLimit: hopLimit, source: source, destination: destination))
    }

    /// A connection that came in and that the worker knows.
    static func accept(_ node: TestNode, _ network: TestNetwork) throws -> UInt32 {
        let accepted = node.io.accept(from: SocketAddress(address: IPv6Address(high: 1, low: 1), port: 5))
        let id = try #require(accepted)
        node.turn(network.now)
        return id
    }

    @Test func framesGoFromOneLinkToAnother() throws {
        let network = TestNetwork(seed: 3)
        let relay = try network.add("R", Self.options)
        let left = try Self.accept(relay, network)
        let right = try Self.accept(relay, network)
        relay.route(Self.destination, NextHop(kind: .link, link: relay.numbering.link(connection: right)))
        var expected: [UInt8] = []
        var stream: [UInt8] = []
        for length in [0, 1, 31, 32, 60, 500, 1_432, 1_433, 4_000, 60_000] {
            let payload = network.bytes(length)
            stream += try Self.frame(payload)
            expected += try Self.frame(payload, hopLimit: 62)
        }
        // In pieces of all sizes.
        var rest = stream[...]
        while !rest.isEmpty {
            let part = rest.prefix(Int.random(in: 1...5_000, using: &network.random))
            rest = rest.dropFirst(part.count)
            relay.io.arrive(Array(part), on: left)
            for _ in 0..<4 { relay.turn(network.now) }
        }
        for _ in 0..<10 { relay.turn(network.now) }
        #expect(relay.io.written(right) == expected)
        #expect(relay.io.written(left).isEmpty)
        #expect(relay.drops == [:])
        relay.expectNoLeak()
    }

    /// TCP, then HL1, then TCP again: the payload arrives unread.
    @Test(arguments: [1, 2] as [UInt8]) func framesCrossADatagramLink(_ suite: UInt8) throws {
        let network = TestNetwork(seed: 5)
        let a = try network.add("A", Self.options)
        let b = try network.add("B", Self.options)
        let link = try network.link(a, b, suite: suite, mtu: 9_000)
        let outside = try Self.accept(a, network)
        let beyond = try Self.accept(b, network)
        a.route(Self.destination, NextHop(kind: .link, link: link.a))
        b.route(Self.destination, NextHop(kind: .link, link: b.numbering.link(connection: beyond)))
        network.settle()
        var expected: [UInt8] = []
        for length in [0, 1, 500, 1_300, 8_000] {
            let payload = network.bytes(length)
            a.io.arrive(try Self.frame(payload), on: outside)
            expected += try Self.frame(payload, hopLimit: 61)
        }
        network.settle()
        for _ in 0..<4 { b.turn(network.now) }
        #expect(b.io.written(beyond) == expected)
        #expect(a.drops == [:] && b.drops == [:])
        for node in [a, b] { node.expectNoLeak() }
    }

    /// Native packets that leave by a TCP link carry their routing header with them.
    @Test func nativePacketsLeaveInFrames() throws {
        let network = TestNetwork(seed: 8)
        let a = try network.add("A", TestNode.Options(slots: 256, maxStreams: 2))
        let r = try network.add("R", Self.options)
        let b = try network.add("B")
        let link = try network.link(a, r)
        let beyond = try Self.accept(r, network)
        r.route(b.address, NextHop(kind: .link, link: r.numbering.link(connection: beyond)))
        let peers = (a: a.addPeer(b.address), b: b.addPeer(a.address))
        a.route(b.address, NextHop(kind: .link, link: link.a, peer: peers.a))
        try network.renewFlow(a, peers.a, b, peers.b)
        network.settle()
        a.io.arriveFromTun(Inner.read(Inner.udp(from: a.address, to: b.address, payload: network.bytes(700))))
        network.settle()
        for _ in 0..<4 { r.turn(network.now) }
        let out = r.io.written(beyond)
        try #require(out.count > 60)
        out.withUnsafeBytes { bytes in
            let frame = bytes.baseAddress.unsafelyUnwrapped
            #expect(StockFrame.scan(frame, count: out.count) == .data(length: out.count))
            #expect(StockData.source(frame) == a.address && StockData.destination(frame) == b.address)
            #expect(StockData.hopLimit(frame) == 62)
            #expect(NativePayload.isNative(frame + 40, length: out.count - 40))
        }
        // Straight from the TUN the frame is the same but for the counter and the seal.
        let direct = try Self.accept(a, network)
        a.route(b.address, NextHop(kind: .link, link: a.numbering.link(connection: direct), peer: peers.a))
        a.io.arriveFromTun(Inner.read(Inner.udp(from: a.address, to: b.address, payload: network.bytes(700))))
        for _ in 0..<4 { a.turn(network.now) }
        #expect(a.io.written(direct).count == out.count)
        #expect(a.io.written(direct).dropFirst(7).first == 63)
        for node in [a, r] { node.expectNoLeak() }
    }

    @Test func controlGoesToControlAndBack() throws {
        let network = TestNetwork(seed: 9)
        let node = try network.add("N", Self.options)
        let id = try Self.accept(node, network)
        #expect(node.punts.map(\.head.kind) == [.streamOpened] && node.punts[0].head.link == id)
        node.forget()
        let hello: [UInt8] = [4, 6, 0x80, 0, 0, 1, 0x07, 0xD0]
        let frame = try #require(StockFrame.control(hello))
        node.io.arrive(frame + frame, on: id)
        node.turn(network.now)
        #expect(node.punts.map(\.head.kind) == [.streamControl, .streamControl])
        #expect(node.punts.map(\.bytes) == [hello, hello] && node.punts[0].head.link == id)
        let ihus = (0..<60).flatMap { _ in [1, 1, 0, 0, 42, 3, 0, 8, 5, 6, 0, 0, 0, 15, 0x17, 0x70] as [UInt8] }
        node.inject(InjectedPacket(kind: .streamControl, length: ihus.count, link: id), ihus)
        for _ in 0..<3 { node.turn(network.now) }
        #expect(node.io.written(id) == ihus)
        #expect(node.counters[.injected] == 60 && node.counters[.sent] == 60 && node.counters[.punted] == 2)
        node.expectNoLeak()
    }

    @Test func dialsAreAnswered() throws {
        let network = TestNetwork(seed: 10)
        let node = try network.add("N", Self.options)
        let there = SocketAddress(address: IPv6Address(high: 2, low: 2), port: 9_651)
        for dial in 0..<3 as Range<UInt32> { node.command(WorkerCommand(.openStream, id: 40 + dial, endpoint: there)) }
        node.turn(network.now)
        let dialled = node.io.dialled.map(\.connection)
        try #require(dialled.count == 3)
        node.io.answer(dialled[0], remote: there)
        node.io.endByPeer(dialled[1], error: 111)
        node.turn(network.now)
        let opened = try #require(node.punts.first)
        #expect(opened.head.kind == .streamOpened && opened.head.sender == there && opened.bytes[0] == 40)
        #expect(node.notices == [Notice(.streamFailed, id: 41, slot: 111)])
        node.forget()
        node.command(WorkerCommand(.closeStream, id: dialled[0], value: 1))
        node.command(WorkerCommand(.closeStream, id: dialled[2], value: 1))
        for _ in 0..<2 { node.turn(network.now) }
        #expect(node.io.wasReset(dialled[0]) == true)
        #expect(node.notices.contains(Notice(.streamClosed, id: dialled[0], slot: 0)))
        #expect(node.notices.contains(Notice(.streamFailed, id: 42, slot: 0)))
        node.expectNoLeak()
    }

    @Test func anEndWithFINWaitsForWhatIsQueued() throws {
        let network = TestNetwork(seed: 11)
        let node = try network.add("N", Self.options)
        let id = try Self.accept(node, network)
        let frame = try #require(StockFrame.control([4, 6, 0x80, 0, 0, 1, 0x07, 0xD0]))
        node.io.setStalled(id, true)
        node.inject(InjectedPacket(kind: .streamControl, length: frame.count, link: id), frame)
        node.turn(network.now)
        node.command(WorkerCommand(.closeStream, id: id))
        for _ in 0..<3 { node.turn(network.now) }
        #expect(node.io.wasReset(id) == nil)
        node.io.setStalled(id, false)
        for _ in 0..<3 { node.turn(network.now) }
        #expect(node.io.written(id) == frame && node.io.wasReset(id) == false)
        #expect(node.notices == [Notice(.streamClosed, id: id, slot: 0)])
        node.expectNoLeak()
    }

    @Test func aSlowReaderCostsOnlyItself() throws {
        let network = TestNetwork(seed: 12)
        let relay = try network.add("R", Self.options)
        let left = try Self.accept(relay, network)
        let slow = try Self.accept(relay, network)
        let quick = try Self.accept(relay, network)
        let other = IPv6Address(high: 0x0500_0000_0000_0003, low: 9)
        relay.route(Self.destination, NextHop(kind: .link, link: relay.numbering.link(connection: slow)))
        relay.route(other, NextHop(kind: .link, link: relay.numbering.link(connection: quick)))
        let hello = try #require(StockFrame.control([4, 6, 0, 0, 0, 0, 0, 0]))
        relay.io.arrive(hello, on: slow)
        relay.io.setStalled(slow, true)
        var expected: [UInt8] = []
        for _ in 0..<400 {
            let payload = network.bytes(1_000)
            relay.io.arrive(try Self.frame(payload) + Self.frame(payload, to: other), on: left)
            expected += try Self.frame(payload, hopLimit: 62, to: other)
            for _ in 0..<2 { relay.turn(network.now) }
        }
        for _ in 0..<4 { relay.turn(network.now) }
        #expect(relay.io.written(quick) == expected)
        #expect(relay.io.written(slow).isEmpty && relay.worker.waiting > 0)
        #expect((relay.drops["displaced"] ?? 0) + UInt64(relay.worker.waiting) == 400)
        // It is closed when it takes nothing for long, and all memory is free again.
        for _ in 0..<60 {
            network.advance(milliseconds: 1_000)
            for id in [left, quick] {
                relay.io.arrive(hello, on: id)
            }
            for _ in 0..<2 { relay.turn(network.now) }
        }
        let closing = StreamClosing(end: 6)
        #expect(relay.notices.contains(Notice(.streamClosed, id: slow, slot: closing.slot)))
        relay.expectNoLeak()
    }

    /// Whatever the peer takes of each write, it gets all frames whole and in order, and control in between.
    @Test func framesPassAsFarAsThePeerTakes() throws {
        let network = TestNetwork(seed: 15)
        let relay = try network.add("R", TestNode.Options(hasTun: false, slabs: 24, slots: 1_024, maxStreams: 8))
        let left = try Self.accept(relay, network)
        let right = try Self.accept(relay, network)
        relay.route(Self.destination, NextHop(kind: .link, link: relay.numbering.link(connection: right)))
        let ihu: [UInt8] = [1, 1, 0, 0, 42, 3, 0, 8, 5, 6, 0, 0, 0, 15, 0x17, 0x70]
        var expected: [UInt8] = []
        var answers = 0
        for step in 0..<300 {
            relay.io.setWriteLimit(right, [0, 1, 39, 41, 5_000, .max].randomElement(using: &network.random) ?? 0)
            var stream: [UInt8] = []
            for _ in 0..<Int.random(in: 0...12, using: &network.random) {
                let payload = network.bytes(Int.random(in: 0...1_500, using: &network.random))
                stream += try Self.frame(payload)
                expected += try Self.frame(payload, hopLimit: 62)
            }
            relay.io.arrive(stream, on: left)
            if step % 7 == 0 {
                answers += 1
                relay.inject(InjectedPacket(kind: .streamControl, length: ihu.count, link: right), ihu)
            }
            relay.turn(network.now)
            // Not more than may wait.
            while relay.worker.waiting > 150 {
                relay.io.setWriteLimit(right, Int.random(in: 1...9_000, using: &network.random))
                relay.turn(network.now)
            }
        }
        relay.io.setWriteLimit(right, .max)
        for _ in 0..<6 { relay.turn(network.now) }
        var data: [UInt8] = []
        var rest = relay.io.written(right)[...]
        while rest.count >= 8 {
            let scan = rest.withUnsafeBytes { bytes in
                bytes.baseAddress.map { StockFrame.scan($0, count: bytes.count) } ?? .incomplete
            }
            if case .data(let length) = scan {
                data += rest.prefix(length)
                rest = rest.dropFirst(length)
            } else {
                try #require(Array(rest.prefix(ihu.count)) == ihu)
                answers -= 1
                rest = rest.dropFirst(ihu.count)
            }
        }
        let isSame = data == expected
        #expect(isSame && rest.isEmpty && answers == 0)
        #expect(relay.drops == [:] && relay.worker.waiting == 0)
        #expect(relay.counters[.streamSentBytes] == UInt64(relay.io.written(right).count))
        relay.expectNoLeak()
    }

    /// More TCP links at once than can have frames collected side by side.
    @Test func framesForManyLinks() throws {
        let network = TestNetwork(seed: 16)
        let relay = try network.add("R", TestNode.Options(hasTun: false, slabs: 24, slots: 1_024, maxStreams: 32))
        let left = try Self.accept(relay, network)
        let others = try (0..<20).map { _ in try Self.accept(relay, network) }
        for (i, id) in others.enumerated() {
            let prefix = IPv6Address(high: 0x0500_0000_0000_0100 + UInt64(i), low: 1)
            relay.route(prefix, NextHop(kind: .link, link: relay.numbering.link(connection: id)))
            relay.turn(network.now)
        }
        var stream: [UInt8] = []
        var expected = [[UInt8]](repeating: [], count: 20)
        for i in 0..<2_000 {
            let payload = network.bytes(i % 90)
            let to = IPv6Address(high: 0x0500_0000_0000_0100 + UInt64(i * 7 % 20), low: 9)
            stream += try Self.frame(payload, to: to)
            expected[i * 7 % 20] += try Self.frame(payload, hopLimit: 62, to: to)
        }
        relay.io.arrive(stream, on: left)
        for _ in 0..<6 { relay.turn(network.now) }
        for (i, id) in others.enumerated() {
            let isSame = relay.io.written(id) == expected[i]
            #expect(isSame)
        }
        #expect(relay.drops == [:])
        relay.expectNoLeak()
    }

    @Test func whatCannotBeFollowedIsClosed() throws {
        let network = TestNetwork(seed: 13)
        let node = try network.add("N", Self.options)
        let version = try Self.accept(node, network)
        let kind = try Self.accept(node, network)
        let silent = try Self.accept(node, network)
        node.io.arrive([9, 9, 9], on: version)
        node.io.arrive([1, 7], on: kind)
        for _ in 0..<3 { node.turn(network.now) }
        #expect(node.io.wasReset(version) == true && node.io.wasReset(kind) == true)
        network.sleep(node, milliseconds: 7_000)
        #expect(node.io.wasReset(silent) == true)
        let ends = node.notices.filter { $0.kind == .streamClosed }.map { StreamClosing(slot: $0.slot).end }
        #expect(ends == [1, 2, 3])
        node.expectNoLeak()
    }

    /// A place that is used again gets no packets of the connection before it.
    @Test func placesAreUsedAgain() throws {
        let network = TestNetwork(seed: 14)
        let relay = try network.add("R", TestNode.Options(hasTun: false, slots: 256, maxStreams: 2))
        let left = try Self.accept(relay, network)
        let right = try Self.accept(relay, network)
        relay.route(Self.destination, NextHop(kind: .link, link: relay.numbering.link(connection: right)))
        relay.io.setStalled(right, true)
        relay.io.arrive(try Self.frame([1, 2, 3]), on: left)
        relay.turn(network.now)
        relay.io.endByPeer(right, error: 104)
        for _ in 0..<3 { relay.turn(network.now) }
        #expect(relay.drops == ["link_down": 1])
        relay.io.arrive(try Self.frame([4]), on: left)
        relay.turn(network.now)
        #expect(relay.drops == ["link_down": 2])
        let again = try Self.accept(relay, network)
        #expect(again != right && again & 0xFFFF == right & 0xFFFF)
        relay.io.arrive(try Self.frame([5]), on: left)
        for _ in 0..<3 { relay.turn(network.now) }
        #expect(relay.io.written(again) == (try Self.frame([5], hopLimit: 62)))
        relay.expectNoLeak()
    }
}
