/// Where a lookup goes on, or its result.
///
/// | bits | meaning |
/// |---|---|
/// | 31 | a branch follows |
/// | 30 | a path follows |
/// | 0-29 | with one of them: where the record begins, in units of 8 bytes; else the result, a next hop index |
@frozen @usableFromInline
struct TrieReference: BitwiseCopyable, Equatable, Sendable {
    @usableFromInline let bits: UInt32

    /// The end of a lookup.
    init(nextHop: Int) { bits = UInt32(truncatingIfNeeded: nextHop) & 0x3FFF_FFFF }

    init(branch: Int) { bits = UInt32(truncatingIfNeeded: branch) | 0x8000_0000 }

    init(path: Int) { bits = UInt32(truncatingIfNeeded: path) | 0x4000_0000 }

    @inlinable @inline(__always)
    var isNextHop: Bool { bits &>> 30 == 0 }

    @inlinable @inline(__always)
    var isBranch: Bool { bits &>> 31 != 0 }

    /// 1 for a branch, else 0: counts without a jump.
    @inlinable @inline(__always)
    var branchCount: Int { Int(bits &>> 31) }

    /// 1 for a path, else 0.
    @inlinable @inline(__always)
    var pathCount: Int { Int(bits &>> 30 & 1) }

    /// Where the record begins, bytes.
    @inlinable @inline(__always)
    var offset: Int { Int(bits &<< 2) &<< 1 }

    @inlinable @inline(__always)
    var nextHop: Int { Int(bits) }
}
