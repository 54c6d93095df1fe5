import HyphaBase
import HyphaControl
import HyphaInterchange
import HyphaStreams
import HyphaWire
import Testing

@testable import HyphaControl

@Suite struct StreamGateTests {
    private func rig(streams: Int, peers: [String] = []) -> StreamRig {
        var configuration = streaming([])
        configuration.links = LinkNumbering(datagramLinks: 16, streams: streams)
        configuration.streamPeers = peers.map { ConfiguredStreamPeer(host: $0, port: 9_651) }
        return StreamRig(configuration)
    }

    @Test func whatTheWorkerTurnedAwayIsSaidNowAndThen() {
        let rig = rig(streams: 100)
        for second in 0..<25 as Range<UInt64> {
            rig.notice(Notice(.streamsLimited, prefix: second < 15 ? 0xC000_0207 : 0x2001_0DB8_0000_0005))
            rig.run(milliseconds: 1_000)
        }
        let lines = rig.log.filter { $0.contains("too many come from there in a short time") }
        #expect(lines.count == 3 && lines[0].hasPrefix("warning refused a TCP connection from 192.0.2.7: "))
        #expect(lines[2].contains("from 2001:db8:0:5::/64: "))
    }

    /// A guest from afar: its /24 and its port.
    private func guest(_ number: Int, port: UInt16 = 40_000) -> SocketAddress {
        SocketAddress(address: .mapped(ipv4: 0x0808_0000 | UInt32(number)), port: port)
    }

    @Test func eightFromOneAddress() {
        let rig = rig(streams: 100)
        for i in 0..<10 as Range<UInt32> { rig.opened(i, from: guest(1, port: 40_000 + UInt16(i))) }
        #expect(rig.takeCloses() == [8, 9] && rig.counters.streamsRefusedAddress == 2)
        #expect(rig.counters.streamsAccepted == 8 && rig.streams.count == 8)
        // Others are not affected; an end makes room.
        rig.opened(10, from: guest(2))
        rig.closed(8)
        rig.closed(9)
        rig.closed(3)
        rig.opened(3 + 0x1_0000, from: guest(1))
        #expect(rig.takeCloses().isEmpty && rig.streams.count == 9)
        #expect(rig.counters.streamsClosed == 1)
        // One line about many refusals.
        #expect(rig.log.count { $0.contains("refused a TCP connection") } == 1)
    }

    @Test func aWholeSubnetCountsAsOne() {
        let rig = rig(streams: 100)
        for i in 0..<20 as Range<UInt32> {
            let address = IPv6Address(high: 0x2001_0DB8_0000_0001, low: UInt64(i) << 40)
            rig.opened(i, from: SocketAddress(address: address, port: 40_000))
        }
        #expect(rig.takeCloses().count == 12)
        rig.opened(50, from: StreamRig.address("[2001:db8:0:2::1]:40000"))
        #expect(rig.takeCloses().isEmpty)
    }

    @Test(arguments: [
        "10.1.2.3:5", "127.0.0.1:5", "192.168.7.7:5", "172.31.0.1:5", "169.254.3.3:5", "[fd12::1]:5", "[fe80::1]:5",
        "[::1]:5",
    ])
    func nearOnesMayHaveMore(text: String) {
        let rig = rig(streams: 100)
        for i in 0..<70 as Range<UInt32> { rig.opened(i, from: StreamRig.address(text)) }
        #expect(rig.takeCloses() == [64, 65, 66, 67, 68, 69])
    }

    @Test(arguments: ["172.32.0.1:5", "11.0.0.1:5", "[fec0::1]:5", "[2001:db8::1]:5", "[::2]:5", "100.64.0.1:5"])
    func othersMayNot(text: String) {
        let rig = rig(streams: 100)
        for i in 0..<70 as Range<UInt32> { rig.opened(i, from: StreamRig.address(text)) }
        #expect(rig.takeCloses().count == 62)
    }

    @Test func configuredPeersMayHaveMore() {
        let rig = rig(streams: 100, peers: ["mesh.example"])
        rig.resolved(0, "mesh.example", [guest(1, port: 9_651)])
        for i in 0..<20 as Range<UInt32> { rig.opened(i, from: guest(1)) }
        #expect(rig.takeCloses().isEmpty)
        for i in 20..<40 as Range<UInt32> { rig.opened(i, from: guest(2)) }
        #expect(rig.takeCloses().count == 12)
    }

    @Test func placesAreKeptForConfiguredPeers() {
        let rig = rig(streams: 10, peers: ["a.example", "b.example"])
        for i in 0..<10 as Range<UInt32> { rig.opened(i, from: guest(Int(i))) }
        #expect(rig.takeCloses() == [8, 9] && rig.counters.streamsRefusedCap == 2)
        rig.closed(8)
        rig.closed(9)
        rig.resolved(0, "a.example", [guest(50)])
        let dial = rig.takeDials()[0].number
        rig.opened(9 + 0x1_0000, dial: dial, from: guest(50))
        #expect(rig.takeCloses().isEmpty && rig.streams.count { $0.state == .up } == 9)
        // The place that is left is the other one's.
        rig.opened(8 + 0x1_0000, from: guest(60))
        #expect(rig.takeCloses() == [8 + 0x1_0000])
        // A number that cannot be.
        rig.opened(10, from: guest(61))
        rig.opened(.max, from: guest(61))
        #expect(rig.takeCloses() == [10, .max] && rig.counters.streamsRefusedCap == 5)
        rig.closed(10)
        rig.closed(.max)
    }

