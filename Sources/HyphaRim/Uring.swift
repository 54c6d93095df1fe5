internal import CKernel
internal import CUring
internal import Glibc

/// One io_uring, for one thread. Everything but `open` belongs to the thread that calls `enable`.
///
/// Set up with IORING_SETUP_SINGLE_ISSUER | DEFER_TASKRUN (completions are made only when this thread enters the
/// kernel, never by interrupting it) and TASKRUN_FLAG (a look at memory tells whether entering would bring any).
/// The wait count is always 1: with deferred task work a larger one never wakes for multishot requests.
struct Uring: ~Copyable {
    let ring: UnsafeMutablePointer<io_uring>
    /// One receive may fill several provided buffers.
    let hasBundles: Bool
    private var isOpen = true

    private init(_ ring: UnsafeMutablePointer<io_uring>, hasBundles: Bool) {
        self.ring = ring
        self.hasBundles = hasBundles
    }

    /// IORING_FEAT_RECVSEND_BUNDLE and IORING_RECVSEND_BUNDLE (Linux 6.10); liburing's header may be older.
    private static let bundleFeature: UInt32 = 1 << 14
    static let bundleFlag: UInt16 = 1 << 4

    deinit {
        if isOpen { io_uring_queue_exit(ring) }
        ring.deallocate()
    }

    /// Gives the ring back to the kernel; nothing but the deinitializer may follow.
    mutating func close() {
        if isOpen { io_uring_queue_exit(ring) }
        isOpen = false
    }

    /// A disabled ring with room for `entries` requests and `completions` completions.
    static func open(entries: UInt32, completions: UInt32) throws(RimError) -> Uring {
        let ring = UnsafeMutablePointer<io_uring>.allocate(capacity: 1)
        ring.initialize(to: io_uring())
        var parameters = io_uring_params()
        parameters.flags =
            UInt32(IORING_SETUP_CQSIZE) | UInt32(IORING_SETUP_SINGLE_ISSUER) | UInt32(IORING_SETUP_DEFER_TASKRUN)
            | UInt32(IORING_SETUP_TASKRUN_FLAG) | UInt32(IORING_SETUP_R_DISABLED)
        parameters.cq_entries = completions
        let code = io_uring_queue_init_params(entries, ring, &parameters)
        guard code >= 0 else {
            ring.deallocate()
            throw unavailable(-code)
        }
        // Linux 6.15 goes on behind a buffer that it has not filled: bytes would be lost.
        let isSound = KernelRelease.version >= (6, 16)
        return Uring(ring, hasBundles: isSound && parameters.features & bundleFeature != 0)
    }

    /// The one line that explains a refused ring.
    static func unavailable(_ code: Int32) -> RimError {
        let release = KernelRelease.current
        let (major, minor) = KernelRelease.version
        let why =
            switch code {
            case ENOSYS:
                "the kernel (\(release)) has no io_uring, or a container's seccomp profile hides it: "
                    + "run Linux 6.1 or newer, and allow io_uring_setup, io_uring_enter and io_uring_register in the profile"
            case EPERM, EACCES:
                "io_uring is forbidden here: set sysctl kernel.io_uring_disabled=0, and allow io_uring_setup, "
                    + "io_uring_enter and io_uring_register in the container's seccomp profile"
            case EINVAL where (major, minor) < (6, 1):
                "the io_uring of Linux \(release) lacks IORING_SETUP_DEFER_TASKRUN: run Linux 6.1 or newer"
            case ENOMEM:
                "io_uring got no memory: raise the limit of locked memory (ulimit -l, LimitMEMLOCK) or of the container"
            case EMFILE, ENFILE:
                "no file descriptor is left for io_uring: raise the limit of open files (ulimit -n, LimitNOFILE)"
            default:
                "io_uring_setup: \(RimError.text(code)) on Linux \(release); Linux 6.1 or newer is needed"
            }
        return RimError(.ringUnavailable, why)
    }

    /// True when the kernel knows the operation.
    func supports(_ operation: Int32) -> Bool {
        guard let probe = io_uring_get_probe_ring(ring) else { return false }
        defer { io_uring_free_probe(probe) }
        return io_uring_opcode_supported(probe, operation) != 0
    }

