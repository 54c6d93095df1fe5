import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaWire
import Testing

@testable import HyphaDataplane

/// A TCP link waits a moment for the only link that its data goes to, and for no other.
struct StreamHoldTests {
    /// A relay with links to the left, to a fast peer and to another one.
    private final class Line {
        static let other = IPv6Address(high: 0x0500_0000_0000_0003, low: 9)
        /// Where mixed frames go.
        var other = Line.other
        let network = TestNetwork(seed: 21)
        let relay: TestNode
        let left: UInt32
        let fast: UInt32
        let quick: UInt32
        /// What must have come out, and what was sent to either.
        var expected: [UInt8] = []
        var sent = 0

        init() throws {
            relay = try network.add("R", TestNode.Options(hasTun: false, slabs: 40, slots: 2_048, maxStreams: 8))
            left = try StreamTests.accept(relay, network)
            fast = try StreamTests.accept(relay, network)
            quick = try StreamTests.accept(relay, network)
            relay.route(StreamTests.destination, NextHop(kind: .link, link: relay.numbering.link(connection: fast)))
            relay.route(Self.other, NextHop(kind: .link, link: relay.numbering.link(connection: quick)))
        }

        /// So many turns, in each of which 56 KB come from the left, and one small frame for the other peer if `isMixed`.
        func turns(_ count: Int, microseconds: UInt64 = 150, isMixed: Bool = false, from source: UInt32? = nil) throws {
            for _ in 0..<count {
                let payload = [UInt8](repeating: UInt8(truncatingIfNeeded: sent), count: 8_000)
                let frame = try StreamTests.frame(payload)
                let other = isMixed ? try StreamTests.frame([1], to: other) : []
                relay.io.arrive(frame + frame + other + frame + frame + frame + frame + frame, on: source ?? left)
                for _ in 0..<7 { expected += frame }
                sent += 7
                turn(microseconds)
            }
        }

        func turn(_ microseconds: UInt64 = 150, times: Int = 1) {
            for _ in 0..<times {
                network.now = network.now.advanced(byNanoseconds: microseconds * 1_000)
                relay.turn(network.now)
            }
        }

        var isHeld: Bool { isPaused(left) }
        func isPaused(_ connection: UInt32) -> Bool { relay.io.isPaused(connection) }
        var unsentLimit: Int? { relay.io.unsentLimit(fast) }
        func written(_ connection: UInt32) -> Int { relay.io.written(connection).count }
        var holds: UInt64 { relay.counters[.streamHolds] }
        var displaced: UInt64 { relay.drops["displaced"] ?? 0 }

        /// Everything came out in order, with one hop less.
        func isComplete() -> Bool {
            var wanted = expected
            for i in stride(from: 0, to: wanted.count, by: 8_040) { wanted[i + 7] = 62 }
            return relay.io.written(fast) == wanted
        }
    }

    @Test func aFullLinkHoldsItsOnlySource() throws {
        let line = try Line()
        try line.turns(700)
        #expect(line.holds == 0 && line.unsentLimit == nil)
        for _ in 0..<5 {
            let before = line.holds
            line.relay.io.setStalled(line.fast, true)
            try line.turns(12)
            #expect(line.isHeld && line.holds == before + 1)
            line.relay.io.setStalled(line.fast, false)
            line.turn(times: 6)
            #expect(!line.isHeld)
            try line.turns(50)
        }
        // 375 MB/s for 4 ms.
        #expect(line.unsentLimit == 2 << 20)
        #expect(line.isComplete() && line.relay.drops == [:] && line.relay.worker.waiting == 0)
        line.relay.expectNoLeak()
    }

