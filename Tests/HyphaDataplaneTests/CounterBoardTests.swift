import HyphaInterchange
import HyphaPacket
import Synchronization
import Testing

/// Counters as other threads see them.
struct CounterBoardTests {
    @Test func copies() {
        let counters = WorkerCounters()
        defer { counters.deallocate() }
        let board = CounterBoard()
        #expect(board.snapshot()[.received] == 0 && board.snapshot().dropped == 0)
        for (i, counter) in Counter.allCases.enumerated() { counters.add(counter, 10 + i) }
        for (i, reason) in DropReason.allCases.enumerated() { counters.drop(reason, 1_000 + i) }
        #expect(board.snapshot()[.received] == 0)
        board.copy(counters, waiting: 7)
        let row = board.snapshot()
        for (i, counter) in Counter.allCases.enumerated() { #expect(row[counter] == UInt64(10 + i)) }
        for (i, reason) in DropReason.allCases.enumerated() { #expect(row[reason] == UInt64(1_000 + i)) }
        #expect(row.waiting == 7)
        #expect(row.dropped == counters.dropped)
    }

    /// Each row is whole: here all its values are equal.
    @Test func wholeRows() {
        let counters = WorkerCounters()
        defer { counters.deallocate() }
        let board = CounterBoard()
        let state = ReaderState()
        let thread = OtherThread {
            while !state.stop.load(ordering: .relaxed) {
                let row = board.snapshot()
                let value = row[.received]
                let isWhole =
                    Counter.allCases.allSatisfy { row[$0] == value }
                    && DropReason.allCases.allSatisfy { row[$0] == value }
                if !isWhole || row.waiting != value { state.faults.add(1, ordering: .relaxed) }
                state.rows.add(1, ordering: .relaxed)
            }
        }
        var copies = 0
        while copies < 2_000 || state.rows.load(ordering: .relaxed) < 50 {
            copies += 1
            for counter in Counter.allCases { counters.add(counter) }
            for reason in DropReason.allCases { counters.drop(reason) }
            board.copy(counters, waiting: copies)
        }
        state.stop.store(true, ordering: .relaxed)
        thread.join()
        #expect(state.faults.load(ordering: .relaxed) == 0)
        #expect(board.snapshot()[.parkedTotal] == UInt64(copies))
    }

    private final class ReaderState: Sendable {
        let stop = Atomic(false)
        let faults = Atomic(0)
        let rows = Atomic(0)
    }
}
