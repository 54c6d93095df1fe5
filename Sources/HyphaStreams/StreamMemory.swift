public import HyphaPacket

/// The packet memory that all connections of one worker share, and how much of it they may hold: waiting frames and
/// half-received ones must leave enough for packets on their way. A handle: copies share the counts; single-threaded.
public struct StreamMemory {
    public let pool: PacketPool
    /// Slots that waiting frames of all connections may hold.
    public let queueSlots: Int
    /// Slots that half-received frames may hold: a budget of its own, so that peers that read slowly cost nobody the frames
    /// that others send. One per connection is enough.
    public let assemblySlots: Int
    /// Slabs that half-received long frames may hold.
    public let assemblySlabs: Int
    /// [0] slots of waiting frames, [1] slots and [2] slabs of half-received ones.
    private let held: UnsafeMutablePointer<Int>

    /// Most bytes of a frame that is assembled in a slot: headroom for headers that grow stays in front, room for tags
    /// behind.
    static let slotCapacity = PacketPool.slotSize - PacketPool.slabHeadroom - 64

    public init(pool: PacketPool, queueSlots: Int, assemblySlots: Int, assemblySlabs: Int) {
        self.pool = pool
        self.queueSlots = queueSlots
        self.assemblySlots = assemblySlots
        self.assemblySlabs = assemblySlabs
        held = .allocate(capacity: 3)
        held.initialize(repeating: 0, count: 3)
    }

    public func deallocate() { held.deallocate() }

    /// Slots held, by waiting and by half-received frames.
    public var slotsHeld: Int { held[0] &+ held[1] }
    public var slabsHeld: Int { held[2] }

    // MARK: waiting frames

    /// Whether `count` more slots can be had.
    @inline(__always)
    func hasSlots(_ count: Int) -> Bool { held[0] &+ count <= queueSlots && pool.freeSlotCount >= count }

    @inline(__always)
    func takeSlot() -> UInt32? {
        guard held[0] < queueSlots, let slot = pool.takeSlot() else { return nil }
        held[0] &+= 1
        return slot
    }

    @inline(__always)
    func releaseSlot(_ slot: UInt32) {
        held[0] &-= 1
        pool.release(slot)
    }

    // MARK: half-received frames

    /// A buffer to assemble a frame of `length` bytes in; nil when there is none.
    func takeAssembly(length: Int) -> UInt32? {
        let isSlot = length <= StreamMemory.slotCapacity
        guard isSlot ? held[1] < assemblySlots : held[2] < assemblySlabs,
            let buffer = isSlot ? pool.takeSlot() : pool.takeSlab()
        else { return nil }
        held[isSlot ? 1 : 2] &+= 1
        return buffer
    }

    /// The buffer leaves with a whole frame: its reference is the frame's now.
    func handOver(_ buffer: UInt32) { held[Int(buffer) < pool.slabCount ? 2 : 1] &-= 1 }

    func releaseAssembly(_ buffer: UInt32) {
        handOver(buffer)
        pool.release(buffer)
    }
}
