internal import CKernel
internal import CUring
internal import Glibc
internal import HyphaBase
internal import HyphaPacket

/// The state behind `WorkerIO`.
///
/// A slab lent for a UDP receive (the kernel writes from 20 on, so that the datagram starts at the pool's headroom):
///
/// | off | size | content |
/// |---|---|---|
/// | 20 | 16 | `io_uring_recvmsg_out` |
/// | 36 | 28 | sender |
/// | 64 | 64 | control messages |
/// | 128 | 65,536 | datagram or train |
///
/// A slab lent for a TUN read:
///
/// | off | size | content |
/// |---|---|---|
/// | 118 | 10 | virtio header |
/// | 128 | 65,536 | packet or super-packet |
///
/// A slab lent for a stream holds up to 65,536 bytes from 128 on.
///
/// A completion's user data is its kind in the top byte and a socket, slot or listener number or connection id below.
struct WorkerRing: ~Copyable {
    static let nameSize = 28
    static let controlSize = 64
    static let receiveHeader = 16 + nameSize + controlSize
    static let virtioHeader = 10

    enum Kind {
        static let udp: UInt64 = 1
        static let tun: UInt64 = 2
        static let send: UInt64 = 3
        static let wake: UInt64 = 4
        static let cancel: UInt64 = 5
        static let accept: UInt64 = 6
        static let connect: UInt64 = 7
        static let streamReceive: UInt64 = 8
        static let streamWrite: UInt64 = 9
        /// The pause after a failed accept.
        static let retry: UInt64 = 10
        /// A write that does not wait; its completion is taken at once.
        static let streamOffer: UInt64 = 12
        /// Nothing is to be done: time limits, and cancellations of single requests.
        static let none: UInt64 = 11
    }

    /// Failed receives in a row after which a socket or the TUN is given up.
    static let maxFailures: Int32 = 16

    /// A listener as the worker accepts from it.
    struct Listener {
        var descriptor: Int32
        /// A request of ours waits in the kernel.
        var isArmed = false
        /// The last accept failed, for want of descriptors most likely: the next follows when the pause is over.
        var pauses = false
    }

    /// One socket or the TUN queue as the worker reads it.
    struct Source {
        var descriptor: Int32 = -1
        var isIPv4 = false
        /// A request of ours waits in the kernel.
        var isArmed = false
        var failures: Int32 = 0
        /// Given up.
        var isLost = false
    }

    var uring: Uring
    let pool: PacketPool
    let counters: WorkerCounters
    let changes: OffloadChanges
    // They own the descriptors.
    let socketOwners: [UDPSocket]
    let listenerOwners: [TCPListener]
    let tunOwner: TunDevice?
    let wakeOwner: Wake

    let sources: UnsafeMutablePointer<Source>
    let sourceCount: Int
    var tun = Source()
    let listeners: UnsafeMutablePointer<Listener>
    let listenerCount: Int
    /// Says where the kernel puts what it receives: lengths of name and control messages.
    let receiveShape: UnsafeMutablePointer<msghdr>
    let wakeCount: UnsafeMutablePointer<UInt64>
    var isWakeArmed = false

    var udpGroup: BufferGroup
    var tunGroup: BufferGroup
    var streamGroup: BufferGroup
    /// Slabs that are never lent, so that the stages can build trains.
    let reserve: Int
    var slots: SendSlots
    var connections: ConnectionTable
    /// [0] how long a dial may take, [1] the pause after a failed accept.
    let times: UnsafeMutablePointer<__kernel_timespec>
    var isRetryArmed = false

    var inFlight = 0
    var segmentLimit: Int32
    var readsMultishot: Bool
    var receivesBundles = false
    var lastSendError: Int32 = 0
    /// `start` has run, `shutdown` has not.
    var isRunning = false
    var isClosed = false
    var isCancelling = false

    var tunQueue: Int32 { tun.isLost ? -1 : tun.descriptor }

