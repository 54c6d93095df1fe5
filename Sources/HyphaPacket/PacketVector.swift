/// A fixed-capacity group of packets that moves through the stages together.
///
/// A handle: copies share the memory. Owned by one worker.
@frozen
public struct PacketVector {
    /// Packets in a full vector.
    public static let capacity = 256

    @usableFromInline let storage: UnsafeMutablePointer<Descriptor>
    public var count = 0

    public init() {
        storage = .allocate(capacity: PacketVector.capacity)
        storage.initialize(
            repeating: Descriptor(buffer: 0, offset: 0, length: 0), count: PacketVector.capacity)
    }

    public func deallocate() { storage.deallocate() }

    /// Room left.
    @inlinable @inline(__always)
    public var isFull: Bool { count == PacketVector.capacity }

    /// Appends; the caller has checked `isFull`.
    @inlinable @inline(__always)
    public mutating func append(_ descriptor: Descriptor) {
        guard count < PacketVector.capacity else { return }
        storage[count] = descriptor
        count &+= 1
    }

    @inlinable @inline(__always)
    public mutating func removeAll() { count = 0 }

    /// The packets, by pointer: valid until `deallocate`.
    @inlinable @inline(__always)
    public var packets: UnsafeMutablePointer<Descriptor> { storage }
}