    @Test func whoSaysNothingGivesWay() {
        let rig = rig(streams: 2_000)
        for i in 0..<256 as Range<UInt32> { rig.opened(i, from: guest(Int(i))) }
        #expect(rig.takeCloses().isEmpty)
        // The first one speaks, the second ends.
        rig.control(0, .hello(.init(seqno: 0, interval: 2_000)))
        rig.closed(1)
        rig.opened(256, from: guest(256))
        rig.opened(257, from: guest(257))
        #expect(rig.takeCloses().isEmpty)
        rig.opened(258, from: guest(258))
        rig.opened(259, from: guest(259))
        #expect(rig.takeCloses() == [2, 3] && rig.counters.streamsGaveWay == 2)
        // What they say now is not taken.
        rig.control(2, .hello(.init(seqno: 0, interval: 2_000)))
        #expect(rig.counters.streamControlRefused == 1)
        // The worker has closed all others that said nothing, or had a frame of them.
        rig.run(milliseconds: 6_100)
        for i in 300..<556 as Range<UInt32> { rig.opened(i, from: guest(Int(i))) }
        #expect(rig.takeCloses().isEmpty)
        // However many come and speak, nothing piles up.
        for i in 600..<1_600 as Range<UInt32> {
            rig.opened(i, from: guest(Int(i)))
            rig.control(i, .hello(.init(seqno: 0, interval: 2_000)))
        }
        #expect(rig.counters.streamsGaveWay == 2 + 1)
    }

    // MARK: - Two rings

    /// The end of a short connection can come in before its beginning.
    @Test func anEndBeforeTheBeginning() {
        let rig = rig(streams: 10)
        rig.closed(4, error: 104)
        rig.opened(4, from: guest(1))
        #expect(rig.streams.isEmpty && rig.takeSteps().allSatisfy { $0 == .publish })
        // Two of them, in one place.
        rig.closed(4 + 0x1_0000)
        rig.closed(4 + 0x2_0000)
        rig.opened(4 + 0x1_0000, from: guest(1))
        rig.opened(4 + 0x2_0000, from: guest(1))
        #expect(rig.streams.isEmpty)
        rig.opened(4 + 0x3_0000, from: guest(1))
        #expect(rig.streams.count == 1)
        // The next one in its place is there before it ended.
        rig.opened(4 + 0x4_0000, from: guest(2))
        #expect(rig.streams.count == 1 && rig.streams[0].remote == guest(2))
        rig.closed(4 + 0x3_0000)
        #expect(rig.streams.count == 1)
        rig.closed(4 + 0x4_0000)
        rig.closed(4 + 0x4_0000)
        #expect(rig.streams.isEmpty && rig.counters.streamsAccepted == 2 && rig.counters.streamsClosed == 2)
        // Numbers of a place go round.
        rig.closed(5 + 0xFFFF_0000)
        rig.opened(5, from: guest(1))
        #expect(rig.streams.count == 1)
    }

    @Test func aDialThatEndedBeforeItBegan() {
        let rig = rig(streams: 10, peers: ["mesh.example"])
        rig.resolved(0, "mesh.example", [guest(1), guest(2)])
        let dial = rig.takeDials()[0].number
        rig.closed(0, error: 104)
        rig.opened(0, dial: dial, from: guest(1))
        #expect(rig.takeDials().map(\.to) == [guest(2)] && rig.counters.dialsFailed == 1)
    }

    // MARK: - Contracts

    /// The numbers of `StreamEnd` and their descriptions are in different rooms.
    @Test func everyEndIsDescribed() {
        let texts = StreamEnd.allCases.map { StreamClosing(end: $0.rawValue + 1).description }
        #expect(Set(texts).count == StreamEnd.allCases.count && !texts.contains { $0.contains("broke a rule") })
        #expect(StreamClosing(end: StreamEnd.badVersion.rawValue + 1).description.contains("version"))
        #expect(StreamClosing(end: StreamEnd.badType.rawValue + 1).description.contains("type"))
        #expect(StreamClosing(end: StreamEnd.noFirstFrame.rawValue + 1).description.contains("whole frame in time"))
        #expect(StreamClosing(end: StreamEnd.idle.rawValue + 1).description.contains("nothing for too long"))
        #expect(StreamClosing(end: StreamEnd.unfinishedFrame.rawValue + 1).description.contains("finish"))
        #expect(StreamClosing(end: StreamEnd.stalledWrite.rawValue + 1).description.contains("took nothing"))
        #expect(StreamGate.waitingMilliseconds > StreamLimits().firstFrameMilliseconds)
    }
}
