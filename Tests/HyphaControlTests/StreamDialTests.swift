import HyphaBase
import HyphaControl
import HyphaIdentity
import HyphaInterchange
import HyphaWire
import Testing

@Suite struct StreamDialTests {
    private let here = StreamRig.address("192.0.2.1:9651")
    private let there = StreamRig.address("[2001:db8::1]:9651")

    private func rig(_ hosts: [String] = ["mesh.example"], seed: UInt64 = 1) -> StreamRig {
        var configuration = streaming([])
        configuration.streamPeers = hosts.map { ConfiguredStreamPeer(host: $0, port: 9_651, label: "") }
        return StreamRig(configuration, seed: seed)
    }

    /// All dials fail at once with this errno value.
    private func failAll(_ rig: StreamRig, _ error: UInt32 = 111) {
        var dials = rig.takeDials()
        while !dials.isEmpty {
            for dial in dials { rig.notice(Notice(.streamFailed, id: dial.number, slot: error)) }
            dials = rig.takeDials()
        }
    }

    @Test func namesAreLookedUpFirst() {
        let rig = rig(["a.example", "b.example"])
        let asked = rig.takeSteps().filter { if case .resolve = $0 { true } else { false } }
        #expect(asked == [.resolve(0x8000_0000, "a.example", 9_651), .resolve(0x8000_0001, "b.example", 9_651)])
        #expect(rig.streams.map(\.state) == [.resolving, .resolving])
        #expect(rig.streams.map(\.host) == ["a.example:9651", "b.example:9651"])
        // Answers to other questions, or of HL1 peers, are not taken.
        rig.resolved(1, "a.example", [here])
        rig.resolved(7, "b.example", [here])
        rig.loop.resolved(link: 1, host: "b.example", port: 9_651, addresses: [], now: rig.now)
        #expect(rig.takeDials().isEmpty)
        rig.resolved(1, "b.example", [here])
        let dials = rig.takeDials()
        #expect(dials.map(\.to) == [here] && rig.streams.map(\.state) == [.resolving, .connecting])
        rig.opened(3, dial: dials[0].number, from: here, microseconds: 1_234)
        let status = rig.streams[1]
        #expect(status.state == .up && status.id == 19 && status.connection == 3 && status.remote == here)
        #expect(status.isDialled && status.roundTripMicroseconds == 1_234 && status.key == nil)
        #expect(rig.counters.streamsOpened == 1 && rig.counters.streamsAccepted == 0)
        #expect(rig.log.contains { $0.contains("info peer tcp://b.example:9651 at 192.0.2.1:9651 is up") })
        rig.introduce(3, as: 5)
        #expect(rig.streams[1].key == SimulatedNetwork.identity(5).publicKey)
    }

    @Test func allAddressesHaveTheirTurn() {
        let rig = rig()
        rig.resolved(0, "mesh.example", [there, here])
        var dials = rig.takeDials()
        #expect(dials.map(\.to) == [there])
        rig.notice(Notice(.streamFailed, id: dials[0].number, slot: 101))
        let first = dials[0].number
        dials = rig.takeDials()
        #expect(dials.map(\.to) == [here] && dials[0].number != first)
        // A late word about the first dial changes nothing.
        rig.notice(Notice(.streamFailed, id: first, slot: 101))
        #expect(rig.takeDials().isEmpty && rig.streams[0].state == .connecting)
        rig.notice(Notice(.streamFailed, id: dials[0].number, slot: 111))
        #expect(rig.takeDials().isEmpty && rig.streams[0].state == .resting && rig.counters.dialsFailed == 2)
        // Both again, without asking for the addresses anew.
        #expect(rig.runToNextTry().map { (800...1_200).contains($0) } == true)
        #expect(rig.takeDials().map(\.to) == [there])
    }

    @Test(arguments: 1...5 as ClosedRange<UInt64>)
    func pausesGrow(seed: UInt64) {
        let rig = rig(seed: seed)
        rig.resolved(0, "mesh.example", [here])
        failAll(rig)
        var pauses: [UInt64] = []
        var start = rig.now
        let begin = rig.now
        while rig.now.milliseconds(since: begin) < 900_000 {
            _ = rig.runToNextTry()
            if rig.steps.contains(.resolve(0x8000_0000, "mesh.example", 9_651)) {
                rig.resolved(0, "mesh.example", [here])
            }
            pauses.append(rig.now.milliseconds(since: start))
            start = rig.now
            failAll(rig)
        }
        // A second each for the first 30 s, all within 20 %.
        let eager = pauses.prefix { $0 <= 1_200 }
        #expect((24...38).contains(eager.count) && eager.allSatisfy { $0 >= 800 })
        let later = pauses.dropFirst(eager.count)
        for (pause, expected) in zip(later, [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000] as [UInt64]) {
            #expect((expected * 8 / 10...expected * 12 / 10).contains(pause))
        }
        #expect(Set(pauses).count > 10)
        // One line for the same failure over and over; another failure is news.
        let refused = rig.log.filter { $0.contains("connection refused") }
        #expect((1...2).contains(refused.count) && refused[0].hasPrefix("warning peer tcp://mesh.example:9651"))
        _ = rig.runToNextTry()
        rig.resolved(0, "mesh.example", [here])
        failAll(rig, 113)
        #expect(rig.log.count { $0.contains("host unreachable") } == 1)
    }

