public import HyphaFIB
import Synchronization

/// Hands the newest `ForwardingSnapshot` from control to one worker; reclaims old ones when the worker has moved on
/// (quiescent-state-based reclamation).
///
/// The worker says before each turn that it holds nothing from earlier turns, and takes the newest snapshot without
/// reference counting. While it sleeps it is offline and holds nothing at all. Control keeps a replaced snapshot until
/// the worker has announced a newer generation or is offline.
public final class SnapshotCell: Sendable {
    /// What the worker reads: made by control, never changed.
    struct Published {
        let generation: UInt64
        let view: FIBView
    }

    /// Address of the newest `Published`.
    private let current: Atomic<UInt>
    /// Generation that the worker holds; 0 while it is choosing; max while offline.
    private let held = Atomic<UInt64>(.max)

    public init(_ snapshot: ForwardingSnapshot) {
        let first = UnsafeMutablePointer<Published>.allocate(capacity: 1)
        first.initialize(to: Published(generation: 1, view: snapshot.fib.view))
        current = Atomic(UInt(bitPattern: first))
    }

    deinit {
        SnapshotCell.free(current.load(ordering: .acquiring))
    }

    /// Worker, at the top of a turn: gives up what it held and takes the newest. Valid until the next call or
    /// `goOffline`.
    public func take() -> FIBView {
        // Order matters: control must see "choosing" before the worker can load a pointer.
        held.store(0, ordering: .sequentiallyConsistent)
        // Never zero: the cell is made with a snapshot and only ever gets others.
        let address = current.load(ordering: .sequentiallyConsistent)
        let published = UnsafePointer<Published>(bitPattern: address).unsafelyUnwrapped
        held.store(published.pointee.generation, ordering: .releasing)
        return published.pointee.view
    }

    /// Worker, before it sleeps: it holds nothing.
    public func goOffline() { held.store(.max, ordering: .releasing) }

    /// Control: replaces the newest. Returns the address and generation of the one replaced, to be freed later.
    fileprivate func publish(_ view: FIBView, generation: UInt64) -> UInt {
        let next = UnsafeMutablePointer<Published>.allocate(capacity: 1)
        next.initialize(to: Published(generation: generation, view: view))
        return current.exchange(UInt(bitPattern: next), ordering: .sequentiallyConsistent)
    }

    /// Control: true when the worker can no longer read a snapshot of `generation`.
    fileprivate func hasLeft(_ generation: UInt64) -> Bool {
        let now = held.load(ordering: .sequentiallyConsistent)
        return now != 0 && now > generation
    }

    fileprivate static func free(_ address: UInt) {
        UnsafeMutablePointer<Published>(bitPattern: address)?.deallocate()
    }
}

/// Control's end: publishes to all workers and keeps what they may still read, at most `maxRetired` snapshots.
public struct SnapshotPublisher: Sendable {
    private struct Retired: Sendable {
        let snapshot: ForwardingSnapshot
        let generation: UInt64
        let addresses: [UInt]
    }

    private let cells: [SnapshotCell]
    private var newest: ForwardingSnapshot
    private var generation: UInt64 = 1
    private var retired: [Retired] = []

    /// Replaced snapshots kept at most; with as many the next publication waits.
    public static let maxRetired = 8

    public init(cells: [SnapshotCell], first: ForwardingSnapshot) {
        self.cells = cells
        newest = first
    }

    /// Replaces the snapshot of every worker. False when too many old ones are still in use: keep the change and try
    /// again later.
    public mutating func publish(_ snapshot: ForwardingSnapshot) -> Bool {
        reclaim()
        guard retired.count < SnapshotPublisher.maxRetired else { return false }
        let old = newest
        let oldGeneration = generation
        generation &+= 1
        let addresses = cells.map { $0.publish(snapshot.fib.view, generation: generation) }
        newest = snapshot
        retired.append(Retired(snapshot: old, generation: oldGeneration, addresses: addresses))
        reclaim()
        return true
    }

    /// Frees what no worker reads any more.
    public mutating func reclaim() {
        retired.removeAll { entry in
            guard cells.allSatisfy({ $0.hasLeft(entry.generation) }) else { return false }
            for address in entry.addresses { SnapshotCell.free(address) }
            return true
        }
    }

    /// Replaced snapshots still kept.
    public var retiredCount: Int { retired.count }
}
