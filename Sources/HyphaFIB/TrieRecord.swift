public import HyphaBase

/// The head of a record: one step of a lookup.
///
/// A record picks one of 64 slots by six bits of the address, provided that the 56 bits before those are the ones that
/// all prefixes below share: a path without a fork takes one record for up to 62 bits. Neighbouring slots with the
/// same reference share it, so the reference of a slot is found by counting the bits set up to the slot. An address
/// with other bits before the slot takes reference 0: the next hop of the longest prefix around the record. The first
/// slots share it when they are equal to it.
///
/// | byte | bits | meaning |
/// |---|---|---|
/// | 0 | 64 | `starts`, bit s: the reference of slot s is another than that of the slot before |
/// | 8 | 64 | `path`: bits 0-7 bits of the address behind the slot, 0...122; 8-63 the bits before, zeros before bit 0 |
/// | 16 | 32 each | references, one more than `starts` has bits |
@frozen @usableFromInline
struct TrieRecord: BitwiseCopyable, Sendable {
    @usableFromInline let starts: UInt64
    @usableFromInline let path: UInt64

    /// Bits that choose a slot.
    static var stride: Int { 6 }
    /// Bits before the slot that one record can check.
    static var skipMax: Int { 56 }
    /// Where the last slot of an address begins.
    static var bottomMax: Int { 122 }

    /// Slots begin at bit `bottom` (0...bottomMax); the prefixes below share the bits of `address` before it.
    init(starts: UInt64, bottom: Int, address: IPv6Address) {
        self.starts = starts
        let behind = UInt64(truncatingIfNeeded: TrieRecord.bottomMax &- bottom)
        path = (TrieRecord.bits(of: address, dropping: behind) &>> 6) &<< 8 | behind
    }

    /// The low 64 bits of the address shifted right by `count` (0...127).
    @inlinable @inline(__always)
    static func bits(of a: IPv6Address, dropping count: UInt64) -> UInt64 {
        let low = count & 64 == 0 ? a.low : a.high
        let high = count & 64 == 0 ? a.high : 0
        return low &>> count | (high &<< 1) &<< ~count
    }

    /// Which of the record's references is for `a`. Free of branches: nothing waits for a guess about the address.
    @inlinable @inline(__always)
    func index(_ a: IPv6Address) -> Int {
        let bits = TrieRecord.bits(of: a, dropping: path)
        // The slot is the low six bits, and a masking shift uses no others: those of `~bits` are 63 - slot.
        let rank = (starts &<< ~bits).nonzeroBitCount
        return (bits &<< 2) ^ path < 256 ? rank : 0
    }
}
