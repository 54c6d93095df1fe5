/// The Internet checksum (RFC 1071) as sums of 32-bit words in memory order; byte order does not matter to the result.
public enum Checksum {
    /// Adds `count` bytes to a running sum. The sum cannot overflow below 2^31 bytes.
    @inlinable
    public static func add(_ bytes: UnsafeRawPointer, count: Int, to sum: UInt64 = 0) -> UInt64 {
        var total = sum
        var p = bytes
        var left = count
        while left >= 64 {
            // Eight independent loads, which the compiler turns into vector adds.
            for i in 0..<8 {
                let word = p.loadUnaligned(fromByteOffset: 8 &* i, as: UInt64.self)
                total &+= (word & 0xFFFF_FFFF) &+ (word &>> 32)
            }
            p += 64
            left &-= 64
        }
        while left >= 4 {
            total &+= UInt64(p.loadUnaligned(as: UInt32.self))
            p += 4
            left &-= 4
        }
        if left > 0 {
            var word: UInt32 = 0
            for i in 0..<left {
                word |= UInt32(p.load(fromByteOffset: i, as: UInt8.self)) &<< UInt32(8 &* i)
            }
            total &+= UInt64(UInt32(littleEndian: word))
        }
        return total
    }

    /// Folds a sum to 16 bits, in memory order.
    @inlinable @inline(__always)
    public static func fold(_ sum: UInt64) -> UInt16 {
        var s = (sum & 0xFFFF_FFFF) &+ (sum &>> 32)
        s = (s & 0xFFFF) &+ (s &>> 16)
        s = (s & 0xFFFF) &+ (s &>> 16)
        s = (s & 0xFFFF) &+ (s &>> 16)
        return UInt16(truncatingIfNeeded: s)
    }

    /// The pseudo-header sum of RFC 8200 section 8.1: addresses at `ipv6` + 8, upper-layer length, next header.
    @inlinable @inline(__always)
    public static func pseudoHeader(ipv6: UnsafeRawPointer, length: Int, nextHeader: UInt8) -> UInt64 {
        add(ipv6 + 8, count: 32)
            &+ UInt64(UInt32(truncatingIfNeeded: length).bigEndian) &+ UInt64(UInt32(nextHeader).bigEndian)
    }
}
