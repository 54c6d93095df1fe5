import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaWire
import Testing

@testable import HyphaDataplane

/// Links further on that take less than the first one.
struct PathMTUTests {
    /// A - R - B with a narrower link from R to B; `peer` is B at A.
    private func line(narrow mtu: Int) throws -> (TestNetwork, a: TestNode, b: TestNode, peer: UInt32) {
        let network = TestNetwork(seed: 5)
        let a = try network.add("A", TestNode.Options())
        let r = try network.add("R", TestNode.Options(hasTun: false))
        let b = try network.add("B", TestNode.Options())
        let left = try network.link(a, r)
        let right = try network.link(r, b)
        r.setLink(right.a, to: b.endpoint, mtu: mtu)
        r.route(a.address, NextHop(kind: .link, link: left.b))
        r.route(b.address, NextHop(kind: .link, link: right.a))
        let peers = try network.introduce(a, over: left.a, b, over: right.b)
        network.settle()
        return (network, a, b, peers.a)
    }

    /// Sends from A to B and returns what B got and the MTU that A's own kernel was told, if any.
    private func send(_ length: Int, from a: TestNode, to b: TestNode, _ network: TestNetwork) -> (
        arrived: Bool, mtu: Int?
    ) {
        network.forget()
        a.io.arriveFromTun(Inner.read(PathTests.message(a, b, length: length, network)))
        network.settle()
        let answer = a.packets.first { $0.count > 48 && $0[6] == 58 && $0[40] == 2 }
        return (!b.packets.isEmpty, answer.map { Int($0[46]) << 8 | Int($0[47]) })
    }

    @Test func aLearntLimitIsToldToTheOriginAndEnds() throws {
        let (network, a, b, peer) = try line(narrow: 1_420)
        // 80 bytes go to headers and tags, 18 more to the inner packet than to its body.
        let largest = 1_420 - 80 + 18
        #expect(send(largest, from: a, to: b, network) == (true, nil))
        // Nobody told A yet: R drops it.
        #expect(send(largest + 1, from: a, to: b, network) == (false, nil))
        a.command(WorkerCommand(.limitPeer, id: peer, value: 1_420 - 80))
        #expect(send(largest, from: a, to: b, network) == (true, nil))
        for length in [largest + 1, 1_390] { #expect(send(length, from: a, to: b, network) == (false, largest)) }
        // Asked for again after ten minutes.
        network.advance(milliseconds: 600_000)
        #expect(send(largest + 1, from: a, to: b, network).mtu == nil)
    }

    /// Whatever somebody on the way claims, IPv6 keeps its 1,280 bytes.
    @Test func noLimitGoesBelowTheMinimum() throws {
        let (network, a, b, peer) = try line(narrow: 1_452)
        for value in [0, 1, 1_261] as [UInt32] {
            a.command(WorkerCommand(.limitPeer, id: peer, value: value))
            #expect(send(1_280, from: a, to: b, network) == (true, nil))
            #expect(send(1_281, from: a, to: b, network) == (false, 1_280))
        }
        a.command(WorkerCommand(.limitPeer, id: peer, value: .max))
        #expect(send(1_390, from: a, to: b, network) == (true, nil))
    }
}
