/// Where a lookup goes on, or its result. All zero bits: the result is next hop 0.
///
/// | bit 31 | bits 0-30 |
/// |---|---|
/// | 0 | the lookup is over: next hop index, below 2^24 |
/// | 1 | where the next record begins, in words of 4 bytes |
@frozen @usableFromInline
struct TrieReference: BitwiseCopyable, Equatable, Sendable {
    @usableFromInline let bits: UInt32

    init(nextHop: Int) { bits = UInt32(truncatingIfNeeded: nextHop) & 0xFF_FFFF }

    init(record: Int) { bits = UInt32(truncatingIfNeeded: record) | 0x8000_0000 }

    @inlinable @inline(__always)
    var isRecord: Bool { bits &>> 31 != 0 }

    /// 1 for a record, else 0: counts without a branch.
    @inlinable @inline(__always)
    var recordCount: Int { Int(bits &>> 31) }

    /// Bytes from the start of the words.
    @inlinable @inline(__always)
    var recordOffset: Int { Int(bits &<< 1) &<< 1 }

    @inlinable @inline(__always)
    var nextHop: Int { Int(bits) }
}