    @Test func aNameWithoutAddressRests() {
        let rig = rig()
        rig.resolved(0, "mesh.example", [])
        #expect(rig.streams[0].state == .resting && rig.takeDials().isEmpty)
        #expect(rig.log.contains { $0.contains("mesh.example has no address") })
        #expect(rig.runToNextTry().map { (1_600...2_400).contains($0) } == true)
        // The name service says nothing at all: the next try comes by itself.
        #expect(rig.runToNextTry().map { (11_000...13_000).contains($0) } == true)
        // Later failures of the name service leave the known addresses.
        rig.resolved(0, "mesh.example", [here])
        rig.opened(0, dial: rig.takeDials().last?.number ?? 0, from: here)
        rig.run(milliseconds: 30_000)
        rig.closed(0)
        _ = rig.runToNextTry()
        #expect(rig.streams[0].state == .resolving && rig.takeDials().isEmpty)
        rig.resolved(0, "mesh.example", [])
        #expect(rig.takeDials().map(\.to) == [here])
    }

    @Test func aDialWithoutAnswerIsGivenUp() {
        let rig = rig()
        rig.resolved(0, "mesh.example", [here])
        let dial = rig.takeDials()[0].number
        rig.run(milliseconds: 15_100)
        #expect(rig.counters.dialsFailed == 1)
        // It comes too late: nobody waits for it.
        rig.opened(4, dial: dial, from: here)
        #expect(rig.takeCloses() == [4] && rig.streams.allSatisfy { $0.connection == nil })
        rig.closed(4)
        #expect(rig.counters.streamsOpened == 0 && rig.counters.streamsClosed == 0)
    }

    @Test func aLostPeerIsDialledAgain() {
        let rig = rig()
        rig.resolved(0, "mesh.example", [here])
        rig.opened(0, dial: rig.takeDials()[0].number, from: here)
        rig.introduce(0, as: 5)
        rig.run(milliseconds: 40_000)
        rig.closed(0, error: 104)
        #expect(rig.log.last?.hasSuffix("mesh.example:9651 at 192.0.2.1:9651 closed: connection reset by peer") == true)
        #expect(rig.runToNextTry().map { (800...1_200).contains($0) } == true)
        rig.resolved(0, "mesh.example", [here])
        // One that accepts and closes at once is no use: the pauses grow.
        var times = 0
        for place in 1...60 as ClosedRange<UInt32> {
            guard let dial = rig.takeDials().first else { break }
            rig.opened(place << 16, dial: dial.number, from: here)
            rig.closed(place << 16)
            let pause = rig.runToNextTry() ?? 0
            rig.resolved(0, "mesh.example", [here])
            if pause > 40_000 {
                times = Int(place)
                break
            }
        }
        #expect((20...50).contains(times))
    }

    @Test func reasonsAreTold() {
        let rig = rig()
        for (i, text) in [
            (1, "another protocol version"), (3, "did not send a whole frame in time"),
            (4, "said nothing for too long"),
            (6, "took nothing"),
        ] {
            let id = UInt32(i)
            rig.opened(id, from: here)
            rig.closed(id, end: UInt8(i))
            let line = rig.log.last ?? ""
            #expect(line.hasPrefix("info peer tcp://192.0.2.1:9651 closed: ") && line.contains(text))
        }
        rig.opened(9, from: here)
        rig.closed(9)
        #expect(rig.log.last?.hasSuffix("closed: by the other side") == true)
    }

    // MARK: - The node itself