    private init(
        uring: consuming Uring, options: WorkerIO.Options, sources: UnsafeMutablePointer<Source>,
        listeners: UnsafeMutablePointer<Listener>, receiveShape: UnsafeMutablePointer<msghdr>,
        groups: (udp: BufferGroup, tun: BufferGroup, stream: BufferGroup), tunQueue: Int32
    ) {
        self.uring = uring
        pool = options.pool
        counters = options.counters
        changes = options.changes
        socketOwners = options.sockets
        listenerOwners = options.listeners
        tunOwner = options.tun
        wakeOwner = options.wake
        self.sources = sources
        sourceCount = options.sockets.count
        self.listeners = listeners
        listenerCount = options.listeners.count
        tun.descriptor = tunQueue
        self.receiveShape = receiveShape
        wakeCount = .allocate(capacity: 1)
        wakeCount.initialize(to: 0)
        reserve = min(8, options.pool.slabCount / 8)
        udpGroup = groups.udp
        tunGroup = groups.tun
        streamGroup = groups.stream
        slots = SendSlots(capacity: max(1, options.sendSlots))
        connections = ConnectionTable(capacity: options.maxConnections)
        times = .allocate(capacity: 2)
        times.initialize(repeating: __kernel_timespec(), count: 2)
        times[0].tv_sec = Int64(options.connectMilliseconds / 1_000)
        times[0].tv_nsec = Int64(options.connectMilliseconds % 1_000) * 1_000_000
        times[1].tv_nsec = 100_000_000
        segmentLimit = Int32(clamping: max(1, min(options.offload.segmentLimit, Train.maxPackets)))
        readsMultishot = options.offload.multishotRead.isOn
        shareSlabs()
        // One completion may fill as many arrivals as there are buffers.
        receivesBundles = options.offload.receiveBundles.isOn && streamGroup.limit <= WorkerIO.leastArrivals
    }

    /// What one kind of receive is lent and does not use is lost to the others: when all may not have what they ask for,
    /// each gets its part.
    private mutating func shareSlabs() {
        if sourceCount == 0 { udpGroup.limit = 0 }
        if tun.descriptor < 0 { tunGroup.limit = 0 }
        if connections.capacity == 0 { streamGroup.limit = 0 }
        let asked = udpGroup.limit + tunGroup.limit + streamGroup.limit
        let usable = pool.slabCount - reserve
        guard connections.capacity > 0, asked > usable else { return }
        udpGroup.limit = (udpGroup.limit * usable + asked - 1) / asked
        tunGroup.limit = (tunGroup.limit * usable + asked - 1) / asked
        streamGroup.limit = streamGroup.limit * usable / asked
    }

    deinit {
        sources.deallocate()
        listeners.deallocate()
        receiveShape.deallocate()
        wakeCount.deallocate()
        udpGroup.deallocate()
        tunGroup.deallocate()
        streamGroup.deallocate()
        slots.deallocate()
        connections.deallocate()
        times.deallocate()
    }

