import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaWire
import Synchronization
import Testing

/// Snapshots reach workers and are freed when no worker can read them, never earlier.
struct SnapshotTests {
    static let prefixes = (0..<40 as Range<UInt64>).map {
        Prefix(IPv6Address(high: 0x0400_0000_0000_0000 | $0 << 40, low: 0), length: 24 + Int($0))
    }

    /// A table in which every prefix leads to the link `number`.
    static func snapshot(_ number: UInt32) -> ForwardingSnapshot {
        var builder = FIBBuilder()
        for prefix in prefixes { builder.insert(prefix, NextHop(kind: .link, link: number)) }
        return ForwardingSnapshot(fib: builder.build())
    }

    static func number(_ view: FIBView) -> UInt32 { view.lookup(prefixes[0].address).link }

    @Test func newestIsTaken() {
        let first = SnapshotTests.snapshot(1)
        let cell = SnapshotCell(first)
        var publisher = SnapshotPublisher(cells: [cell], first: first)
        #expect(SnapshotTests.number(cell.take()) == 1)
        for i in 2..<40 as Range<UInt32> {
            let isPublished = publisher.publish(SnapshotTests.snapshot(i))
            #expect(isPublished)
            #expect(SnapshotTests.number(cell.take()) == i)
        }
    }

    /// What a worker holds lives until it takes another one.
    @Test func heldUntilTheNextTake() {
        weak var old: ForwardingSnapshot?
        let cell: SnapshotCell
        var publisher: SnapshotPublisher
        do {
            let first = SnapshotTests.snapshot(1)
            old = first
            cell = SnapshotCell(first)
            publisher = SnapshotPublisher(cells: [cell], first: first)
        }
        let view = cell.take()
        let isPublished = publisher.publish(SnapshotTests.snapshot(2))
        #expect(isPublished)
        publisher.reclaim()
        #expect(old != nil && publisher.retiredCount == 1)
        #expect(SnapshotTests.number(view) == 1)
        _ = cell.take()
        publisher.reclaim()
        #expect(old == nil && publisher.retiredCount == 0)
    }

    @Test func offlineHoldsNothing() {
        weak var old: ForwardingSnapshot?
        let cell: SnapshotCell
        var publisher: SnapshotPublisher
        do {
            let first = SnapshotTests.snapshot(1)
            old = first
            cell = SnapshotCell(first)
            publisher = SnapshotPublisher(cells: [cell], first: first)
        }
        _ = cell.take()
        cell.goOffline()
        let isPublished = publisher.publish(SnapshotTests.snapshot(2))
        #expect(isPublished && old == nil && publisher.retiredCount == 0)
        // Many while it sleeps: none is kept.
        for i in 3..<100 as Range<UInt32> {
            let isPublished = publisher.publish(SnapshotTests.snapshot(i))
            #expect(isPublished && publisher.retiredCount == 0)
        }
        #expect(SnapshotTests.number(cell.take()) == 99)
    }

    /// A worker that does not move on keeps a bounded number of them, and publishing waits.
    @Test func bounded() {
        let first = SnapshotTests.snapshot(1)
        let cell = SnapshotCell(first)
        var publisher = SnapshotPublisher(cells: [cell], first: first)
        let view = cell.take()
        for i in 0..<8 as Range<UInt32> {
            let isPublished = publisher.publish(SnapshotTests.snapshot(i + 2))
            #expect(isPublished)
        }
        #expect(SnapshotPublisher.maxRetired == 8 && publisher.retiredCount == 8)
        for _ in 0..<3 {
            let isPublished = publisher.publish(SnapshotTests.snapshot(77))
            #expect(!isPublished && publisher.retiredCount == 8)
        }
        #expect(SnapshotTests.number(view) == 1)
        // The refused one was not made visible.
        #expect(SnapshotTests.number(cell.take()) == 9)
        let isPublished = publisher.publish(SnapshotTests.snapshot(10))
        #expect(isPublished && publisher.retiredCount == 1)
        #expect(SnapshotTests.number(cell.take()) == 10)
    }

    /// The slowest worker decides.
    @Test func everyWorker() {
        let first = SnapshotTests.snapshot(1)
        let cells = (0..<3).map { _ in SnapshotCell(first) }
        var publisher = SnapshotPublisher(cells: cells, first: first)
        let views = cells.map { $0.take() }
        var isPublished = publisher.publish(SnapshotTests.snapshot(2))
        _ = cells[0].take()
        cells[1].goOffline()
        publisher.reclaim()
        #expect(isPublished && publisher.retiredCount == 1)
        #expect(SnapshotTests.number(views[2]) == 1)
        isPublished = publisher.publish(SnapshotTests.snapshot(3))
        #expect(isPublished && publisher.retiredCount == 2)
        _ = cells[2].take()
        publisher.reclaim()
        // The first still reads number 2.
        #expect(publisher.retiredCount == 1)
        _ = cells[0].take()
        publisher.reclaim()
        #expect(publisher.retiredCount == 0)
        #expect(cells.map { SnapshotTests.number($0.take()) } == [3, 3, 3])
    }

    /// A reader that looks all prefixes up sees one table whole, however fast tables come and go.
    @Test func readerAndPublisher() {
        let first = SnapshotTests.snapshot(1)
        let cells = [SnapshotCell(first), SnapshotCell(first)]
        var publisher = SnapshotPublisher(cells: cells, first: first)
        let state = ReaderState()
        let threads = cells.enumerated().map { i, cell in
            OtherThread { SnapshotTests.read(cell, maySleep: i == 1, state) }
        }
        var published: UInt32 = 1
        while published < 1_000 || state.turns.load(ordering: .relaxed) < 1_000
            || state.sleeps.load(ordering: .relaxed) < 20
        {
            if publisher.publish(SnapshotTests.snapshot(published + 1)) { published += 1 }
            if publisher.retiredCount > SnapshotPublisher.maxRetired { state.faults.add(1, ordering: .relaxed) }
        }
        state.stop.store(true, ordering: .relaxed)
        for thread in threads { thread.join() }
        #expect(state.faults.load(ordering: .relaxed) == 0)
    }

    private final class ReaderState: Sendable {
        let stop = Atomic(false)
        /// Tables that were not whole, or older than one seen before.
        let faults = Atomic(0)
        let turns = Atomic(0)
        let sleeps = Atomic(0)
    }

    private static func read(_ cell: SnapshotCell, maySleep: Bool, _ state: ReaderState) {
        var last: UInt32 = 0
        while !state.stop.load(ordering: .relaxed) {
            let view = cell.take()
            let number = number(view)
            for prefix in prefixes where view.lookup(prefix.lastAddress).link != number {
                state.faults.add(1, ordering: .relaxed)
            }
            if number < last { state.faults.add(1, ordering: .relaxed) }
            last = number
            let turn = state.turns.add(1, ordering: .relaxed).newValue
            if maySleep, turn % 3 == 0 {
                cell.goOffline()
                state.sleeps.add(1, ordering: .relaxed)
            }
        }
    }
}