    @Test func aPeerThatStopsCostsOthersOnePause() throws {
        let line = try Line()
        try line.turns(700)
        line.relay.io.setStalled(line.fast, true)
        try line.turns(10)
        #expect(line.isHeld)
        let began = line.network.now
        while line.isHeld, line.network.now < began.advanced(byMilliseconds: 20) { try line.turns(1) }
        #expect((3...6).contains(line.network.now.milliseconds(since: began)))
        try line.turns(60)
        #expect(line.holds == 1 && !line.isHeld)
        // From now on what does not fit is lost, and the rest passes.
        try line.turns(200, isMixed: true)
        try line.turns(800)
        #expect(line.holds == 1 && line.displaced > 0)
        #expect(line.written(line.quick) == 200 * 41)
        // When it has gone on it is waited for again.
        line.relay.io.setStalled(line.fast, false)
        try line.turns(700)
        line.relay.io.setStalled(line.fast, true)
        try line.turns(10)
        #expect(line.holds == 2 && line.isHeld)
        line.relay.io.setStalled(line.fast, false)
        line.turn(times: 100)
        #expect(UInt64(line.written(line.fast) / 8_040) + line.displaced == UInt64(line.sent))
        line.relay.expectNoLeak()
    }

    @Test(arguments: [true, false]) func aSourceWithSeveralTargetsIsNeverHeld(hasRoute: Bool) throws {
        let line = try Line()
        if !hasRoute { line.other = IPv6Address(high: 0x0500_0000_0000_0004, low: 9) }
        try line.turns(700)
        // For a tenth of a second after the last other frame.
        try line.turns(1, isMixed: true)
        try line.turns(400)
        line.relay.io.setStalled(line.fast, true)
        try line.turns(30)
        #expect(line.holds == 0 && !line.isHeld)
        line.relay.io.setStalled(line.fast, false)
        line.turn(times: 20)
        try line.turns(400)
        line.relay.io.setStalled(line.fast, true)
        for i in 0..<100 { try line.turns(1, isMixed: i % 3 == 0) }
        #expect(line.holds == 0)
        #expect(line.written(line.quick) == (hasRoute ? 35 * 41 : 0))
        #expect(hasRoute || line.relay.drops.values.reduce(0, +) >= 35 + line.displaced)
        line.relay.io.setStalled(line.fast, false)
        line.turn(times: 20)
        line.relay.expectNoLeak()
    }

    @Test func nobodyWaitsForASlowLink() throws {
        let line = try Line()
        // 56 MB/s.
        try line.turns(300, microseconds: 1_000)
        line.relay.io.setStalled(line.fast, true)
        try line.turns(100, microseconds: 1_000)
        #expect(line.holds == 0 && line.displaced > 0)
        line.relay.io.setStalled(line.fast, false)
        line.turn(times: 20)
        line.relay.expectNoLeak()
    }

    /// What comes in one turn from several links is told apart.
    @Test func onlyTheSourceOfAFullLinkIsHeld() throws {
        let line = try Line()
        let second = try StreamTests.accept(line.relay, line.network)
        var count = 0
        func both(_ turns: Int) throws {
            for _ in 0..<turns {
                var stream: [UInt8] = []
                for _ in 0..<20 { stream += try StreamTests.frame([UInt8](repeating: 3, count: 1_000), to: Line.other) }
                count += 20
                line.relay.io.arrive(stream, on: second)
                try line.turns(1)
            }
        }
        try both(700)
        line.relay.io.setStalled(line.fast, true)
        try both(10)
        #expect(line.isHeld && !line.isPaused(second))
        #expect(line.written(line.quick) == count * 1_040)
        line.relay.io.setStalled(line.fast, false)
        line.turn(times: 20)
        #expect(line.isComplete() && line.relay.drops == [:])
        line.relay.expectNoLeak()
    }

    /// Nothing of a hold stays with a place that another connection has.
    @Test func aHeldLinkMayEnd() throws {
        let line = try Line()
        try line.turns(700)
        line.relay.io.setStalled(line.fast, true)
        try line.turns(10)
        #expect(line.isHeld)
        line.relay.io.endByPeer(line.left, error: 104)
        line.turn(times: 2)
        let again = try StreamTests.accept(line.relay, line.network)
        #expect(again & 0xFFFF == line.left & 0xFFFF)
        line.relay.io.setStalled(line.fast, false)
        line.turn(times: 60)
        let before = line.written(line.fast)
        try line.turns(20, from: again)
        line.turn(times: 5)
        #expect(!line.isPaused(again))
        #expect(line.written(line.fast) == before + 20 * 7 * 8_040)
        line.relay.expectNoLeak()
    }
}