    @Test func aNodeDoesNotStayConnectedWithItself() throws {
        let rig = rig()
        rig.resolved(0, "mesh.example", [here])
        rig.opened(0, dial: rig.takeDials()[0].number, from: here)
        rig.opened(1, from: StreamRig.address("192.0.2.1:40000"))
        rig.run(milliseconds: 100)
        // Both ends hear what this node says of itself.
        let update = try #require(
            rig.takeWritten().flatMap { FakeStreams.tlvs($0.bytes) }.first {
                if case .update = $0 { true } else { false }
            })
        _ = rig.takeSteps()
        rig.control(1, update)
        #expect(rig.takeSteps().isEmpty)
        rig.control(0, update)
        #expect(rig.takeCloses() == [0] && rig.streams[0].state == .closing)
        rig.closed(0)
        rig.closed(1, error: 104)
        #expect(rig.streams.map(\.state) == [.resting])
        #expect(rig.log.count { $0.contains("is this node itself; take it out") } == 1)
        let pause = try #require(rig.runToNextTry())
        #expect((480_000...720_000).contains(pause))
        // Still the same: no further line.
        rig.resolved(0, "mesh.example", [here])
        rig.opened(0x1_0000, dial: rig.takeDials()[0].number, from: here)
        rig.control(0x1_0000, update)
        rig.closed(0x1_0000)
        #expect(rig.log.count { $0.contains("is this node itself; take it out") } == 1)
        #expect(rig.counters.streamControlReceived == 3)
    }

    // MARK: - The local network

    private func local(_ number: Int, port: UInt16 = 9_651, scope: UInt32 = 3) -> SocketAddress {
        SocketAddress(
            address: IPv6Address(high: 0xFE80 << 48, low: UInt64(number)), port: port, scope: scope)
    }

    @Test func placesThatWereFoundAreDialled() {
        let rig = rig([])
        rig.found(local(7))
        rig.found(local(7))
        rig.found(local(7, port: 0))
        #expect(rig.counters.discovered == 1 && rig.loop.dials(local(7)) && !rig.loop.hasStream(with: local(7)))
        let dials = rig.takeDials()
        #expect(dials.map(\.to) == [local(7)])
        rig.opened(0, dial: dials[0].number, from: local(7))
        #expect(rig.streams.count == 1 && rig.streams[0].isDialled && rig.streams[0].host.isEmpty)
        #expect(rig.loop.hasStream(with: local(7)))
        // There is a connection: further beacons change nothing.
        for _ in 0..<5 { rig.found(local(7)) }
        rig.run(milliseconds: 3_000)
        #expect(rig.takeDials().isEmpty && rig.streams.map(\.state) == [.up])
        // Another interface is another place.
        rig.found(local(7, scope: 4))
        #expect(rig.takeDials().count == 1 && !rig.loop.hasStream(with: local(7, scope: 4)))
        rig.closed(0)
        rig.run(milliseconds: 2_000)
        #expect(rig.takeDials().map(\.to) == [local(7)])
    }

    @Test func whoCameByItselfIsNotDialled() {
        let rig = rig([])
        rig.opened(0, from: local(7, port: 40_000))
        rig.found(local(7))
        rig.run(milliseconds: 40_000)
        #expect(rig.takeDials().isEmpty && rig.loop.hasStream(with: local(7)) && !rig.loop.dials(local(7)))
        // Or comes between two dials.
        rig.found(local(8))
        failAll(rig)
        rig.opened(1, from: local(8, port: 40_000))
        rig.run(milliseconds: 40_000)
        #expect(rig.takeDials().isEmpty && rig.streams.count == 2 && !rig.loop.dials(local(8)))
        // When it is gone, the next beacon brings it back.
        rig.closed(1)
        rig.found(local(8))
        #expect(rig.takeDials().map(\.to) == [local(8)])
    }

    @Test func threeFailuresAndItIsForgotten() {
        let rig = rig([])
        rig.found(local(7))
        failAll(rig)
        for _ in 0..<2 {
            #expect(rig.runToNextTry(atMost: 5_000) != nil && rig.loop.dials(local(7)))
            failAll(rig)
        }
        #expect(rig.runToNextTry() == nil && rig.streams.isEmpty && rig.counters.dialsFailed == 3)
        #expect(!rig.loop.dials(local(7)))
        // Connected in between: the failures begin anew.
        rig.found(local(7))
        failAll(rig)
        _ = rig.runToNextTry()
        failAll(rig)
        _ = rig.runToNextTry()
        rig.opened(0, dial: rig.takeDials()[0].number, from: local(7))
        rig.closed(0)
        _ = rig.runToNextTry()
        failAll(rig)
        #expect(rig.loop.dials(local(7)))
    }

    @Test func soManyAreKnownAtATime() {
        let rig = rig(["mesh.example"])
        for i in 0..<200 { rig.found(local(i)) }
        #expect(rig.counters.discovered == 200 && rig.counters.discoveredRefused == 136)
        let dials = rig.takeDials()
        #expect(dials.count == 64 && Set(dials.map(\.number)).count == 64)
        // One of them goes, one comes.
        rig.notice(Notice(.streamFailed, id: dials[5].number, slot: 111))
        for _ in 0..<2 {
            _ = rig.runToNextTry()
            rig.notice(Notice(.streamFailed, id: rig.takeDials().last?.number ?? 0, slot: 111))
        }
        #expect(rig.streams.count == 64)
        rig.found(local(999))
        #expect(rig.streams.count == 65 && rig.counters.discoveredRefused == 136)
    }

    @Test func withoutTCPNothingIsDialled() {
        var configuration = streaming([2])
        configuration.links = LinkNumbering(datagramLinks: 16, streams: 0)
        let rig = StreamRig(configuration)
        rig.found(local(1))
        rig.resolved(0, "10.0.0.2", [here])
        rig.opened(0, from: here)
        rig.closed(0)
        rig.run(milliseconds: 5_000)
        #expect(rig.takeDials().isEmpty)
        #expect(rig.log.count { $0.hasPrefix("error") } == 1)
    }
}
