import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaStreams
import HyphaWire
import Testing

@testable import HyphaDataplane

/// Words of stock neighbours wait for control when it is behind: nothing is said twice on a stream.
struct StreamPauseTests {
    static let options = TestNode.Options(hasTun: false, slabs: 32, slots: 1_024, maxStreams: 16)
    /// Records of the ring towards control that TCP links may fill.
    static let room = 256 - PuntRings.unheldRecords

    /// A control frame that says which one it is: a TLV of a type that nobody knows.
    static func word(_ number: Int, length: Int = 4) throws -> [UInt8] {
        var body: [UInt8] = [200, UInt8(clamping: length - 2)]
        for i in 0..<length - 2 { body.append(UInt8(truncatingIfNeeded: i < 2 ? number >> (8 * i) : i)) }
        return try #require(StockFrame.control(body))
    }

    /// What control heard on a connection: the numbers of its words.
    static func heard(_ node: TestNode, _ connection: UInt32) -> [Int] {
        node.punts.filter { $0.head.kind == .streamControl && $0.head.link == connection && $0.bytes.count >= 4 }
            .map { Int($0.bytes[2]) | Int($0.bytes[3]) << 8 }
    }

    /// Turns until nothing waits any more.
    static func settle(_ node: TestNode, _ network: TestNetwork) {
        for _ in 0..<400 {
            network.advance(milliseconds: 1)
            node.turn(network.now)
            if node.worker.streams.pauses.count == 0, node.io.waiting == 0 { break }
        }
        for _ in 0..<3 { node.turn(network.now) }
    }

    @Test func whatControlCannotTakeComesLaterInOrder() throws {
        let network = TestNetwork(seed: 1)
        let node = try network.add("N", Self.options)
        let (talker, other, sink) = (
            try StreamTests.accept(node, network), try StreamTests.accept(node, network),
            try StreamTests.accept(node, network)
        )
        node.route(StreamTests.destination, NextHop(kind: .link, link: node.numbering.link(connection: sink)))
        node.turn(network.now)
        node.forget()
        node.readsRings = false
        // Three receives at once, cut anywhere, and one that comes when it pauses already.
        let words = try (0..<5_000).flatMap { try Self.word($0, length: 4 + $0 % 40) }
        for part in [words[..<60_001], words[60_001..<60_003], words[60_003...]] {
            node.io.arrive(Array(part), on: talker)
        }
        node.turn(network.now)
        #expect(node.counters[.streamPauses] == 1 && node.counters[.punted] == UInt64(Self.room))
        // It is not received from, and the others are.
        node.io.arrive(try Self.word(5_000), on: talker)
        var expected: [UInt8] = []
        for i in 0..<50 {
            node.io.arrive(try StreamTests.frame([UInt8(i)]), on: other)
            expected += try StreamTests.frame([UInt8(i)], hopLimit: 62)
            network.advance(milliseconds: 1)
            node.turn(network.now)
        }
        #expect(node.io.written(sink) == expected && node.io.waiting == 1)
        // Control that comes back to life: everything, once, in order; it wakes nobody for that.
        node.readsRings = true
        #expect(node.worker.nextDeadline <= network.now.advanced(byMilliseconds: 1))
        Self.settle(node, network)
        #expect(Self.heard(node, talker) == Array(0...5_000))
        #expect(node.drops == [:] && node.io.waiting == 0)
        node.expectNoLeak()
    }

