public import HyphaPacket
import Synchronization

/// One worker's counters as other threads may read them: the worker copies its row here now and then.
///
/// A sequence number around the copy lets a reader see whole rows only, so that the conservation law holds in them.
public final class CounterBoard: Sendable {
    /// A whole row at one moment.
    public struct Row: Sendable {
        fileprivate let values: [UInt64]
        /// Packets waiting in the worker: parked, queued, in the kernel.
        public let waiting: UInt64

        public subscript(counter: Counter) -> UInt64 { values[counter.rawValue] }
        public subscript(reason: DropReason) -> UInt64 { values[Counter.allCases.count + Int(reason.rawValue)] }

        /// Sum over all drop reasons.
        public var dropped: UInt64 { values[Counter.allCases.count...].reduce(0, &+) }
    }

    nonisolated(unsafe) private let values: UnsafeMutablePointer<Atomic<UInt64>>
    private let waiting = Atomic<UInt64>(0)
    /// Odd while a copy is under way.
    private let version = Atomic<UInt64>(0)

    public init() {
        values = .allocate(capacity: WorkerCounters.count)
        for i in 0..<WorkerCounters.count { (values + i).initialize(to: Atomic(0)) }
    }

    deinit {
        values.deinitialize(count: WorkerCounters.count)
        values.deallocate()
    }

    /// Copies a worker's row; called by that worker only.
    public func copy(_ counters: WorkerCounters, waiting count: Int) {
        let row = counters.row
        let start = version.load(ordering: .relaxed)
        version.store(start &+ 1, ordering: .relaxed)
        atomicMemoryFence(ordering: .releasing)
        for i in 0..<WorkerCounters.count { values[i].store(row[i], ordering: .relaxed) }
        waiting.store(UInt64(truncatingIfNeeded: count), ordering: .relaxed)
        version.store(start &+ 2, ordering: .releasing)
    }

    /// The newest whole row. Any thread.
    public func snapshot() -> Row {
        while true {
            let before = version.load(ordering: .acquiring)
            let row = (0..<WorkerCounters.count).map { values[$0].load(ordering: .relaxed) }
            let count = waiting.load(ordering: .relaxed)
            atomicMemoryFence(ordering: .acquiring)
            if before & 1 == 0, version.load(ordering: .relaxed) == before { return Row(values: row, waiting: count) }
        }
    }
}
