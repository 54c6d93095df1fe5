import HyphaBase
import StockModel
import Testing

/// Models among themselves, in a row.
@Suite struct ChainTests {
    private func chain(_ count: Int, linked: Bool = true) throws -> Chain { try Chain(count, linked: linked) }

    @Test func packetsCrossARelay() throws {
        var chain = try chain(3)
        chain.pass(100)
        let (a, b) = (chain.address(0), chain.address(2))
        chain.nodes[0].send(Inner.udp(from: a, to: b, hopLimit: 64), now: chain.now)
        chain.settle()
        let packets = chain.nodes[2].takeHostPackets()
        #expect(packets == [Inner.udp(from: a, to: b, hopLimit: 61)])
        #expect(chain.nodes[1].counters.forwarded == 1)
    }

    /// Hop limit 1 is answered by the own node, 2 by the relay, 3 by the target; 4 arrives.
    @Test func everyHopAnswers() throws {
        var chain = try chain(3)
        chain.pass(100)
        let (a, b) = (chain.address(0), chain.address(2))
        // The target came last and knows nobody but the relay, until a packet makes it ask.
        chain.nodes[0].send(Inner.udp(from: a, to: b, hopLimit: 64), now: chain.now)
        chain.settle()
        #expect(chain.nodes[2].takeHostPackets().count == 1)
        let answers = [a] + [1, 2].map { IPv6Address(high: chain.address($0).high, low: 0) }
        for (i, expected) in answers.enumerated() {
            chain.nodes[0].send(Inner.udp(from: a, to: b, hopLimit: UInt8(i + 1)), now: chain.now)
            chain.settle()
            let packet = try #require(chain.nodes[0].takeHostPackets().first)
            #expect(IPv6Address(bytes: packet[8..<24]) == expected)
            #expect(packet[40] == 3 && packet[48...].starts(with: Inner.udp(from: a, to: b, hopLimit: UInt8(i + 1))))
        }
        chain.nodes[0].send(Inner.udp(from: a, to: b, hopLimit: 4), now: chain.now)
        chain.settle()
        #expect(chain.nodes[2].takeHostPackets().count == 1)
    }

    /// No error is seen for packets above 1200 bytes.
    @Test(arguments: [(1_200, 1), (1_201, 0)])
    func largePacketsFailInSilence(size: Int, errors: Int) throws {
        var chain = try chain(3)
        chain.pass(100)
        chain.nodes[0].send(
            Inner.udp(from: chain.address(0), to: chain.address(2), hopLimit: 2, size: size), now: chain.now)
        chain.settle()
        #expect(chain.nodes[0].takeHostPackets().count == errors)
    }

    /// B comes late and is found by the packets that wait for it; A is not known to B when the first arrive.
    @Test func packetsWaitForARoute() throws {
        var chain = try chain(3, linked: false)
        chain.link(0, 1)
        chain.pass(1_000)
        let (a, b) = (chain.address(0), chain.address(2))
        for _ in 0..<3 { chain.nodes[0].send(Inner.udp(from: a, to: b, hopLimit: 64), now: chain.now) }
        chain.pass(1_000)
        #expect(chain.nodes[1].report(now: chain.now).queried.count == 1)
        chain.link(1, 2)
        chain.settle()
        #expect(chain.nodes[2].takeHostPackets().count == 3)
    }

    @Test func aQueryEndsWithAnErrorForTheHost() throws {
        var chain = try chain(2)
        chain.pass(100)
        let nobody = IPv6Address(high: 0x0433_0000_0000_0000, low: 9)
        let packet = Inner.udp(from: chain.address(0), to: nobody, hopLimit: 64)
        chain.nodes[0].send(packet, now: chain.now)
        chain.pass(14_000)
        #expect(chain.nodes[0].takeHostPackets() == [])
        chain.pass(2_000)
        let error = try #require(chain.nodes[0].takeHostPackets().first)
        #expect(error.count == 1_280 && error[40] == 1 && error[41] == 0 && error[48...].starts(with: packet))
        #expect(chain.nodes[0].report(now: chain.now).queried == [])
    }

    /// Ten minutes, a restarted relay in between: nothing odd, nobody lost.
    @Test func modelsFindNothingOddInEachOther() throws {
        var chain = try chain(4)
        chain.pass(300_000)
        chain.cut(1, 2)
        chain.pass(8_000)
        let selected = chain.nodes[0].report(now: chain.now).routes.filter(\.isSelected)
        #expect(selected.count == 1)
        chain.link(1, 2)
        chain.pass(292_000)
        // The ends had no way to each other since the link came back; a packet finds one.
        let (a, b) = (chain.address(0), chain.address(3))
        chain.nodes[0].send(Inner.udp(from: a, to: b, hopLimit: 64), now: chain.now)
        chain.pass(1_000)
        #expect(chain.nodes[3].takeHostPackets().count == 1)
        for node in chain.nodes {
            #expect(node.oddities.others().isEmpty, "\(node.oddities.examples)")
            #expect(node.counters.linksSilent == 0)
        }
    }
}