    /// Who waits for longest goes first, and none takes all the room.
    @Test func manyWaitInTurn() throws {
        let network = TestNetwork(seed: 2)
        let node = try network.add("N", Self.options)
        let ids = try (0..<8).map { _ in try StreamTests.accept(node, network) }
        node.forget()
        node.readsRings = false
        node.io.arrive(try (0..<1_000).flatMap { try Self.word($0) }, on: ids[0])
        node.turn(network.now)
        for id in ids.dropFirst() {
            node.io.arrive(try (0..<3).flatMap { try Self.word($0) }, on: id)
        }
        for _ in 0..<3 { node.turn(network.now) }
        #expect(node.worker.streams.pauses.count == 8 && node.worker.waiting == 8)
        #expect(node.pool.freeSlabCount >= node.pool.slabCount - 3)
        node.takeRings()
        node.turn(network.now)
        node.takeRings()
        node.turn(network.now)
        node.takeRings()
        // The first has had its turn again, and then all others.
        for id in ids.dropFirst() { #expect(Self.heard(node, id) == [0, 1, 2]) }
        #expect(Self.heard(node, ids[0]).count < 1_000)
        node.readsRings = true
        Self.settle(node, network)
        #expect(Self.heard(node, ids[0]) == Array(0..<1_000) && node.drops == [:])
        node.expectNoLeak()
    }

    /// What cannot wait has room left: a connection is heard of though another one has filled its part of the ring.
    @Test func othersHaveRoom() throws {
        let network = TestNetwork(seed: 3)
        let node = try network.add("N", Self.options)
        let talker = try StreamTests.accept(node, network)
        node.forget()
        node.readsRings = false
        node.io.arrive(try (0..<300).flatMap { try Self.word($0) }, on: talker)
        for _ in 0..<3 { node.turn(network.now) }
        let late = try StreamTests.accept(node, network)
        let isOpen = node.worker.streams.hub.pointee.isOpen(late)
        #expect(isOpen)
        node.takeRings()
        #expect(node.punts.last?.head.kind == .streamOpened && node.punts.last?.head.link == late)
        node.readsRings = true
        Self.settle(node, network)
        #expect(Self.heard(node, talker) == Array(0..<300))
        node.expectNoLeak()
    }

    /// A Hello at which the connection pauses is answered all the same, once.
    @Test func helloesAreAnsweredBeforeThePause() throws {
        let network = TestNetwork(seed: 4)
        let node = try network.add("N", Self.options)
        let id = try StreamTests.accept(node, network)
        HelloTests.answer(node, id)
        node.forget()
        node.readsRings = false
        node.io.arrive(try (0..<Self.room).flatMap { try Self.word($0) } + HelloTests.hello, on: id)
        node.turn(network.now)
        #expect(node.worker.streams.pauses.contains(id) && node.io.written(id) == HelloTests.ihu(15))
        node.readsRings = true
        Self.settle(node, network)
        #expect(node.punts.last?.bytes == Array(HelloTests.hello.dropFirst(8)))
        #expect(node.io.written(id) == HelloTests.ihu(15) && node.drops == [:])
        node.expectNoLeak()
    }

    enum End: CaseIterable { case byPeer, byControl, byNonsense, byDrain, byIdleness }

    /// What waits ends with its connection, counted.
    @Test(arguments: End.allCases) func whatWaitsEndsWithItsConnection(end: End) throws {
        let network = TestNetwork(seed: 5)
        let node = try network.add("N", Self.options)
        let ids = try (0..<3).map { _ in try StreamTests.accept(node, network) }
        node.forget()
        node.readsRings = false
        for id in ids {
            var words = try (0..<900).flatMap { try Self.word($0) }
            if end == .byNonsense, id == ids[1] { words += [9, 9, 9, 9, 9, 9, 9, 9] }
            node.io.arrive(words, on: id)
            node.io.arrive(try Self.word(900), on: id)
        }
        for _ in 0..<2 { node.turn(network.now) }
        #expect(node.worker.streams.pauses.count == 3 && node.worker.waiting == 3)
        var drops: [String: UInt64] = ["link_down": 1]
        var left = [ids[0], ids[2]]
        switch end {
        case .byPeer: node.io.endByPeer(ids[1], error: 104)
        case .byControl: node.command(WorkerCommand(.closeStream, id: ids[1], value: 1))
        case .byNonsense: (left, drops) = ([ids[0], ids[2]], [:])
        case .byDrain:
            node.command(WorkerCommand(.drain))
            (left, drops) = ([], ["shutdown": 3])
        case .byIdleness:
            // Control is stuck for good: the limits of a connection hold.
            network.advance(milliseconds: 70_000)
            (left, drops) = ([], ["link_down": 3])
        }
        for _ in 0..<3 {
            network.advance(milliseconds: 1)
            node.turn(network.now)
        }
        #expect(node.drops.filter { $0.key != "shutdown" || end == .byDrain } == drops)
        node.readsRings = true
        Self.settle(node, network)
        for id in left { #expect(Self.heard(node, id).prefix(900) == Array(0..<900)[...]) }
        if end == .byNonsense { #expect(Self.heard(node, ids[1]) == Array(0..<900)) }
        if end == .byNonsense || end == .byControl || end == .byIdleness { #expect(node.io.wasReset(ids[1]) == true) }
        #expect(node.worker.streams.pauses.count == 0 && node.worker.waiting == 0)
        let isDrained = node.worker.isDrained
        #expect(isDrained == (end == .byDrain))
        node.expectNoLeak()
    }

    /// What there is no memory for is lost, counted, and the stream goes on in step.
    @Test func withoutMemoryWordsAreLost() throws {
        let network = TestNetwork(seed: 6)
        let node = try network.add("N", TestNode.Options(hasTun: false, slabs: 7, slots: 8, maxStreams: 2))
        let (talker, sink) = (try StreamTests.accept(node, network), try StreamTests.accept(node, network))
        node.route(StreamTests.destination, NextHop(kind: .link, link: node.numbering.link(connection: sink)))
        node.turn(network.now)
        node.forget()
        node.readsRings = false
        let words = try (0..<3_000).flatMap { try Self.word($0) } + StreamTests.frame([7])
        node.io.arrive(words, on: talker)
        for _ in 0..<3 { node.turn(network.now) }
        node.readsRings = true
        node.io.arrive(try Self.word(9), on: talker)
        Self.settle(node, network)
        // Those for which the ring had room, and the last ones that fit into the memory.
        let heard = Self.heard(node, talker)
        #expect(heard.count > Self.room + 60 && heard.prefix(Self.room) == Array(0..<Self.room)[...])
        #expect(Array(heard.dropFirst(Self.room)) == Array((3_001 - heard.count + Self.room)..<3_000) + [9])
        #expect(node.drops == ["punt_full": 3_001 - UInt64(heard.count)])
        #expect(node.io.written(sink) == (try StreamTests.frame([7], hopLimit: 62)))
        node.expectNoLeak()
    }

    /// Against the obvious model: whatever the sizes and whenever control reads, each connection's words and data come
    /// whole, once and in order; with little memory some words are missing and counted.
    @Test(arguments: 1...6 as ClosedRange<UInt64>) func anyCourse(seed: UInt64) throws {
        let network = TestNetwork(seed: seed)
        let isPoor = seed % 2 == 0
        let node = try network.add(
            "N",
            TestNode.Options(
                hasTun: false, slabs: isPoor ? 7 : 32, slots: isPoor ? 14 : 2_048, maxStreams: isPoor ? 7 : 16))
        let sink = try StreamTests.accept(node, network)
        let ids = try (0..<6).map { _ in try StreamTests.accept(node, network) }
        var said = [Int](repeating: 0, count: 6)
        var data: [[UInt8]] = Array(repeating: [], count: 6)
        for i in 0..<6 {
            let prefix = IPv6Address(high: 0x0500_0000_0000_0100 + UInt64(i), low: 1)
            node.route(prefix, NextHop(kind: .link, link: node.numbering.link(connection: sink)))
            node.turn(network.now)
        }
        node.forget()
        for step in 0..<400 {
            node.readsRings = Int.random(in: 0..<8, using: &network.random) == 0
            for _ in 0..<Int.random(in: 0...3, using: &network.random) {
                let i = Int.random(in: 0..<6, using: &network.random)
                var bytes: [UInt8] = []
                for _ in 0..<Int.random(in: 1...40, using: &network.random) {
                    if Int.random(in: 0..<4, using: &network.random) == 0 {
                        let payload = [UInt8(i)] + network.bytes(Int.random(in: 0...600, using: &network.random))
                        let to = IPv6Address(high: 0x0500_0000_0000_0100 + UInt64(i), low: 1)
                        bytes += try StreamTests.frame(payload, to: to)
                        data[i] += try StreamTests.frame(payload, hopLimit: 62, to: to)
                    } else {
                        bytes += try Self.word(said[i], length: Int.random(in: 4...200, using: &network.random))
                        said[i] += 1
                    }
                }
                var rest = bytes[...]
                while !rest.isEmpty {
                    let part = rest.prefix(Int.random(in: 1...3_000, using: &network.random))
                    rest = rest.dropFirst(part.count)
                    node.io.arrive(Array(part), on: ids[i])
                }
            }
            network.advance(milliseconds: 1)
            node.turn(network.now, "seed \(seed), step \(step)")
        }
        node.readsRings = true
        Self.settle(node, network)
        var lost = 0
        for i in 0..<6 {
            let heard = Self.heard(node, ids[i])
            let isOrdered = zip(heard, heard.dropFirst()).allSatisfy { $0 < $1 }
            #expect(isOrdered)
            lost += said[i] - heard.count
        }
        // Half-received ones may find no memory either.
        let dropped = (node.drops["punt_full"] ?? 0, node.drops["no_buffer"] ?? 0)
        #expect(lost >= dropped.0 && lost <= dropped.0 + dropped.1)
        #expect(node.counters[.streamPauses] > 0 && (isPoor || node.drops == [:]))
        var passed: [[UInt8]] = Array(repeating: [], count: 6)
        var out = node.io.written(sink)[...]
        while out.count > 40 {
            let length = 40 + Int(out[out.startIndex + 5]) << 8 + Int(out[out.startIndex + 6])
            let frame = Array(out.prefix(length))
            out = out.dropFirst(length)
            passed[Int(frame[40])] += frame
        }
        let isSame = passed == data
        #expect(isSame || isPoor)
        node.expectNoLeak()
    }
}
