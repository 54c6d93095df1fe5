public import HyphaBase
public import HyphaPacket

/// A worker's packets in and out: its UDP sockets, its TUN queue and its TCP connections on one io_uring.
///
/// Opened on any thread, so that errors reach whoever starts the node; then moved to the worker's thread, which calls
/// `start` and everything after it. Nothing is allocated after `open`. Every turn ends with `submit` or `wait`.
///
/// It counts what leaves: `sent`, `sentBytes`, `trainsSent`, `delivered`, `deliveredBytes` (without virtio headers),
/// `tunWrites`, `waits`, and the drop reasons `sendFailed`, `tunFailed` and `shutdown`. Of streams it counts written
/// bytes (`sentBytes`) and `connectionsRefused`. What arrives is counted by whoever takes it.
public struct WorkerIO: ~Copyable, PacketIO, StreamIO, @unchecked Sendable {
    /// What one worker works with.
    public struct Options {
        /// `Train.socket` and `Arrival.socket` are indices into this list. At most 64.
        public var sockets: [UDPSocket]
        /// TCP connections are accepted from these; `accepted` names the index. At most 64.
        public var listeners: [TCPListener] = []
        public var tun: TunDevice?
        /// The TUN queue that is this worker's.
        public var tunQueue = 0
        public var pool: PacketPool
        public var counters: WorkerCounters
        /// Wakes the worker out of `wait`.
        public var wake: Wake
        public var offload: OffloadStatus
        /// Where the worker notes what it finds out while running.
        public var changes: OffloadChanges
        /// Slabs lent to the kernel at most, for the sockets and for the TUN; rounded up to powers of two. Long trains
        /// are received into fewer of them, so that a turn stays in the core's cache.
        public var udpBuffers = 32
        public var tunBuffers = 8
        /// Likewise for all TCP connections together: a connection holds one only while its bytes are being taken.
        /// At most `WorkerIO.leastArrivals` for receives that fill several at once.
        public var streamBuffers = 16
        /// TCP connections at most, 0 for none; what comes in above is reset. 4,096 suits: memory for one is touched when
        /// it is first needed.
        public var maxConnections = 0
        /// Milliseconds until a dial is given up.
        public var connectMilliseconds: UInt64 = 5_000
        /// Sends under way at most.
        public var sendSlots = 512

        public init(
            sockets: [UDPSocket], tun: TunDevice? = nil, pool: PacketPool, counters: WorkerCounters, wake: Wake,
            offload: OffloadStatus, changes: OffloadChanges = OffloadChanges()
        ) {
            self.sockets = sockets
            self.tun = tun
            self.pool = pool
            self.counters = counters
            self.wake = wake
            self.offload = offload
            self.changes = changes
        }
    }

    private let state: UnsafeMutablePointer<WorkerRing>

    private init(_ state: UnsafeMutablePointer<WorkerRing>) { self.state = state }

    deinit {
        state.pointee.shutdown()
        state.deinitialize(count: 1)
        state.deallocate()
    }

    /// Sets up the ring, its buffers and its slots. Nothing is received before `start`.
    public static func open(_ options: Options) throws(RimError) -> WorkerIO {
        let ring = try WorkerRing.open(options)
        let state = UnsafeMutablePointer<WorkerRing>.allocate(capacity: 1)
        state.initialize(to: ring)
        return WorkerIO(state)
    }

    /// Binds the ring to the calling thread, which must make all later calls, and starts receiving.
    public mutating func start() throws(RimError) { try state.pointee.start() }

    /// Arrivals that a `receive` must have room for: all buffers that one receive of a connection may fill.
    public static let leastArrivals = 16

    /// `arrivals`: room for `leastArrivals` at least.
    public mutating func receive(into arrivals: UnsafeMutableBufferPointer<Arrival>) -> Int {
        state.pointee.receive(into: arrivals)
    }

    public mutating func transmit(_ train: borrowing Train) -> Bool { state.pointee.transmit(train) }

    public mutating func deliver(_ train: borrowing Train) -> Bool { state.pointee.deliver(train) }

    public mutating func takeConnectionEvents(into events: UnsafeMutableBufferPointer<ConnectionEvent>) -> Int {
        state.pointee.takeConnectionEvents(into: events)
    }

    public mutating func connect(to address: SocketAddress) -> UInt32? { state.pointee.connect(to: address) }

    public mutating func write(_ connection: UInt32, _ pieces: UnsafeBufferPointer<Train.Piece>) -> Bool {
        state.pointee.write(connection, pieces)
    }

    public mutating func offer(_ connection: UInt32, _ pieces: UnsafeBufferPointer<Train.Piece>) -> Int {
        state.pointee.offer(connection, pieces)
    }

    public mutating func pauseReceive(_ connection: UInt32) { state.pointee.pauseReceive(connection) }

    public mutating func resumeReceive(_ connection: UInt32) { state.pointee.resumeReceive(connection) }

    public mutating func limitUnsent(_ connection: UInt32, _ bytes: Int) {
        state.pointee.limitUnsent(connection, bytes)
    }

    public mutating func close(_ connection: UInt32, reset: Bool) { state.pointee.close(connection, reset: reset) }

    public func roundTripTime(_ connection: UInt32) -> UInt32? { state.pointee.roundTripTime(connection) }
    public func leastRoundTripTime(_ connection: UInt32) -> UInt32? { state.pointee.leastRoundTripTime(connection) }

    public var inFlight: Int { state.pointee.inFlight }

    public var hasTun: Bool { state.pointee.tunQueue >= 0 }

    public mutating func submit() { state.pointee.submit() }

    /// Hands everything queued over and sleeps until something is to be received or taken back, `Wake.signal` is
    /// called, or `deadline` is reached (nil is no limit). Returns at once when there is something already.
    public mutating func wait(until deadline: Instant?) { state.pointee.wait(until: deadline) }

    /// Most datagrams that leave in one send: 128, 64 on older kernels, 1 without UDP_SEGMENT.
    public var segmentLimit: Int { Int(state.pointee.segmentLimit) }

    /// Errno of the last refused send or TUN write, 0 when there was none.
    public var lastSendError: Int32 { state.pointee.lastSendError }

    /// Cancels what is under way, takes everything back and closes the ring: all references are released then, and
    /// packets not sent count as dropped with `shutdown`. Connections end with FIN. On the worker's thread; further calls do nothing.
    public mutating func shutdown() { state.pointee.shutdown() }
}
