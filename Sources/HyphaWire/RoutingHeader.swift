public import HyphaBase

/// The overlay's header, 48 bytes in front of every body (docs/protocol.md, "Routing header"). Little-endian numbers.
///
/// | off | size | field |
/// |---|---|---|
/// | 0 | 1 | type in the high 4 bits, flags in the low (bit 0 full seal wanted, bit 1 loop probe) |
/// | 1 | 1 | hop limit |
/// | 2 | 2 | flow hash |
/// | 4 | 4 | end-to-end receiver index |
/// | 8 | 8 | end-to-end counter |
/// | 16 | 16 | source |
/// | 32 | 16 | destination |
public enum RoutingHeader {
    public static let size = 48
    public static let hopLimitOffset = 1
    public static let sourceOffset = 16
    public static let destinationOffset = 32
    /// The hop limit of packets that a node makes itself.
    public static let defaultHopLimit: UInt8 = 64

    /// What the body is.
    @frozen
    public enum Kind: UInt8, Sendable {
        case data = 0
        case initiation = 1
        case response = 2
        case cookie = 3
        case stock = 4
        case error = 5
    }

    /// The type field; nil for types 6 and above, which are dropped.
    @inlinable @inline(__always)
    public static func kind(_ bytes: UnsafeRawPointer) -> Kind? {
        Kind(rawValue: bytes.load(as: UInt8.self) &>> 4)
    }

    /// Flag bit 0: whoever sends it on seals the whole packet.
    @inlinable @inline(__always)
    public static func wantsFullSeal(_ bytes: UnsafeRawPointer) -> Bool { bytes.load(as: UInt8.self) & 1 != 0 }

    @inlinable @inline(__always)
    public static func hopLimit(_ bytes: UnsafeRawPointer) -> UInt8 { bytes.load(fromByteOffset: 1, as: UInt8.self) }

    @inlinable @inline(__always)
    public static func setHopLimit(_ bytes: UnsafeMutableRawPointer, _ value: UInt8) {
        bytes.storeBytes(of: value, toByteOffset: 1, as: UInt8.self)
    }

    @inlinable @inline(__always)
    public static func flowHash(_ bytes: UnsafeRawPointer) -> UInt16 {
        UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
    }

    @inlinable @inline(__always)
    public static func index(_ bytes: UnsafeRawPointer) -> UInt32 {
        UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
    }

    @inlinable @inline(__always)
    public static func counter(_ bytes: UnsafeRawPointer) -> UInt64 {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }

    @inlinable @inline(__always)
    public static func source(_ bytes: UnsafeRawPointer) -> IPv6Address { IPv6Address(loading: bytes + sourceOffset) }

    @inlinable @inline(__always)
    public static func destination(_ bytes: UnsafeRawPointer) -> IPv6Address {
        IPv6Address(loading: bytes + destinationOffset)
    }

    /// Writes all 48 bytes.
    @inlinable @inline(__always)
    public static func write(
        _ bytes: UnsafeMutableRawPointer, kind: Kind, flags: UInt8 = 0, hopLimit: UInt8, flowHash: UInt16,
        index: UInt32 = 0, counter: UInt64 = 0, source: IPv6Address, destination: IPv6Address
    ) {
        let first =
            UInt64(kind.rawValue &<< 4 | flags & 15) | UInt64(hopLimit) &<< 8 | UInt64(flowHash) &<< 16
            | UInt64(index) &<< 32
        bytes.storeBytes(of: first.littleEndian, as: UInt64.self)
        bytes.storeBytes(of: counter.littleEndian, toByteOffset: 8, as: UInt64.self)
        source.store(to: bytes + sourceOffset)
        destination.store(to: bytes + destinationOffset)
    }

    /// Writes the associated data of an end-to-end body: the header with flags and hop limit zero.
    @inlinable @inline(__always)
    public static func writeAssociatedData(_ bytes: UnsafeRawPointer, to ad: UnsafeMutableRawPointer) {
        ad.copyMemory(from: bytes, byteCount: size)
        let first = bytes.load(as: UInt8.self)
        ad.storeBytes(of: first & 0xF0, as: UInt8.self)
        ad.storeBytes(of: 0, toByteOffset: 1, as: UInt8.self)
    }
}
