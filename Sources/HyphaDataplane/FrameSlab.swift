import HyphaPacket

/// The slab in which frames that enter the overlay here are built one behind the other, so that frames of one size for
/// one next hop are one stretch of memory.
///
/// Holds one reference on the slab at hand, and one on each full slab until the vector that points into it is done.
struct FrameSlab {
    /// Full slabs kept at most until `releaseFull`.
    static let maxFull = 4

    private let pool: PacketPool
    private let full: UnsafeMutablePointer<UInt32>
    private(set) var fullCount = 0
    private var buffer: UInt32 = .max
    private var cursor = 0

    init(pool: PacketPool) {
        self.pool = pool
        full = .allocate(capacity: FrameSlab.maxFull)
        full.initialize(repeating: 0, count: FrameSlab.maxFull)
    }

    func deallocate() { full.deallocate() }

    /// Room for a frame of `size` bytes: buffer and offset. Nil when no slab is free, or `maxFull` are full (run the
    /// vector, then `releaseFull`).
    @inline(__always)
    mutating func take(_ size: Int) -> (buffer: UInt32, offset: UInt32)? {
        if buffer == .max || cursor &+ size > PacketPool.slabHeadroom &+ PacketPool.slabCapacity {
            guard renew(size) else { return nil }
        }
        let offset = cursor
        cursor &+= size
        return (buffer, UInt32(truncatingIfNeeded: offset))
    }

    private mutating func renew(_ size: Int) -> Bool {
        guard size <= PacketPool.slabCapacity else { return false }
        if buffer != .max {
            guard fullCount < FrameSlab.maxFull else { return false }
            full[fullCount] = buffer
            fullCount += 1
            buffer = .max
        }
        guard let next = pool.takeSlab() else { return false }
        buffer = next
        cursor = PacketPool.slabHeadroom
        return true
    }

    /// Gives up the full slabs; call when no vector points into them. Starts the slab at hand again if nobody else
    /// holds it: its memory is the warmest there is.
    mutating func releaseFull() {
        for i in 0..<fullCount { pool.release(full[i]) }
        fullCount = 0
        if buffer != .max, pool.holders(buffer) == 1 { cursor = PacketPool.slabHeadroom }
    }
}
