import HyphaBase
import HyphaControl
import HyphaFIB
import HyphaIdentity
import HyphaInterchange
import HyphaRouting
import HyphaWire
import Testing

@Suite struct RouteQueryTests {
    private let near = StreamRig.address("192.0.2.1:9651")

    private func prefix(_ number: UInt8) -> UInt64 { SimulatedNetwork.identity(number).address.high }

    private func need(_ rig: StreamRig, _ prefix: UInt64) { rig.notice(Notice(.routeNeeded, prefix: prefix)) }

    /// With one neighbour, everything said and published.
    private func rig() -> StreamRig {
        let rig = StreamRig(streaming([]))
        rig.opened(0, from: near)
        rig.run(milliseconds: 100)
        _ = rig.takeSteps()
        _ = rig.takeWritten()
        return rig
    }

    @Test func theMeshIsAskedAndTheAnswerComesBehindTheTable() {
        let rig = rig()
        need(rig, prefix(9))
        need(rig, prefix(9))
        let asked = rig.takeWritten().flatMap { FakeStreams.tlvs($0.bytes) }
        #expect(asked == [.routeRequest(.init(generation: 0, prefix: Prefix(rigAddress(9), length: 64)))])
        #expect(rig.takeSteps().isEmpty && rig.counters.queries == 2)
        rig.run(milliseconds: 50)
        rig.introduce(0, as: 9, metric: 7)
        let steps = rig.takeSteps()
        #expect(steps.suffix(2) == [.publish, .resolved(prefix(9))])
        #expect(rig.lookup(9).kind == .link)
        #expect(rig.counters.queriesFailed == 0)
    }

    private func rigAddress(_ number: UInt8) -> IPv6Address { SimulatedNetwork.identity(number).address }

    /// While the next table has to wait, so has the word that a route is there.
    @Test func theAnswerWaitsForTheTable() {
        let rig = rig()
        need(rig, prefix(9))
        rig.introduce(0, as: 8, metric: 7)
        #expect(rig.takeSteps().contains(.publish))
        rig.introduce(0, as: 9, metric: 7)
        #expect(!rig.takeSteps().contains { $0 == .publish || $0 == .resolved(prefix(9)) })
        // Asked once more meanwhile.
        need(rig, prefix(9))
        #expect(rig.takeSteps().isEmpty)
        rig.run(milliseconds: 5)
        #expect(rig.takeSteps() == [.publish, .resolved(prefix(9))])
    }

    /// A table that is not taken takes the word with it.
    @Test func theAnswerWaitsForATableThatIsTaken() {
        let rig = rig()
        need(rig, prefix(9))
        rig.refusesTables = true
        rig.introduce(0, as: 9, metric: 7)
        rig.run(milliseconds: 30)
        #expect(!rig.takeSteps().contains(.resolved(prefix(9))) && rig.counters.publicationsRefused >= 5)
        rig.refusesTables = false
        rig.run(milliseconds: 6)
        #expect(rig.takeSteps() == [.publish, .resolved(prefix(9))])
    }

    @Test func aKnownRouteIsAnsweredAtOnce() {
        let rig = rig()
        rig.introduce(0, as: 9, metric: 7)
        rig.run(milliseconds: 50)
        _ = rig.takeSteps()
        need(rig, prefix(9))
        #expect(rig.takeSteps() == [.resolved(prefix(9))])
    }

    @Test func nobodyAnswers() {
        let rig = rig()
        need(rig, prefix(9))
        rig.run(milliseconds: 14_900)
        #expect(rig.takeSteps().isEmpty)
        rig.run(milliseconds: 200)
        #expect(rig.takeSteps() == [.failed(prefix(9))] && rig.counters.queriesFailed == 1)
        // The next packet begins anew.
        _ = rig.takeWritten()
        need(rig, prefix(9))
        #expect(rig.takeWritten().count == 1)
    }

