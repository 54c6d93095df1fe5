import HyphaBase
import HyphaInterchange
import HyphaPacket
import HyphaWire
import Testing

@testable import HyphaDataplane

/// Connections that come in too fast, and what control is told of the round trip.
struct StreamLimitTests {
    private static let options = TestNode.Options(hasTun: false, slabs: 24, slots: 600, maxStreams: 200)

    private func accept(_ node: TestNode, _ network: TestNetwork, from text: String) throws -> UInt32 {
        let remote = try #require(SocketAddress(text))
        let accepted = node.io.accept(from: remote)
        let id = try #require(accepted)
        node.turn(network.now)
        return id
    }

    @Test func whoComesTooFastIsResetAndNobodyWorksForIt() throws {
        let network = TestNetwork(seed: 21)
        let node = try network.add("N", Self.options)
        var ids: [UInt32] = []
        for i in 0..<80 { ids.append(try accept(node, network, from: "192.0.2.7:\(40_000 + i)")) }
        node.turn(network.now)
        #expect(node.counters[.connectionsLimited] == 16)
        #expect(node.punts.count { $0.head.kind == .streamOpened } == 64)
        #expect(ids.prefix(64).allSatisfy { node.io.wasReset($0) == nil })
        // One word about all of them.
        #expect(node.notices == [Notice(.streamsLimited, prefix: 0xC000_0207)])
        // Another address comes in, and the same one a little later.
        let other = try accept(node, network, from: "[2001:db8::1]:5")
        network.advance(milliseconds: 101)
        let late = try accept(node, network, from: "192.0.2.7:5")
        #expect(node.punts.suffix(2).map(\.head.link) == [other, late] && node.counters[.connectionsLimited] == 16)
        node.forget()
        network.advance(milliseconds: 1_000)
        for i in 0..<80 { _ = try accept(node, network, from: "[2001:db8:0:5::1]:\(i)") }
        #expect(node.notices == [Notice(.streamsLimited, prefix: 0x2001_0DB8_0000_0005)])
        node.expectNoLeak()
    }

    @Test func aRoundTripThatChangedIsTold() throws {
        let network = TestNetwork(seed: 22)
        let node = try network.add("N", Self.options)
        let id = try accept(node, network, from: "192.0.2.7:40000")
        let hello = try #require(StockFrame.control([4, 6, 0x80, 0, 0, 1, 0x07, 0xD0]))
        node.io.arrive(hello, on: id)
        node.turn(network.now)
        node.forget()
        func told() -> [Notice] {
            defer { node.forget() }
            for _ in 0..<4 {
                network.sleep(node, milliseconds: 20_000)
                node.io.arrive(hello, on: id)
                node.turn(network.now)
            }
            return node.notices
        }
        // The first one was 1,000.
        node.io.setLeastRoundTrip(id, 1_900)
        #expect(told().isEmpty)
        node.io.setLeastRoundTrip(id, 80_000)
        #expect(told() == [Notice(.streamRoundTrip, id: id, slot: 80_000)])
        // Less than an eighth is no news.
        node.io.setLeastRoundTrip(id, 89_000)
        #expect(told().isEmpty)
        node.io.setLeastRoundTrip(id, 12_000)
        #expect(told() == [Notice(.streamRoundTrip, id: id, slot: 12_000)])
        node.expectNoLeak()
    }
}
