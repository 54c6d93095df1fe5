/// All packet buffers of one worker: slabs for trains and slots for whatever waits.
///
/// | kind | size | index | for |
/// |---|---|---|---|
/// | slab | 65 KiB + 512: 128 headroom, 64 KiB, tail slack | 0 ..< slabs | receive rings, frames under construction |
/// | slot | 2 KiB | slabs ..< slabs + slots | parked packets, generated errors, injected packets |
///
/// A buffer is referenced by count: whoever holds it (receive ring, arrival under work, train in the kernel, parking
/// place) holds one reference. free + held = capacity always. A handle: copies share the memory; single-threaded.
@frozen
public struct PacketPool {
    /// Bytes of one slab.
    public static let slabSize = 66_560 + 512
    /// Bytes in front of a train in a slab: room for receive headers and for headers that grow.
    public static let slabHeadroom = 128
    /// Bytes of train that a slab holds behind its headroom, with slack left behind it for tags.
    public static let slabCapacity = 65_536
    /// Bytes of one slot.
    public static let slotSize = 2_048

    @usableFromInline let memory: UnsafeMutableRawPointer
    @usableFromInline let slotMemory: UnsafeMutableRawPointer
    public let slabCount: Int
    public let slotCount: Int
    @usableFromInline let references: UnsafeMutablePointer<UInt16>
    @usableFromInline let freeSlabs: UnsafeMutablePointer<UInt32>
    @usableFromInline let freeSlots: UnsafeMutablePointer<UInt32>
    /// [0] free slabs, [1] free slots.
    @usableFromInline let freeCounts: UnsafeMutablePointer<Int>

    /// Reserves the buffers; pages are touched when first used. Lives until `deallocate`.
    public init(slabs: Int, slots: Int) {
        slabCount = slabs
        slotCount = slots
        memory = .allocate(
            byteCount: slabs * PacketPool.slabSize + slots * PacketPool.slotSize, alignment: 4096)
        slotMemory = memory + slabs * PacketPool.slabSize
        references = .allocate(capacity: slabs + slots)
        references.initialize(repeating: 0, count: slabs + slots)
        freeSlabs = .allocate(capacity: max(1, slabs))
        freeSlots = .allocate(capacity: max(1, slots))
        freeCounts = .allocate(capacity: 2)
        for i in 0..<slabs { freeSlabs[i] = UInt32(slabs - 1 - i) }
        for i in 0..<slots { freeSlots[i] = UInt32(slabs + slots - 1 - i) }
        freeCounts[0] = slabs
        freeCounts[1] = slots
    }

    public func deallocate() {
        memory.deallocate()
        references.deallocate()
        freeSlabs.deallocate()
        freeSlots.deallocate()
        freeCounts.deallocate()
    }

    /// First byte of a buffer.
    @inlinable @inline(__always)
    public func base(_ buffer: UInt32) -> UnsafeMutableRawPointer {
        let i = Int(buffer)
        return i < slabCount
            ? memory + i &* PacketPool.slabSize : slotMemory + (i &- slabCount) &* PacketPool.slotSize
    }

    /// Size of a buffer in bytes.
    @inlinable @inline(__always)
    public func size(_ buffer: UInt32) -> Int {
        Int(buffer) < slabCount ? PacketPool.slabSize : PacketPool.slotSize
    }

    /// A free slab with one reference, most recently used first; nil when all are held.
    @inlinable
    public func takeSlab() -> UInt32? {
        guard freeCounts[0] > 0 else { return nil }
        freeCounts[0] &-= 1
        let buffer = freeSlabs[freeCounts[0]]
        references[Int(buffer)] = 1
        return buffer
    }

    /// A free slot with one reference; nil when all are held.
    @inlinable
    public func takeSlot() -> UInt32? {
        guard freeCounts[1] > 0 else { return nil }
        freeCounts[1] &-= 1
        let buffer = freeSlots[freeCounts[1]]
        references[Int(buffer)] = 1
        return buffer
    }

    /// One more holder.
    @inlinable @inline(__always)
    public func retain(_ buffer: UInt32) { references[Int(buffer)] &+= 1 }

    /// One holder less; the last one frees the buffer.
    @inlinable @inline(__always)
    public func release(_ buffer: UInt32) {
        let i = Int(buffer)
        assert(references[i] > 0, "buffer released twice")
        references[i] &-= 1
        if references[i] == 0 { free(buffer) }
    }

    /// Holders of a buffer.
    @inlinable @inline(__always)
    public func holders(_ buffer: UInt32) -> Int { Int(references[Int(buffer)]) }

    @usableFromInline
    func free(_ buffer: UInt32) {
        if Int(buffer) < slabCount {
            freeSlabs[freeCounts[0]] = buffer
            freeCounts[0] &+= 1
        } else {
            freeSlots[freeCounts[1]] = buffer
            freeCounts[1] &+= 1
        }
    }

    @inlinable public var freeSlabCount: Int { freeCounts[0] }
    @inlinable public var freeSlotCount: Int { freeCounts[1] }
    /// All memory of the pool, for the rim to advise the kernel about.
    public var region: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(
            start: memory, count: slabCount * PacketPool.slabSize + slotCount * PacketPool.slotSize)
    }
}
