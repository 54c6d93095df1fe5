public import HyphaBase

/// A record for prefixes without a fork between them: up to 56 bits of the address in one step.
///
/// | byte | bits | meaning |
/// |---|---|---|
/// | 0 | 0-7 | bits of the address behind the path, 0...127 |
/// | | 8-63 | the 56 bits of the path, zeros before bit 0 of the address |
/// | 8 | 32 | reference for an address with other bits: the next hop of the longest prefix around the path |
/// | 12 | 32 | reference for an address with these bits |
@frozen @usableFromInline
struct TriePath: BitwiseCopyable, Sendable {
    @usableFromInline let path: UInt64

    /// Most bits of one path.
    static var bitsMax: Int { 56 }

    /// The first `length` (1...128) bits of `address`, as far as the record holds them.
    init(_ address: IPv6Address, length: Int) {
        let behind = UInt64(truncatingIfNeeded: 128 &- length)
        path = TriePath.bits(of: address, dropping: behind) &<< 8 | behind
    }

    /// The low 64 bits of the address shifted right by the low seven bits of `count`.
    @inlinable @inline(__always)
    static func bits(of a: IPv6Address, dropping count: UInt64) -> UInt64 {
        // Prefixes are seldom longer than 64 bits, so this jump is foreseen and the lower half left alone.
        guard count & 64 == 0 else { return a.high &>> count }
        return a.low &>> count | (a.high &<< 1) &<< ~count
    }

    /// Whether `a` has the bits of the path.
    @inlinable @inline(__always)
    func matches(_ a: IPv6Address) -> Bool {
        (TriePath.bits(of: a, dropping: path) &<< 8) ^ path < 256
    }
}