    static func open(_ options: WorkerIO.Options) throws(RimError) -> WorkerRing {
        guard options.sockets.count <= 64 else {
            throw RimError(.system, "a worker takes at most 64 UDP sockets: listen on fewer addresses")
        }
        guard options.pool.slabCount <= Int(UInt16.max) else {
            throw RimError(.system, "a worker's pool takes at most 65535 slabs: lower limits.memory")
        }
        guard options.listeners.count <= 64 else {
            throw RimError(.system, "a worker takes at most 64 TCP listeners: listen on fewer addresses")
        }
        guard (0...Int(UInt16.max)).contains(options.maxConnections) else {
            throw RimError(.system, "a worker takes at most 65535 TCP connections")
        }
        var tunQueue: Int32 = -1
        if let tun = options.tun {
            guard tun.queues.indices.contains(options.tunQueue) else {
                throw RimError(
                    .system, "TUN device \(tun.name) has no queue \(options.tunQueue): open one for each worker")
            }
            tunQueue = tun.queues[options.tunQueue]
        }
        let uring = try Uring.open(entries: 1_024, completions: 4_096)
        let slabs = options.pool.slabCount
        let udpGroup = BufferGroup(
            id: 0, capacity: options.udpBuffers, start: PacketPool.slabHeadroom - receiveHeader,
            length: receiveHeader + PacketPool.slabCapacity, slabs: slabs)
        let tunGroup = BufferGroup(
            id: 1, capacity: options.tunBuffers, start: PacketPool.slabHeadroom - virtioHeader,
            length: virtioHeader + PacketPool.slabCapacity, slabs: slabs)
        let streamGroup = BufferGroup(
            id: 2, capacity: options.streamBuffers, start: PacketPool.slabHeadroom, length: PacketPool.slabCapacity,
            slabs: slabs)
        var code: Int32 = 0
        for group in [udpGroup, tunGroup, streamGroup] where code >= 0 {
            code = uring.registerBuffers(group.ring, entries: group.capacity, group: group.id)
        }
        guard code >= 0 else {
            udpGroup.deallocate()
            tunGroup.deallocate()
            streamGroup.deallocate()
            throw RimError(
                .ringUnavailable,
                "io_uring refuses provided buffer rings (\(RimError.text(-code))): run Linux 6.1 or newer")
        }
        let sources = UnsafeMutablePointer<Source>.allocate(capacity: max(1, options.sockets.count))
        for (i, socket) in options.sockets.enumerated() {
            (sources + i).initialize(to: Source(descriptor: socket.descriptor, isIPv4: socket.isIPv4))
        }
        let listeners = UnsafeMutablePointer<Listener>.allocate(capacity: max(1, options.listeners.count))
        for (i, listener) in options.listeners.enumerated() {
            (listeners + i).initialize(to: Listener(descriptor: listener.descriptor))
        }
        let receiveShape = UnsafeMutablePointer<msghdr>.allocate(capacity: 1)
        receiveShape.initialize(to: msghdr())
        receiveShape.pointee.msg_namelen = UInt32(nameSize)
        receiveShape.pointee.msg_controllen = controlSize
        Memory.adviseHugePages(options.pool.region)
        return WorkerRing(
            uring: uring, options: options, sources: sources, listeners: listeners, receiveShape: receiveShape,
            groups: (udpGroup, tunGroup, streamGroup), tunQueue: tunQueue)
    }

    mutating func start() throws(RimError) {
        let code = uring.enable()
        guard code >= 0 else {
            throw RimError(.ringUnavailable, "cannot start io_uring: \(RimError.text(-code))")
        }
        isRunning = true
        prepare()
        uring.submitAndReap()
    }

    // MARK: Turns

    /// Lends free slabs and asks for receives where none is under way.
    @inline(__always)
    mutating func prepare() {
        udpGroup.refill(from: pool, reserve: reserve)
        if tun.descriptor >= 0 { tunGroup.refill(from: pool, reserve: reserve) }
        if connections.count > 0 { streamGroup.refill(from: pool, reserve: reserve) }
        arm()
    }

    @inline(__always)
    private mutating func arm() {
        if udpGroup.filled > 0 {
            for i in 0..<sourceCount where !sources[i].isArmed && !sources[i].isLost { armSocket(i) }
        }
        if !tun.isArmed && tun.descriptor >= 0 && !tun.isLost && tunGroup.filled > 0 { armTun() }
        if !isWakeArmed { armWake() }
        for i in 0..<listenerCount where !listeners[i].isArmed && !listeners[i].pauses { armListener(i) }
        if !connections.receiveLine.isEmpty { armStreams() }
    }

    @inline(never)
    private mutating func armSocket(_ socket: Int) {
        guard let request = uring.request() else { return }
        io_uring_prep_recvmsg_multishot(request, sources[socket].descriptor, receiveShape, 0)
        request.pointee.flags = 1 << UInt8(IOSQE_BUFFER_SELECT_BIT)
        request.pointee.buf_group = udpGroup.id
        request.pointee.user_data = Kind.udp << 56 | UInt64(socket)
        sources[socket].isArmed = true
    }

