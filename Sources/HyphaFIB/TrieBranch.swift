public import HyphaBase

/// The head of a record that picks one of 64 slots by six bits of the address, provided that the 56 bits before those
/// are the ones that all prefixes below share.
///
/// Neighbouring slots with the same reference share it: the place of a slot's reference is the number of bits set in
/// `starts` up to the slot. An address with other bits before the slot takes reference 0, the next hop of the longest
/// prefix around the branch. So do the first slots as long as they are equal to it.
///
/// | byte | bits | meaning |
/// |---|---|---|
/// | 0 | 64 | `starts`, bit s: slot s has another reference than slot s - 1 |
/// | 8 | 0-7 | bits of the address behind the slot, 0...122 |
/// | | 8-63 | the 56 bits before the slot, zeros before bit 0 of the address |
/// | 16 | 32 each | references, one more than `starts` has bits |
@frozen @usableFromInline
struct TrieBranch: BitwiseCopyable, Sendable {
    @usableFromInline let starts: UInt64
    @usableFromInline let path: UInt64

    /// Bits that choose a slot.
    static var stride: Int { 6 }
    /// Most bits before the slot that a branch checks.
    static var skipMax: Int { 56 }
    /// Where the last slot of an address begins.
    static var bottomMax: Int { 122 }

    /// Slots begin at bit `bottom` (0...bottomMax); the prefixes below share the bits of `address` before it.
    init(starts: UInt64, bottom: Int, address: IPv6Address) {
        self.starts = starts
        let behind = UInt64(truncatingIfNeeded: TrieBranch.bottomMax &- bottom)
        path = (TriePath.bits(of: address, dropping: behind) &>> 6) &<< 8 | behind
    }

    /// Which of the references is for `a`.
    @inlinable @inline(__always)
    func index(_ a: IPv6Address) -> Int {
        let bits = TriePath.bits(of: a, dropping: path)
        // The slot is the low six bits, and a masking shift uses no others: those of `~bits` are 63 - slot.
        let rank = (starts &<< ~bits).nonzeroBitCount
        return (bits &<< 2) ^ path < 256 ? rank : 0
    }
}
