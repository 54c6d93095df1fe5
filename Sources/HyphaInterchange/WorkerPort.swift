public import HyphaPacket
public import HyphaSession
import Synchronization

/// The rings, tables and cells between control and one worker. Made once at set-up; both ends hold it.
///
/// | ring | direction | record | capacity | when full |
/// |---|---|---|---|---|
/// | commands | control to worker | `WorkerCommand` | 4,096 | control keeps the rest for its next turn |
/// | injected | control to worker | 32 + 1,400 | 1,024 | control drops and retries by its timers; what is for TCP links waits |
/// | handshakes | worker to control | 32 + 168 | 1,024 | drop `puntFull` |
/// | punted | worker to control | 32 + 2,000 | 256 | drop `puntFull`; 64 are not for words of TCP links, which wait |
/// | notices | worker to control | `Notice` | 16,384 | the worker tells again at its next check |
public final class WorkerPort: Sendable {
    public let commands = SlotRing(capacity: 4_096, stride: MemoryLayout<WorkerCommand>.stride)
    public let injected = SlotRing(capacity: 1_024, stride: InjectedPacket.headSize + InjectedPacket.maxPacket)
    public let handshakes = SlotRing(capacity: 1_024, stride: PuntedPacket.headSize + PuntedPacket.maxHandshake)
    public let punted = SlotRing(capacity: 256, stride: PuntedPacket.headSize + PuntedPacket.maxPacket)
    public let notices = SlotRing(capacity: 16_384, stride: MemoryLayout<Notice>.stride)
    public let snapshots: SnapshotCell
    public let counters = CounterBoard()
    public let linkSessions: SessionTable
    public let flowSessions: SessionTable

    /// True while the worker sleeps in the kernel: whoever publishes to it then wakes it.
    private let workerSleeps = Atomic<Bool>(false)
    /// True while control sleeps.
    private let controlSleeps = Atomic<Bool>(false)

    public init(snapshot: ForwardingSnapshot, linkSessions: SessionTable, flowSessions: SessionTable) {
        snapshots = SnapshotCell(snapshot)
        self.linkSessions = linkSessions
        self.flowSessions = flowSessions
    }

    /// Worker: about to sleep. Look at the rings once more after this call, then sleep.
    public func workerGoesToSleep() { workerSleeps.store(true, ordering: .sequentiallyConsistent) }
    public func workerIsAwake() { workerSleeps.store(false, ordering: .sequentiallyConsistent) }
    /// Control, after publishing: true when it must wake the worker.
    public func takeWorkerSleep() -> Bool { workerSleeps.exchange(false, ordering: .sequentiallyConsistent) }

    public func controlGoesToSleep() { controlSleeps.store(true, ordering: .sequentiallyConsistent) }
    public func controlIsAwake() { controlSleeps.store(false, ordering: .sequentiallyConsistent) }
    /// Worker, after publishing: true when it must wake control.
    public func takeControlSleep() -> Bool { controlSleeps.exchange(false, ordering: .sequentiallyConsistent) }
}
