internal import CAEAD
internal import HyphaBase
internal import HyphaDataplane
internal import HyphaInterchange
internal import HyphaPacket
internal import HyphaRim
internal import Synchronization

/// What a forwarding thread owns, and its loop: turn after turn while there is work, then sleep in the kernel.
struct WorkerThread: ~Copyable {
    /// What other threads may ask of it.
    final class Handle: Sendable {
        fileprivate let failure = Mutex<String?>(nil)

        /// Why the thread ended before it was told to; nil while all is well.
        var error: String? { failure.withLock { $0 } }
    }

    private var worker: Worker
    private var io: WorkerIO
    private let pool: PacketPool
    private let counters: WorkerCounters
    private let aead: OpaquePointer
    private let port: WorkerPort
    private let controlWake: Wake
    private let handle: Handle

    init(
        _ configuration: WorkerConfiguration, io: consuming WorkerIO, pool: PacketPool, counters: WorkerCounters,
        port: WorkerPort, controlWake: Wake, handle: Handle
    ) {
        self.worker = Worker(configuration, port: port, pool: pool, counters: counters)
        self.io = io
        self.pool = pool
        self.counters = counters
        aead = configuration.aead
        self.port = port
        self.controlWake = controlWake
        self.handle = handle
    }

    deinit {
        caead_context_destroy(aead)
        counters.deallocate()
    }

    /// The thread's whole life; returns when control has drained it.
    mutating func run() {
        do throws(RimError) {
            try io.start()
        } catch {
            handle.failure.withLock { $0 = error.description }
            controlWake.signal()
            return
        }
        while !worker.isDrained {
            let result = worker.turn(&io, now: SystemClock.now())
            if result.mustWakeControl { controlWake.signal() }
            if result.isBusy || worker.isDrained { continue }
            guard worker.prepareToSleep() else { continue }
            let deadline = worker.nextDeadline
            io.wait(until: deadline == .distantFuture ? nil : deadline)
            worker.wakeUp()
        }
        io.shutdown()
        port.counters.copy(counters, waiting: 0)
        controlWake.signal()
    }
}
