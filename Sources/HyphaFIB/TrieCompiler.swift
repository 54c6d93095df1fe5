import HyphaBase
import HyphaWire

/// Builds the trie of a snapshot from sorted prefixes, breadth first: records near the root share few pages.
struct TrieCompiler {
    /// A record that is not made yet: `entries[range]` share their first `depth` bits and are longer.
    private struct Pending {
        var range: Range<Int>
        var depth: Int
        /// The word that will refer to the record. Now it has the answer outside of `range`.
        var word: Int
    }

    private let entries: [FIBEntry]
    /// The next hop of each entry.
    private var answers: [TrieReference] = []
    private var pending: [Pending] = []
    /// The slots of the record at hand.
    private var slots: [TrieReference] = []
    /// The references of the record at hand.
    private var references: [TrieReference] = []

    /// As in `FIBView`.
    private(set) var nextHops: [NextHop] = [.none]
    private(set) var words: [TrieReference] = []
    /// Bits of the first level.
    let firstBits: Int

    /// `entries`: sorted by prefix, each prefix once, fewer than 2^24.
    init(_ entries: [FIBEntry]) {
        self.entries = entries
        firstBits = TrieCompiler.firstBits(prefixCount: entries.count)
        numberNextHops()
        fillFirstLevel()
        var done = 0
        while done < pending.count {
            appendRecord(pending[done])
            done += 1
        }
    }

    /// None for a small table, then about four bytes for each prefix, up to 512 KiB.
    static func firstBits(prefixCount: Int) -> Int {
        guard prefixCount >= 256 else { return 0 }
        return min(17, Int.bitWidth - 1 - prefixCount.leadingZeroBitCount)
    }

    private mutating func numberNextHops() {
        var numbers: [NextHop: Int] = [.none: 0]
        answers.reserveCapacity(entries.count)
        for entry in entries {
            let number = numbers[entry.nextHop] ?? nextHops.count
            if number == nextHops.count {
                numbers[entry.nextHop] = number
                nextHops.append(entry.nextHop)
            }
            answers.append(TrieReference(nextHop: number))
        }
    }

    private mutating func fillFirstLevel() {
        words.reserveCapacity(1 << firstBits + entries.count * 10)
        words.append(contentsOf: repeatElement(TrieReference(nextHop: 0), count: 1 << firstBits))
        var i = 0
        while i < entries.count {
            let prefix = entries[i].prefix
            let slot = slot(prefix.address, at: 0, bits: firstBits)
            if prefix.length <= firstBits {
                // Prefixes inside this one come later and overwrite their part.
                for k in slot..<slot + 1 << (firstBits - prefix.length) { words[k] = answers[i] }
                i += 1
                continue
            }
            let end = endOfSlot(i, slot, at: 0, bits: firstBits, before: entries.count)
            pending.append(Pending(range: i..<end, depth: firstBits, word: slot))
            i = end
        }
    }

    /// `bits` (0...6 or 0...17) bits of the address from bit `position` on.
    private func slot(_ address: IPv6Address, at position: Int, bits: Int) -> Int {
        let behind = UInt64(128 - position - bits)
        return behind == 128 ? 0 : Int(TrieRecord.bits(of: address, dropping: behind) & (1 << UInt64(bits) - 1))
    }

    /// One past the last entry with the same slot as entry `i`.
    private func endOfSlot(_ i: Int, _ slot: Int, at position: Int, bits: Int, before end: Int) -> Int {
        var next = i + 1
        while next < end, self.slot(entries[next].prefix.address, at: position, bits: bits) == slot { next += 1 }
        return next
    }

    /// Where the slots of a record begin, for entries that share their first `depth` bits and are longer.
    ///
    /// As far down as the entries agree. The bits between `depth` and the slots must fit in the record; slots that
    /// begin above `depth`, near the end of an address, do no harm.
    private func bottom(_ range: Range<Int>, below depth: Int) -> Int {
        let first = entries[range.lowerBound].prefix
        let last = entries[range.upperBound - 1].prefix
        // Sorted: what the first and the last share is shared by all, and only the first can be that short.
        // An entry alone ends exactly with its slot.
        let shared =
            range.count == 1
            ? max(first.length - TrieRecord.stride, 0) : min(first.length, sharedBits(first.address, last.address))
        return min(shared, depth + TrieRecord.skipMax, TrieRecord.bottomMax)
    }

    /// The first bit that two addresses do not share, 128 for equal ones.
    private func sharedBits(_ a: IPv6Address, _ b: IPv6Address) -> Int {
        a.high != b.high ? (a.high ^ b.high).leadingZeroBitCount : 64 + (a.low ^ b.low).leadingZeroBitCount
    }

    private mutating func appendRecord(_ record: Pending) {
        let bottom = bottom(record.range, below: record.depth)
        let below = bottom + TrieRecord.stride
        let outside = words[record.word]
        slots.removeAll(keepingCapacity: true)
        slots.append(contentsOf: repeatElement(outside, count: 64))
        // Slots with a child, and those after a child: they never share a reference with the slot before.
        var children: UInt64 = 0
        let firstPending = pending.count
        var i = record.range.lowerBound
        while i < record.range.upperBound {
            let prefix = entries[i].prefix
            let slot = slot(prefix.address, at: bottom, bits: TrieRecord.stride)
            if prefix.length <= below {
                // Prefixes inside this one come later and overwrite their part.
                for k in slot..<slot + 1 << (below - prefix.length) { slots[k] = answers[i] }
                i += 1
                continue
            }
            let end = endOfSlot(i, slot, at: bottom, bits: TrieRecord.stride, before: record.range.upperBound)
            children |= 1 << UInt64(slot)
            pending.append(Pending(range: i..<end, depth: below, word: slot))
            i = end
        }
        // Reference 0, then one for each start.
        references.removeAll(keepingCapacity: true)
        references.append(outside)
        var starts: UInt64 = 0
        var nextPending = firstPending
        var afterChild = false
        for slot in 0..<64 {
            let isChild = children >> UInt64(slot) & 1 != 0
            if isChild || afterChild || slots[slot] != references[references.count - 1] {
                starts |= 1 << UInt64(slot)
                if isChild {
                    pending[nextPending].word = references.count
                    nextPending += 1
                }
                references.append(slots[slot])
            }
            afterChild = isChild
        }
        let at = place(references.count + 4)
        for k in firstPending..<pending.count { pending[k].word += at + 4 }
        let head = TrieRecord(
            starts: starts, bottom: bottom, address: entries[record.range.lowerBound].prefix.address)
        words.withUnsafeMutableBytes { $0.storeBytes(of: head, toByteOffset: at * 4, as: TrieRecord.self) }
        for k in references.indices { words[at + 4 + k] = references[k] }
        words[record.word] = TrieReference(record: at)
    }

    /// Room for a record of `count` words: aligned to 8 bytes, and over as few cache lines as it can be.
    private mutating func place(_ count: Int) -> Int {
        let line = 16
        var at = words.count + words.count & 1
        if at & (line - 1) + count > line { at = (at + line - 1) & ~(line - 1) }
        words.append(contentsOf: repeatElement(TrieReference(nextHop: 0), count: at + count - words.count))
        return at
    }
}
