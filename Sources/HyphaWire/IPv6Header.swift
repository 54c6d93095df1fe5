public import HyphaBase

/// The fixed IPv6 header (RFC 8200 section 3), 40 bytes, network order.
///
/// | off | size | field |
/// |---|---|---|
/// | 0 | 4 | version 6, traffic class, flow label |
/// | 4 | 2 | payload length |
/// | 6 | 1 | next header |
/// | 7 | 1 | hop limit |
/// | 8 | 16 | source |
/// | 24 | 16 | destination |
public enum IPv6Header {
    public static let size = 40

    /// True when `length` bytes at `packet` are one whole IPv6 packet: version 6 and a payload length that fits exactly.
    @inlinable @inline(__always)
    public static func isWellFormed(_ packet: UnsafeRawPointer, length: Int) -> Bool {
        length >= size && packet.load(as: UInt8.self) &>> 4 == 6
            && Int(UInt16(bigEndian: packet.loadUnaligned(fromByteOffset: 4, as: UInt16.self))) == length &- size
    }

    @inlinable @inline(__always)
    public static func nextHeader(_ packet: UnsafeRawPointer) -> UInt8 {
        packet.load(fromByteOffset: 6, as: UInt8.self)
    }

    @inlinable @inline(__always)
    public static func hopLimit(_ packet: UnsafeRawPointer) -> UInt8 { packet.load(fromByteOffset: 7, as: UInt8.self) }

    @inlinable @inline(__always)
    public static func source(_ packet: UnsafeRawPointer) -> IPv6Address { IPv6Address(loading: packet + 8) }

    @inlinable @inline(__always)
    public static func destination(_ packet: UnsafeRawPointer) -> IPv6Address { IPv6Address(loading: packet + 24) }

    /// A 16-bit hash of addresses, flow label, next header and, for TCP and UDP, ports: the same for all packets of a
    /// flow, different enough between flows. `length` bytes at `packet`, at least 40.
    @inlinable @inline(__always)
    public static func flowHash(_ packet: UnsafeRawPointer, length: Int) -> UInt16 {
        let label = packet.loadUnaligned(as: UInt32.self) & UInt32(0x000F_FFFF).bigEndian
        var h = UInt64(label) | UInt64(nextHeader(packet)) &<< 32
        let proto = nextHeader(packet)
        if (proto == 6 || proto == 17) && length >= 44 {
            h ^= UInt64(packet.loadUnaligned(fromByteOffset: 40, as: UInt32.self)) &<< 16
        }
        // Hosts often differ in their last bytes only, which are the highest here: the result is taken from the top.
        h ^= packet.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
        h &*= 0x9E37_79B9_7F4A_7C15
        h ^= h &>> 32
        h ^= packet.loadUnaligned(fromByteOffset: 32, as: UInt64.self)
        h &*= 0xD6E8_FEB8_6659_FD93
        return UInt16(truncatingIfNeeded: h &>> 48)
    }
}