    /// Binds the ring to the calling thread and starts it. Returns 0 or -errno.
    func enable() -> Int32 {
        // Not `io_uring_enable_rings`: the shared library of liburing 2.3 does not export it.
        let code = io_uring_register(
            UInt32(bitPattern: ring.pointee.ring_fd), UInt32(IORING_REGISTER_ENABLE_RINGS), nil, 0)
        // Saves the descriptor look-up of every enter; the ring works without it.
        if code >= 0 { io_uring_register_ring_fd(ring) }
        return code
    }

    /// Registers a ring of `entries` (a power of two) provided buffers. Returns 0 or -errno.
    func registerBuffers(_ buffers: UnsafeMutablePointer<io_uring_buf_ring>, entries: Int, group: UInt16) -> Int32 {
        var registration = io_uring_buf_reg()
        registration.ring_addr = UInt64(UInt(bitPattern: buffers))
        registration.ring_entries = UInt32(entries)
        registration.bgid = group
        return io_uring_register_buf_ring(ring, &registration, 0)
    }

    // MARK: Requests

    /// A request to fill in; nil when the queue is full even after a submit.
    @inline(__always)
    func request() -> UnsafeMutablePointer<io_uring_sqe>? {
        if let entry = io_uring_get_sqe(ring) { return entry }
        return requestAfterSubmit()
    }

    @inline(never)
    private func requestAfterSubmit() -> UnsafeMutablePointer<io_uring_sqe>? {
        io_uring_submit(ring)
        return io_uring_get_sqe(ring)
    }

    /// True when `count` requests fit, after a submit if need be.
    func makeRoom(_ count: Int) -> Bool {
        if Int(io_uring_sq_space_left(ring)) < count { io_uring_submit(ring) }
        return Int(io_uring_sq_space_left(ring)) >= count
    }

    /// Requests not handed over yet.
    @inline(__always)
    var pending: Bool { io_uring_sq_ready(ring) != 0 }

    /// Hands all requests over and lets the kernel make completions, in one call; never blocks.
    func submitAndReap() { io_uring_submit_and_get_events(ring) }

    /// As `submitAndReap`, then sleeps until there is a completion, or for `nanoseconds`; nil is no limit.
    func submitAndWait(nanoseconds: UInt64?) {
        guard let nanoseconds else {
            io_uring_submit_and_wait(ring, 1)
            return
        }
        var limit = __kernel_timespec()
        limit.tv_sec = Int64(clamping: nanoseconds / 1_000_000_000)
        limit.tv_nsec = Int64(nanoseconds % 1_000_000_000)
        var first: UnsafeMutablePointer<io_uring_cqe>?
        io_uring_submit_and_wait_timeout(ring, &first, 1, &limit, nil)
    }

    /// Hands all requests over and returns the result of the one with this tag, which must be one that never waits: it is
    /// complete when the kernel returns. Its completion then means nothing any more. Nil when the kernel did not complete
    /// it.
    @inline(__always)
    func submitAndTake(_ tag: UInt64, then meaningless: UInt64) -> Int32? {
        io_uring_submit(ring)
        // Completions that wait for this thread to enter the kernel differently are not made here, so it is the newest or
        // near it.
        var i = ready
        while i > 0 {
            i &-= 1
            let completion = completion(i)
            if completion.pointee.user_data == tag {
                completion.pointee.user_data = meaningless
                return completion.pointee.res
            }
        }
        return nil
    }

    /// True when the completions of all requests at hand and `count` more have room.
    @inline(__always)
    func hasCompletionRoom(_ count: UInt32) -> Bool {
        ready &+ io_uring_sq_ready(ring) &+ count < ring.pointee.cq.ring_entries
    }

    // MARK: Completions

    /// Completions ready to be read.
    @inline(__always)
    var ready: UInt32 { io_uring_cq_ready(ring) }

    /// True when entering the kernel would bring completions.
    @inline(__always)
    var hasDeferredWork: Bool {
        chy_load_relaxed(ring.pointee.sq.kflags) & UInt32(IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW) != 0
    }

    /// The completion `index` places behind the oldest; valid until `advance`.
    @inline(__always)
    func completion(_ index: UInt32) -> UnsafeMutablePointer<io_uring_cqe> {
        let head = ring.pointee.cq.khead.pointee
        return ring.pointee.cq.cqes + Int((head &+ index) & ring.pointee.cq.ring_mask)
    }

    /// Gives the oldest `count` completions back.
    @inline(__always)
    func advance(_ count: UInt32) { io_uring_cq_advance(ring, count) }
}
