import HyphaBase
import HyphaPacket
import Testing

/// Packets in = packets out + dropped + waiting, and buffers free + held = all, whatever comes.
struct ConservationTests {
    @Test(arguments: 0..<24 as Range<UInt64>) func holds(seed: UInt64) throws {
        let run = try RandomRun(seed: seed)
        for _ in 0..<250 { try run.step() }
        try run.finish()
    }

    /// The runs do what they are for: packets pass, and end in most ways there are.
    @Test func reachesEverything() throws {
        var seen: Set<DropReason> = []
        var delivered: UInt64 = 0
        var reassembled: UInt64 = 0
        for seed in 100..<108 as Range<UInt64> {
            let run = try RandomRun(seed: seed)
            for _ in 0..<400 { try run.step() }
            for node in run.network.nodes {
                for reason in DropReason.allCases where node.counters[reason] > 0 { seen.insert(reason) }
                delivered += node.counters[.delivered]
                reassembled += node.counters[.reassembled]
            }
        }
        #expect(delivered > 500 && reassembled > 20)
        let missing = Set(DropReason.allCases).subtracting(seen)
            .subtracting([
                .sendFailed, .tunFailed, .rateLimited, .shutdown, .puntFull, .noBuffer, .badLane, .badFragment,
                .displaced, .unsafe,
            ])
        #expect(missing == [])
    }
}
