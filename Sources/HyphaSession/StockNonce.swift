/// The nonce of a stock body: 12 bytes that receivers only read. Ours are unique by construction.
///
/// | off | size | field |
/// |---|---|---|
/// | 0 | 8 | prefix, drawn at random by a worker |
/// | 8 | 4 | counter of that worker under that prefix |
@frozen
public struct StockNonce: Equatable, BitwiseCopyable, Sendable {
    public static let size = 12
    /// The first 8 bytes, little-endian.
    public var prefix: UInt64
    /// The last 4 bytes, little-endian.
    public var counter: UInt32

    @inlinable @inline(__always)
    public init(prefix: UInt64, counter: UInt32) {
        self.prefix = prefix
        self.counter = counter
    }

    /// Reads 12 bytes, any alignment.
    @inlinable @inline(__always)
    public init(loading bytes: UnsafeRawPointer) {
        prefix = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
        counter = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
    }

    /// Writes 12 bytes, any alignment.
    @inlinable @inline(__always)
    public func store(to bytes: UnsafeMutableRawPointer) {
        bytes.storeBytes(of: prefix.littleEndian, as: UInt64.self)
        bytes.storeBytes(of: counter.littleEndian, toByteOffset: 8, as: UInt32.self)
    }
}
