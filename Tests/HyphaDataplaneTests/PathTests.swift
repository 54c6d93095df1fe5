import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire
import Testing

@testable import HyphaDataplane

/// Packets from one TUN to another over one relay.
struct PathTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let mode: SealMode
        let suite: UInt8
        var testDescription: String { "\(mode), suite \(suite)" }
    }

    static let cases: [Case] = [SealMode.full, .header].flatMap { mode in
        [1, 2].map { Case(mode: mode, suite: $0) }
    }

    /// A - R - B, sessions everywhere.
    static func line(_ test: Case, seed: UInt64 = 1) throws -> (TestNetwork, a: TestNode, r: TestNode, b: TestNode) {
        let network = TestNetwork(seed: seed)
        let a = try network.add("A", TestNode.Options(entryMode: test.mode))
        let r = try network.add("R", TestNode.Options(hasTun: false))
        let b = try network.add("B", TestNode.Options(entryMode: test.mode))
        let left = try network.link(a, r, suite: test.suite)
        let right = try network.link(r, b, suite: test.suite)
        r.route(a.address, NextHop(kind: .link, link: left.b))
        r.route(b.address, NextHop(kind: .link, link: right.a))
        try network.introduce(a, over: left.a, b, over: right.b, suite: test.suite)
        network.settle()
        return (network, a, r, b)
    }

    @Test(arguments: cases) func comesOutEqual(_ test: Case) throws {
        let (network, a, r, b) = try PathTests.line(test)
        for length in Array(stride(from: 40, through: 1_390, by: 27)) + [255, 256, 257, 290, 291, 1_389, 1_390] {
            network.forget()
            let packet =
                length < 48
                ? Inner.ipv6(from: a.address, to: b.address, next: 59, payload: network.bytes(length - 40))
                : Inner.udp(from: a.address, to: b.address, payload: network.bytes(length - 48))
            a.io.arriveFromTun(Inner.read(packet))
            network.settle()
            try #require(
                b.packets == [Inner.withHopLimit(packet, 61)],
                "length \(length), drops \(a.drops) \(r.drops) \(b.drops)")
            #expect(Inner.isSound(b.packets[0]))
            #expect(network.datagrams(from: a).map(\.[0]) == [test.mode.rawValue])
            #expect(network.datagrams(from: r).map(\.[0]) == [test.mode.rawValue])
        }
        for node in network.nodes {
            #expect(node.drops == [:])
            node.expectNoLeak()
        }
    }
}