    @inline(never)
    private mutating func armTun() {
        guard let request = uring.request() else { return }
        let operation = readsMultishot ? OffloadStatus.readMultishotOpcode : Int32(IORING_OP_READ.rawValue)
        let length = readsMultishot ? 0 : tunGroup.length
        // Offset -1: the TUN has no position.
        io_uring_prep_rw(operation, request, tun.descriptor, nil, length, .max)
        request.pointee.flags = 1 << UInt8(IOSQE_BUFFER_SELECT_BIT)
        request.pointee.buf_group = tunGroup.id
        request.pointee.user_data = Kind.tun << 56
        tun.isArmed = true
    }

    @inline(never)
    private mutating func armWake() {
        guard let request = uring.request() else { return }
        io_uring_prep_rw(
            Int32(IORING_OP_READ.rawValue), request, wakeOwner.descriptor, wakeCount,
            UInt32(MemoryLayout<UInt64>.size), 0)
        request.pointee.user_data = Kind.wake << 56
        isWakeArmed = true
    }

    mutating func submit() {
        guard isRunning else { return }
        prepare()
        if uring.pending { uring.submitAndReap() }
    }

    mutating func wait(until deadline: Instant?) {
        guard isRunning else { return }
        prepare()
        // Receives that more buffers than there were at once are asked for, and events, do not wait for the kernel.
        let hasWork = !connections.eventLine.isEmpty || (!connections.receiveLine.isEmpty && streamGroup.filled > 0)
        if hasWork || uring.ready > 0 {
            if uring.pending { uring.submitAndReap() }
            return
        }
        var limit: UInt64?
        if let deadline { limit = deadline.nanoseconds(since: SystemClock.now()) }
        if limit == 0 {
            uring.submitAndReap()
            return
        }
        counters.add(.waits)
        uring.submitAndWait(nanoseconds: limit)
    }

    // MARK: End

    /// Requests of ours in the kernel.
    private var isBusy: Bool {
        if tun.isArmed || isWakeArmed || isCancelling || slots.freeCount < slots.capacity { return true }
        for i in 0..<sourceCount where sources[i].isArmed { return true }
        for i in 0..<listenerCount where listeners[i].isArmed { return true }
        return isRetryArmed || hasOpenConnections
    }

    mutating func shutdown() {
        guard !isClosed else { return }
        isClosed = true
        if isRunning {
            isRunning = false
            endConnections()
            if let request = uring.request() {
                io_uring_prep_cancel64(request, 0, Int32(IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_ANY))
                request.pointee.user_data = Kind.cancel << 56
                isCancelling = true
            }
            // One second at most: a kernel that does not answer must not keep the node from ending.
            let limit = SystemClock.now().advanced(byMilliseconds: 1_000)
            while isBusy && SystemClock.now() < limit {
                uring.submitAndWait(nanoseconds: 100_000_000)
                let ready = uring.ready
                for i in 0..<ready { discard(uring.completion(i)) }
                uring.advance(ready)
            }
        }
        uring.close()
        closeConnections()
        udpGroup.releaseAll(to: pool)
        tunGroup.releaseAll(to: pool)
        streamGroup.releaseAll(to: pool)
    }

    /// A completion after the last turn: nobody takes arrivals any more.
    private mutating func discard(_ completion: UnsafeMutablePointer<io_uring_cqe>) {
        let kind = completion.pointee.user_data >> 56
        let flags = completion.pointee.flags
        let isLast = flags & UInt32(IORING_CQE_F_MORE) == 0
        let hasBuffer = flags & UInt32(IORING_CQE_F_BUFFER) != 0
        let slab = flags >> 16
        switch kind {
        case Kind.udp:
            if hasBuffer {
                udpGroup.takeBack(slab)
                pool.release(slab)
            }
            if isLast { sources[socketNumber(completion)].isArmed = false }
        case Kind.tun:
            if hasBuffer {
                tunGroup.takeBack(slab)
                pool.release(slab)
            }
            if isLast { tun.isArmed = false }
        case Kind.send:
            finishSend(slotNumber(completion), completion.pointee.res)
        case Kind.wake:
            isWakeArmed = false
        case Kind.cancel:
            isCancelling = false
        default:
            _ = finishStream(completion, into: UnsafeMutableBufferPointer(start: nil, count: 0))
        }
    }
}
