/// The one reader that parses wire bytes: every access is checked against the end, nothing traps.
///
/// Little-endian by default, as HL1 is; network order where the name says so. A failed read returns nil and leaves the
/// position where it was.
@frozen
public struct ByteReader {
    @usableFromInline let bytes: UnsafeRawBufferPointer
    @usableFromInline var position: Int = 0

    /// Reads from `bytes`, which must outlive the reader.
    @inlinable @inline(__always)
    public init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// Bytes not yet read.
    @inlinable @inline(__always)
    public var remaining: Int { bytes.count &- position }

    @inlinable
    public mutating func uint8() -> UInt8? { load(UInt8.self) }
    @inlinable
    public mutating func uint16() -> UInt16? { load(UInt16.self).map(UInt16.init(littleEndian:)) }
    @inlinable
    public mutating func uint32() -> UInt32? { load(UInt32.self).map(UInt32.init(littleEndian:)) }
    @inlinable
    public mutating func uint64() -> UInt64? { load(UInt64.self).map(UInt64.init(littleEndian:)) }
    @inlinable
    public mutating func networkUInt16() -> UInt16? { load(UInt16.self).map(UInt16.init(bigEndian:)) }
    @inlinable
    public mutating func networkUInt32() -> UInt32? { load(UInt32.self).map(UInt32.init(bigEndian:)) }

    @inlinable
    public mutating func networkUInt64() -> UInt64? { load(UInt64.self).map(UInt64.init(bigEndian:)) }

    /// The next `count` bytes, nil when fewer are left or `count` is negative.
    @inlinable
    public mutating func take(_ count: Int) -> UnsafeRawBufferPointer? {
        guard count >= 0, count <= remaining else { return nil }
        let part = UnsafeRawBufferPointer(rebasing: bytes[position..<(position &+ count)])
        position &+= count
        return part
    }

    @inlinable @inline(__always)
    mutating func load<T: BitwiseCopyable>(_ type: T.Type) -> T? {
        guard MemoryLayout<T>.size <= remaining else { return nil }
        let value = bytes.loadUnaligned(fromByteOffset: position, as: T.self)
        position &+= MemoryLayout<T>.size
        return value
    }
}
