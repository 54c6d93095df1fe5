import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaWire
import Testing

@testable import HyphaDataplane

/// Hellos of stock neighbours: answered by the worker once control has said with what.
struct HelloTests {
    static let hello = StockFrame.control([4, 6, 0x80, 0, 0, 1, 0x07, 0xD0]) ?? []

    static func ihu(_ cost: UInt16, _ interval: UInt16 = 6_000) -> [UInt8] {
        StockFrame.control([5, 6] + BabelTLV.ihu(.init(receiveCost: cost, interval: interval)).body) ?? []
    }

    static func answer(_ node: TestNode, _ connection: UInt32, cost: UInt16 = 15, interval: UInt16 = 6_000) {
        node.command(
            WorkerCommand(.answerHellos, id: connection, value: UInt32(interval) << 16 | UInt32(cost)))
    }

    /// In the turn in which it comes, and control hears of it all the same.
    @Test func aHelloIsAnsweredInItsTurn() throws {
        let network = TestNetwork(seed: 1)
        let node = try network.add("N", StreamTests.options)
        let (one, other) = (try StreamTests.accept(node, network), try StreamTests.accept(node, network))
        for id in [one, other] { node.io.arrive(Self.hello, on: id) }
        for _ in 0..<3 { node.turn(network.now) }
        // Control has not said so: the introduction comes first.
        #expect(node.io.written(one).isEmpty && node.io.written(other).isEmpty && node.punts.count == 4)
        node.forget()
        Self.answer(node, one, cost: 95)
        node.io.arrive(Self.hello, on: one)
        node.io.arrive(Self.hello, on: other)
        node.turn(network.now)
        #expect(node.io.written(one) == Self.ihu(95) && node.io.written(other).isEmpty)
        #expect(node.punts.map(\.head.link) == [one, other] && node.punts[0].bytes == Array(Self.hello.dropFirst(8)))
        // Another cost.
        Self.answer(node, one, cost: 300, interval: 7)
        node.io.arrive(Self.hello + Self.hello, on: one)
        node.turn(network.now)
        #expect(node.io.written(one) == Self.ihu(95) + Self.ihu(300, 7) + Self.ihu(300, 7))
        #expect(node.counters[.hellosAnswered] == 3 && node.counters[.hellosUnanswered] == 0)
        #expect(node.counters[.injected] == 3 && node.counters[.sent] == 3 && node.drops == [:])
        node.expectNoLeak()
    }

    /// A word does not wait behind much that came before it on another connection, but for what is before it on its own.
    @Test func aShortArrivalOvertakesLongOnes() throws {
        let network = TestNetwork(seed: 9)
        let node = try network.add("N", StreamTests.options)
        let (one, other) = (try StreamTests.accept(node, network), try StreamTests.accept(node, network))
        node.forget()
        let words = (1...50 as ClosedRange<UInt16>).flatMap { Self.ihu($0) }
        node.io.arrive(Array(words.dropLast(20)), on: one)
        node.io.arrive(Array(words.suffix(20)), on: one)
        node.io.arrive(Self.hello, on: other)
        node.turn(network.now)
        #expect(node.punts.map(\.head.link) == [other] + [UInt32](repeating: one, count: 50))
        #expect(node.punts.dropFirst().flatMap { (StockFrame.control($0.bytes) ?? []) } == words)
        #expect(node.drops == [:])
        node.expectNoLeak()
    }

