import HyphaBase
import HyphaPacket
import Testing

@Suite struct WorkerCountersTests {
    @Test func namesAreUniqueSnakeCase() {
        let names = Counter.allCases.map(\.name)
        let reasons = DropReason.allCases.map(\.name)
        #expect(Set(names).count == names.count)
        #expect(Set(reasons).count == reasons.count)
        for name in names + reasons {
            #expect(!name.isEmpty)
            #expect(name.utf8.allSatisfy { $0 == 95 || (97...122).contains($0) }, "\(name)")
            #expect(!name.hasPrefix("_") && !name.hasSuffix("_") && !name.contains("__"))
        }
        #expect(Counter.receivedBytes.name == "received_bytes")
        #expect(DropReason.badFlowAuth.name == "bad_flow_auth")
    }

    /// Raw values are indices: a row has one place for every counter and every reason, without gaps.
    @Test func everyCounterHasItsOwnPlace() {
        #expect(Counter.allCases.map(\.rawValue) == Array(0..<Counter.allCases.count))
        #expect(DropReason.allCases.map { Int($0.rawValue) } == Array(0..<DropReason.allCases.count))
        #expect(WorkerCounters.count == Counter.allCases.count + DropReason.allCases.count)
        let counters = WorkerCounters()
        defer { counters.deallocate() }
        #expect(counters.row.allSatisfy { $0 == 0 })
        for (i, counter) in Counter.allCases.enumerated() { counters.add(counter, i + 1) }
        for (i, reason) in DropReason.allCases.enumerated() { counters.drop(reason, 1_000 + i) }
        for (i, counter) in Counter.allCases.enumerated() { #expect(counters[counter] == UInt64(i + 1)) }
        for (i, reason) in DropReason.allCases.enumerated() { #expect(counters[reason] == UInt64(1_000 + i)) }
        let reasons = DropReason.allCases.count
        #expect(counters.dropped == UInt64(1_000 * reasons + reasons * (reasons - 1) / 2))
        #expect(counters.row.count == WorkerCounters.count)
        #expect(Array(counters.row.prefix(3)) == [1, 2, 3])
    }

    @Test func amountsAddUp() {
        var random = Seed(141)
        let counters = WorkerCounters()
        defer { counters.deallocate() }
        var received: UInt64 = 0
        var replays: UInt64 = 0
        for _ in 0..<1_000 {
            let amount = Int(random.next() % 128)
            counters.add(.received, amount)
            counters.drop(.replay)
            received += UInt64(amount)
            replays += 1
        }
        #expect(counters[.received] == received)
        #expect(counters[.replay] == replays)
        #expect(counters.dropped == replays)
    }
}
