public import HyphaPacket

/// The packet memory that all connections of one worker share, and how much of it they may hold: waiting frames and
/// half-received ones must leave enough for packets on their way. A handle: copies share the counts; single-threaded.
public struct StreamMemory {
    public let pool: PacketPool
    /// Slots that connections may hold together.
    public let slotLimit: Int
    /// Slabs that hold half-received long frames together.
    public let slabLimit: Int
    /// [0] slots held, [1] slabs held.
    private let held: UnsafeMutablePointer<Int>

    /// Most bytes of a frame that is assembled in a slot: headroom for headers that grow stays in front, room for tags
    /// behind.
    static let slotCapacity = PacketPool.slotSize - PacketPool.slabHeadroom - 64

    public init(pool: PacketPool, slotLimit: Int, slabLimit: Int) {
        self.pool = pool
        self.slotLimit = slotLimit
        self.slabLimit = slabLimit
        held = .allocate(capacity: 2)
        held.initialize(repeating: 0, count: 2)
    }

    public func deallocate() { held.deallocate() }

    public var slotsHeld: Int { held[0] }
    public var slabsHeld: Int { held[1] }

    /// Whether `count` more slots can be had.
    @inline(__always)
    func hasSlots(_ count: Int) -> Bool { held[0] &+ count <= slotLimit && pool.freeSlotCount >= count }

    @inline(__always)
    func takeSlot() -> UInt32? {
        guard held[0] < slotLimit, let slot = pool.takeSlot() else { return nil }
        held[0] &+= 1
        return slot
    }

    @inline(__always)
    func releaseSlot(_ slot: UInt32) {
        held[0] &-= 1
        pool.release(slot)
    }

    /// A buffer to assemble a frame of `length` bytes in; nil when there is none.
    func takeAssembly(length: Int) -> UInt32? {
        if length <= StreamMemory.slotCapacity { return takeSlot() }
        guard held[1] < slabLimit, let slab = pool.takeSlab() else { return nil }
        held[1] &+= 1
        return slab
    }

    /// The buffer leaves with a whole frame: its reference is the frame's now.
    func handOver(_ buffer: UInt32) {
        if Int(buffer) < pool.slabCount { held[1] &-= 1 } else { held[0] &-= 1 }
    }

    func releaseAssembly(_ buffer: UInt32) {
        handOver(buffer)
        pool.release(buffer)
    }
}
