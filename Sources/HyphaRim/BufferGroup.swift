internal import CUring
internal import HyphaPacket

/// Slabs lent to the kernel for one kind of receive: a ring of provided buffers. The buffer's id is the slab's number.
///
/// A handle: copies share the memory, except for `filled`.
struct BufferGroup {
    let ring: UnsafeMutablePointer<io_uring_buf_ring>
    let id: UInt16
    /// Buffers that the ring takes, a power of two.
    let capacity: Int
    /// Buffers lent at most.
    var limit: Int
    /// First byte of a slab that the kernel may write.
    let start: Int
    /// Bytes that it may write.
    let length: UInt32
    /// By slab: true while the kernel has it.
    private let lent: UnsafeMutablePointer<Bool>
    private let slabs: Int
    /// The buffers in the order in which the kernel uses them, and the place of each slab in that order. Twice as long as
    /// the ring: a completion may stand behind others whose buffers were used after its own, and as many as the ring holds
    /// may be lent again until it is seen.
    private let order: UnsafeMutablePointer<UInt16>
    private let places: UnsafeMutablePointer<UInt16>
    private var orderMask: Int { 2 &* capacity &- 1 }
    /// Place of the next buffer.
    private var tail = 0
    /// Buffers that the kernel has.
    private(set) var filled = 0
    /// Moving average of the bytes received in one buffer.
    private var averageLength = 1

    /// Bytes that one turn may receive before they push each other out of the core's cache: long trains come in few
    /// buffers at a time, single datagrams in many, which the stages then gather to trains.
    private static let workingSet = 256 << 10
    /// Buffers lent at least.
    private static let fewest = 4

    init(id: UInt16, capacity: Int, start: Int, length: Int, slabs: Int) {
        var size = 1
        while size < capacity { size *= 2 }
        self.capacity = size
        limit = size
        self.id = id
        self.start = start
        self.length = UInt32(length)
        self.slabs = slabs
        let bytes = size * MemoryLayout<io_uring_buf>.stride
        let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 4_096)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        ring = memory.bindMemory(to: io_uring_buf_ring.self, capacity: 1)
        io_uring_buf_ring_init(ring)
        lent = .allocate(capacity: max(1, slabs))
        lent.initialize(repeating: false, count: max(1, slabs))
        order = .allocate(capacity: 2 * size)
        order.initialize(repeating: 0, count: 2 * size)
        places = .allocate(capacity: max(1, slabs))
        places.initialize(repeating: 0, count: max(1, slabs))
    }

    func deallocate() {
        UnsafeMutableRawPointer(ring).deallocate()
        lent.deallocate()
        order.deallocate()
        places.deallocate()
    }

    /// Lends free slabs until the ring holds what suits the traffic, or only `reserve` are free.
    @inline(__always)
    mutating func refill(from pool: PacketPool, reserve: Int) {
        let wanted = min(limit, max(BufferGroup.fewest, BufferGroup.workingSet / averageLength))
        if filled < wanted && pool.freeSlabCount > reserve { lend(wanted, from: pool, reserve: reserve) }
    }

    @inline(never)
    private mutating func lend(_ wanted: Int, from pool: PacketPool, reserve: Int) {
        let mask = Int32(capacity - 1)
        var added: Int32 = 0
        while filled < wanted, pool.freeSlabCount > reserve, let slab = pool.takeSlab() {
            io_uring_buf_ring_add(ring, pool.base(slab) + start, length, UInt16(truncatingIfNeeded: slab), mask, added)
            lent[Int(slab)] = true
            order[tail] = UInt16(truncatingIfNeeded: slab)
            places[Int(slab)] = UInt16(truncatingIfNeeded: tail)
            tail = (tail &+ 1) & orderMask
            added &+= 1
            filled &+= 1
        }
        io_uring_buf_ring_advance(ring, added)
    }

    /// Buffers that a receive of `count` bytes fills, one at least.
    @inline(__always)
    func buffers(for count: Int) -> Int { max(1, (count &+ Int(length) &- 1) / Int(length)) }

    /// The buffer that the kernel uses after this one. Known until it was used, and as many as the ring holds after it.
    @inline(__always)
    func next(after slab: UInt32) -> UInt32 {
        UInt32(order[(Int(places[Int(slab)]) &+ 1) & orderMask])
    }

    /// Notes the length of a receive, at least 1.
    @inline(__always)
    mutating func note(length: Int) {
        averageLength = max(1, averageLength &+ (length &- averageLength) / 8)
    }

    /// The kernel has used this buffer: its reference now belongs to the caller.
    @inline(__always)
    mutating func takeBack(_ slab: UInt32) {
        lent[Int(slab)] = false
        filled &-= 1
    }

    /// After the ring is gone: returns what the kernel never used.
    mutating func releaseAll(to pool: PacketPool) {
        for slab in 0..<slabs where lent[slab] {
            takeBack(UInt32(slab))
            pool.release(UInt32(slab))
        }
    }
}
