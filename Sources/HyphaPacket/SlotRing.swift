public import Synchronization

/// A fixed-size ring of fixed-size records between exactly one producer and one consumer thread; no locks.
///
/// | off | content |
/// |---|---|
/// | 0 | head: records consumed (written by the consumer) |
/// | 128 | tail: records published (written by the producer) |
/// | 256 | capacity x stride bytes of records |
///
/// Head and tail lie 128 bytes apart, so that the two threads never share a cache line (adjacent-line prefetch
/// included). Each side keeps a copy of the other's position and reads it again only when the ring seems full or empty.
public final class SlotRing: Sendable {
    nonisolated(unsafe) let memory: UnsafeMutableRawPointer
    /// Records, a power of two.
    public let capacity: Int
    /// Bytes of one record, a multiple of 8.
    public let stride: Int

    /// `capacity` is rounded up to a power of two, `stride` to a multiple of 8.
    public init(capacity: Int, stride: Int) {
        var size = 2
        while size < capacity { size *= 2 }
        self.capacity = size
        self.stride = (stride + 7) & ~7
        memory = .allocate(byteCount: 256 + size * self.stride, alignment: 128)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: 256)
        memory.bindMemory(to: Atomic<UInt64>.self, capacity: 1).initialize(to: Atomic(0))
        (memory + 128).bindMemory(to: Atomic<UInt64>.self, capacity: 1).initialize(to: Atomic(0))
    }

    deinit { memory.deallocate() }

    /// The producing end. Call once.
    public func makeProducer() -> RingProducer { RingProducer(self) }
    /// The consuming end. Call once.
    public func makeConsumer() -> RingConsumer { RingConsumer(self) }
}

/// The end that writes records. Used by one thread.
public struct RingProducer: ~Copyable, @unchecked Sendable {
    let ring: SlotRing
    @usableFromInline let head: UnsafeMutablePointer<Atomic<UInt64>>
    @usableFromInline let tail: UnsafeMutablePointer<Atomic<UInt64>>
    @usableFromInline let slots: UnsafeMutableRawPointer
    @usableFromInline let mask: UInt64
    @usableFromInline let stride: Int
    @usableFromInline var position: UInt64 = 0
    @usableFromInline var published: UInt64 = 0
    @usableFromInline var seenHead: UInt64 = 0

    init(_ ring: SlotRing) {
        self.ring = ring
        head = ring.memory.assumingMemoryBound(to: Atomic<UInt64>.self)
        tail = (ring.memory + 128).assumingMemoryBound(to: Atomic<UInt64>.self)
        slots = ring.memory + 256
        mask = UInt64(ring.capacity - 1)
        stride = ring.stride
    }

    /// The next free record to fill, nil when the ring is full. Follow with `advance`.
    @inlinable
    public mutating func reserve() -> UnsafeMutableRawPointer? {
        if position &- seenHead > mask {
            seenHead = head.pointee.load(ordering: .acquiring)
            if position &- seenHead > mask { return nil }
        }
        return slots + Int(truncatingIfNeeded: position & mask) &* stride
    }

    /// The same, but nil already when filling it would leave less than `spare` records free.
    @inlinable
    public mutating func reserve(leaving spare: Int) -> UnsafeMutableRawPointer? {
        let last = mask &- UInt64(truncatingIfNeeded: spare)
        if position &- seenHead > last {
            seenHead = head.pointee.load(ordering: .acquiring)
            if position &- seenHead > last { return nil }
        }
        return slots + Int(truncatingIfNeeded: position & mask) &* stride
    }

    /// Counts the reserved record as filled; it becomes visible with `publish`.
    @inlinable @inline(__always)
    public mutating func advance() { position &+= 1 }

    /// Makes all filled records visible to the consumer; true when there were any.
    @inlinable
    @discardableResult
    public mutating func publish() -> Bool {
        guard position != published else { return false }
        published = position
        tail.pointee.store(position, ordering: .releasing)
        return true
    }
}

/// The end that reads records. Used by one thread.
public struct RingConsumer: ~Copyable, @unchecked Sendable {
    let ring: SlotRing
    @usableFromInline let head: UnsafeMutablePointer<Atomic<UInt64>>
    @usableFromInline let tail: UnsafeMutablePointer<Atomic<UInt64>>
    @usableFromInline let slots: UnsafeMutableRawPointer
    @usableFromInline let mask: UInt64
    @usableFromInline let stride: Int
    @usableFromInline var position: UInt64 = 0
    @usableFromInline var released: UInt64 = 0
    @usableFromInline var seenTail: UInt64 = 0

    init(_ ring: SlotRing) {
        self.ring = ring
        head = ring.memory.assumingMemoryBound(to: Atomic<UInt64>.self)
        tail = (ring.memory + 128).assumingMemoryBound(to: Atomic<UInt64>.self)
        slots = ring.memory + 256
        mask = UInt64(ring.capacity - 1)
        stride = ring.stride
    }

    /// The oldest unread record, nil when the ring is empty. Valid until `release`.
    @inlinable
    public mutating func peek() -> UnsafeMutableRawPointer? {
        if position == seenTail {
            seenTail = tail.pointee.load(ordering: .acquiring)
            if position == seenTail { return nil }
        }
        return slots + Int(truncatingIfNeeded: position & mask) &* stride
    }

    /// Counts the peeked record as read.
    @inlinable @inline(__always)
    public mutating func advance() { position &+= 1 }

    /// Gives all read records back to the producer.
    @inlinable
    public mutating func release() {
        guard position != released else { return }
        released = position
        head.pointee.store(position, ordering: .releasing)
    }

    /// True when nothing waits. Reads the producer's position.
    @inlinable
    public mutating func isEmpty() -> Bool {
        if position != seenTail { return false }
        seenTail = tail.pointee.load(ordering: .acquiring)
        return position == seenTail
    }
}