    /// In any frame and any pieces; what is not a whole Hello is none.
    @Test func whatIsAHello() throws {
        let network = TestNetwork(seed: 2)
        let node = try network.add("N", StreamTests.options)
        let id = try StreamTests.accept(node, network)
        Self.answer(node, id)
        let bodies: [([UInt8], Int)] = [
            ([4, 6, 0, 0, 0, 0, 0, 0], 1), ([4, 7, 0, 0, 0, 0, 0, 0, 9], 1), ([4, 5, 0, 0, 0, 0, 0], 0),
            ([4, 6, 0, 0, 0, 0, 0], 0), ([5, 6, 0, 0, 0, 15, 0x17, 0x70], 0), ([9, 3, 0, 0, 0], 0),
            ([0, 99, 2, 4, 6, 4, 6, 0, 0, 0, 0, 0, 0], 1),
            ([4, 6, 0, 0, 0, 0, 0, 0, 4, 6, 0, 0, 0, 0, 0, 0], 2),
        ]
        var expected = 0
        for (body, count) in bodies {
            for byte in try #require(StockFrame.control(body)) {
                node.io.arrive([byte], on: id)
                node.turn(network.now)
            }
            expected += count
            #expect(node.io.written(id).count == expected * 16, "\(body)")
        }
        #expect(node.io.written(id) == (0..<expected).flatMap { _ in Self.ihu(15) })
        #expect(node.counters[.punted] == UInt64(bodies.count))
        node.expectNoLeak()
    }

    /// 200 at once and 50 a second, whatever comes; each is handed over.
    @Test func floodsAreAnsweredSeldom() throws {
        let network = TestNetwork(seed: 3)
        let node = try network.add("N", TestNode.Options(hasTun: false, slots: 1_024, maxStreams: 8))
        let (id, other) = (try StreamTests.accept(node, network), try StreamTests.accept(node, network))
        for connection in [id, other] { Self.answer(node, connection) }
        let flood = (0..<100).flatMap { _ in Self.hello }
        for _ in 0..<40 {
            node.io.arrive(flood, on: id)
            node.turn(network.now)
        }
        #expect(node.io.written(id).count == 200 * 16)
        #expect(node.counters[.hellosAnswered] == 200 && node.counters[.hellosUnanswered] == 3_800)
        #expect(node.counters[.punted] == 4_000)
        node.io.arrive(Self.hello, on: other)
        node.turn(network.now)
        #expect(node.io.written(other) == Self.ihu(15))
        network.advance(milliseconds: 1_000)
        node.io.arrive(flood, on: id)
        node.turn(network.now)
        #expect(node.io.written(id).count == 250 * 16 && node.drops == [:])
        node.expectNoLeak()
    }

    /// A neighbour that reads nothing has its answers queued to a limit; what is more is dropped.
    @Test func answersNobodyReadsAreBounded() throws {
        let network = TestNetwork(seed: 4)
        let node = try network.add("N", TestNode.Options(hasTun: false, slots: 2_048, maxStreams: 8))
        let id = try StreamTests.accept(node, network)
        Self.answer(node, id)
        node.io.setStalled(id, true)
        for _ in 0..<20 {
            node.io.arrive((0..<60).flatMap { _ in Self.hello }, on: id)
            network.advance(milliseconds: 1_000)
            node.turn(network.now)
        }
        // 200 and 50 for each of the seconds, of which 512 wait.
        #expect(node.counters[.hellosAnswered] == 512 && node.worker.waiting == 512)
        #expect(node.drops.keys.sorted() == ["queue_full"])
        node.io.setStalled(id, false)
        for _ in 0..<20 { node.turn(network.now) }
        #expect(node.io.written(id) == (0..<512).flatMap { _ in Self.ihu(15) })
        node.expectNoLeak()
    }

    /// Before all data that waits, and behind control that was there first.
    @Test func answersGoBeforeData() throws {
        let network = TestNetwork(seed: 5)
        let relay = try network.add("R", StreamTests.options)
        let (left, right) = (try StreamTests.accept(relay, network), try StreamTests.accept(relay, network))
        relay.route(StreamTests.destination, NextHop(kind: .link, link: relay.numbering.link(connection: right)))
        Self.answer(relay, right)
        relay.io.setWriteLimit(right, 0)
        var data: [UInt8] = []
        for i in 0..<20 {
            relay.io.arrive(try StreamTests.frame([UInt8(i)]), on: left)
            data += try StreamTests.frame([UInt8(i)], hopLimit: 62)
        }
        relay.turn(network.now)
        let update: [UInt8] = [1, 1, 0, 0, 42, 3, 0, 8, 4, 6, 0x80, 0, 0, 9, 0x07, 0xD0]
        relay.inject(InjectedPacket(kind: .streamControl, length: update.count, link: right), update)
        relay.io.arrive(Self.hello, on: right)
        relay.turn(network.now)
        #expect(relay.io.written(right).isEmpty)
        relay.io.setWriteLimit(right, .max)
        for _ in 0..<6 { relay.turn(network.now) }
        #expect(relay.io.written(right) == update + Self.ihu(15) + data)
        #expect(relay.drops == [:])
        relay.expectNoLeak()
    }

    /// The next connection of a place waits for its own word, and one that ends says nothing more.
    @Test func anAnswerIsForOneConnection() throws {
        let network = TestNetwork(seed: 6)
        let node = try network.add("N", TestNode.Options(hasTun: false, slots: 256, maxStreams: 1))
        let first = try StreamTests.accept(node, network)
        Self.answer(node, first)
        node.io.endByPeer(first)
        for _ in 0..<3 { node.turn(network.now) }
        let second = try StreamTests.accept(node, network)
        #expect(second & 0xFFFF == first & 0xFFFF)
        // Late word about the first, and about none.
        for id in [first, 7, 0xFFFF_FFFF] { Self.answer(node, id) }
        node.io.arrive(Self.hello, on: second)
        for _ in 0..<2 { node.turn(network.now) }
        #expect(node.io.written(second).isEmpty)
        Self.answer(node, second)
        node.io.arrive(Self.hello, on: second)
        node.turn(network.now)
        #expect(node.io.written(second) == Self.ihu(15))
        // On the way out.
        node.io.setStalled(second, true)
        node.io.arrive(Self.hello, on: second)
        node.turn(network.now)
        node.command(WorkerCommand(.closeStream, id: second))
        node.turn(network.now)
        node.io.arrive(Self.hello, on: second)
        node.turn(network.now)
        #expect(node.worker.waiting == 1)
        node.io.setStalled(second, false)
        for _ in 0..<3 { node.turn(network.now) }
        #expect(node.io.written(second) == Self.ihu(15) + Self.ihu(15) && node.io.wasReset(second) == false)
        node.expectNoLeak()
    }
}
