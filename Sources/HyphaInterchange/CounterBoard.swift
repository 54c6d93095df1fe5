public import HyphaPacket
import Synchronization

/// One worker's counters as other threads may read them: the worker copies its row here now and then.
///
/// Values are relaxed atomics: each one is whole, the row as a whole may be a turn apart.
public final class CounterBoard: Sendable {
    nonisolated(unsafe) private let values: UnsafeMutablePointer<Atomic<UInt64>>
    /// Packets waiting in the worker at the last copy: parked, queued, in the kernel.
    private let waiting = Atomic<UInt64>(0)

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
        for i in 0..<WorkerCounters.count { values[i].store(row[i], ordering: .relaxed) }
        waiting.store(UInt64(truncatingIfNeeded: count), ordering: .relaxed)
    }

    public func value(_ counter: Counter) -> UInt64 { values[counter.rawValue].load(ordering: .relaxed) }

    public func value(_ reason: DropReason) -> UInt64 {
        values[Counter.allCases.count + Int(reason.rawValue)].load(ordering: .relaxed)
    }

    public var waitingPackets: UInt64 { waiting.load(ordering: .relaxed) }
}