    @Test func whatCannotBeIsRefusedAtOnce() {
        let rig = rig()
        for prefix in [0x2001_0DB8 << 32, 0, .max, rig.own.address.high] as [UInt64] {
            need(rig, prefix)
            #expect(rig.takeSteps() == [.failed(prefix)])
        }
        // More than may be open.
        for i in 0..<4_097 as Range<UInt64> { need(rig, 0x0400_0000_0000_0000 | i << 20) }
        #expect(rig.takeSteps() == [.failed(0x0400_0000_0000_0000 | 4_096 << 20)])
        #expect(rig.counters.queriesFailed == 5)
        // Nobody is asked by a node without routing.
        var configuration = streaming([])
        configuration.routing = nil
        let silent = StreamRig(configuration)
        _ = silent.takeSteps()
        need(silent, prefix(9))
        #expect(silent.takeSteps() == [.failed(prefix(9))])
    }

    /// Many are resolved by one table, each told once.
    @Test func oneTableForMany() {
        let rig = rig()
        let numbers = 30..<80 as Range<UInt8>
        for number in numbers {
            need(rig, prefix(number))
            need(rig, prefix(number))
        }
        for number in numbers { rig.introduce(0, as: number, metric: 7) }
        rig.run(milliseconds: 20)
        let steps = rig.takeSteps().filter { if case .command = $0 { false } else { true } }
        let resolved = steps.filter { $0 != .publish }
        #expect(resolved == numbers.map { .resolved(prefix($0)) } && steps.count - resolved.count <= 2)
    }

    /// Before a used route ends the mesh is asked for it, for each of its prefixes.
    @Test func usedRoutesAreRefreshed() {
        let rig = rig()
        for length in [64, 128] {
            rig.control(0, .update(StreamRig.update(9, metric: 7, length: length)))
        }
        rig.run(milliseconds: 20)
        #expect(rig.lookup(9).kind == .link && !rig.lookup(9).isAgeing)
        // IHUs keep the link alive for the 1,050 s of the hold time.
        for _ in 0..<50 {
            rig.run(milliseconds: 20_000)
            rig.control(0, .ihu(.init(receiveCost: 15, interval: 6_000)))
        }
        _ = rig.takeWritten()
        // Forwarding was told to say so.
        #expect(rig.lookup(9).isAgeing)
        rig.notice(Notice(.routeUsed, prefix: prefix(9)))
        let asked = rig.takeWritten().flatMap { FakeStreams.tlvs($0.bytes) }
        #expect(asked.count == 2 && asked.allSatisfy { if case .routeRequest = $0 { true } else { false } })
        rig.notice(Notice(.routeUsed, prefix: prefix(9)))
        rig.notice(Notice(.routeUsed, prefix: prefix(8)))
        #expect(rig.takeWritten().isEmpty)
    }

    /// From end to end: a stock-like node in the middle that keeps no routes of others would answer nothing; a hypha node
    /// passes the question on.
    @Test func aQuestionCrossesTheMesh() {
        let network = SimulatedNetwork.streams(4, edges: [(1, 2), (2, 3), (3, 4)])
        network.run(seconds: 5)
        let (first, last) = (network.node(1), network.node(4))
        network.act(on: first) { node, now in
            node.loop.handle(Notice(.routeNeeded, prefix: last.address.high), now: now)
        }
        network.run(seconds: 1)
        #expect(first.worker.routeAnswers.count == 1 && first.worker.routeAnswers[0].hop?.kind == .link)
        let nowhere: UInt64 = 0x0512_3456_0000_0000
        network.act(on: first) { node, now in node.loop.handle(Notice(.routeNeeded, prefix: nowhere), now: now) }
        network.run(seconds: 16)
        #expect(first.worker.routeAnswers.last?.prefix == nowhere && first.worker.routeAnswers.last?.hop == nil)
        #expect(last.loop.status(now: network.now).routing.contains { $0.name == "route_requests" && $0.value >= 1 })
    }
}
