import HyphaBase
import HyphaWire

/// Lays out the trie of a snapshot from sorted prefixes.
///
/// Breadth first, so that records near the root share few pages; but a branch is followed by its paths, so that both
/// often share a cache line.
struct TrieCompiler {
    /// A record that is not placed yet: `entries[range]` share their first `depth` bits and are longer.
    private struct Pending {
        var range: Range<Int>
        var depth: Int
        /// The word that will refer to the record. It holds the answer outside of `range`.
        var word: Int
    }

    private let entries: [FIBEntry]
    /// The next hop of each entry.
    private var answers: [TrieReference] = []
    private var pending: [Pending] = []
    /// What alignment left free, for paths.
    private var gap = 0..<0

    // Of the branch at hand, kept to spare allocations.
    private var slots = [TrieReference](repeating: TrieReference(nextHop: 0), count: 64)
    private var references: [TrieReference] = []
    private var children: [Pending] = []

    /// The first level, then the records.
    private(set) var words: [TrieReference] = []
    /// [0] is `.none`. Alternates among them.
    private(set) var nextHops: [NextHop] = []
    /// Bits of the first level.
    let firstBits: Int

    /// Bytes of a word.
    static var wordSize: Int { MemoryLayout<TrieReference>.stride }
    /// Words of the head of a branch.
    private static var branchHead: Int { 4 }
    /// Words of a path.
    private static var pathWords: Int { 4 }
    /// Words of a cache line.
    private static var line: Int { 16 }

    /// `entries`: sorted by prefix, each prefix once, up to `FIBSnapshot.prefixMax`. Their alternates are numbers in
    /// `alternates`.
    init(_ entries: [FIBEntry], alternates: [NextHop]) {
        self.entries = entries
        firstBits = TrieCompiler.firstBits(prefixCount: entries.count)
        numberNextHops(alternates)
        fillFirstLevel()
        var done = 0
        while done < pending.count {
            append(pending[done])
            done += 1
        }
    }

    /// None for a small table, then 4 to 8 bytes of first level for each prefix, up to 1 MiB.
    static func firstBits(prefixCount: Int) -> Int {
        prefixCount < 256 ? 0 : min(18, Int.bitWidth - prefixCount.leadingZeroBitCount)
    }

    private mutating func numberNextHops(_ alternates: [NextHop]) {
        var numbers = AlternateNumbers(of: alternates, capacity: entries.count)
        answers.reserveCapacity(entries.count)
        for entry in entries { answers.append(TrieReference(nextHop: numbers.number(entry.nextHop))) }
        nextHops = numbers.table.nextHops
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

    /// The number in `bits` (0...18) bits of the address from bit `position` on.
    private func slot(_ address: IPv6Address, at position: Int, bits: Int) -> Int {
        let behind = UInt64(128 - position - bits)
        return behind == 128 ? 0 : Int(TriePath.bits(of: address, dropping: behind) & (1 << UInt64(bits) - 1))
    }

    /// One past the last entry with the same slot as entry `i`.
    private func endOfSlot(_ i: Int, _ slot: Int, at position: Int, bits: Int, before end: Int) -> Int {
        var next = i + 1
        while next < end, self.slot(entries[next].prefix.address, at: position, bits: bits) == slot { next += 1 }
        return next
    }

    private mutating func append(_ record: Pending) {
        let first = entries[record.range.lowerBound].prefix
        guard record.range.count > 1 else {
            appendPath(record, length: first.length)
            return
        }
        // Sorted: what the first and the last share is shared by all, and only the first can be that short.
        let last = entries[record.range.upperBound - 1].prefix
        let shared = min(first.length, sharedBits(first.address, last.address))
        if shared - record.depth > TrieBranch.skipMax {
            appendPath(record, length: shared)
        } else {
            // Slots that begin above `depth`, at the end of an address, do no harm.
            appendBranch(record, bottom: min(shared, TrieBranch.bottomMax))
        }
    }

    /// The first bit that two addresses do not share, 128 for equal ones.
    private func sharedBits(_ a: IPv6Address, _ b: IPv6Address) -> Int {
        a.high != b.high ? (a.high ^ b.high).leadingZeroBitCount : 64 + (a.low ^ b.low).leadingZeroBitCount
    }

    /// A path to bit `length`, or part of the way when that is too far for one.
    private mutating func appendPath(_ record: Pending, length: Int) {
        let end = min(length, record.depth + TriePath.bitsMax)
        let at = place(TrieCompiler.pathWords)
        store(TriePath(entries[record.range.lowerBound].prefix.address, length: end), at: at)
        words[at + 2] = words[record.word]
        words[record.word] = TrieReference(path: at / 2)
        if record.range.count == 1, end == length {
            words[at + 3] = answers[record.range.lowerBound]
        } else {
            words[at + 3] = words[at + 2]
            pending.append(Pending(range: record.range, depth: end, word: at + 3))
        }
    }

    private mutating func appendBranch(_ record: Pending, bottom: Int) {
        fillSlots(record, bottom: bottom)
        let starts = shareReferences(outside: words[record.word])
        let at = place(TrieCompiler.branchHead + references.count)
        let address = entries[record.range.lowerBound].prefix.address
        store(TrieBranch(starts: starts, bottom: bottom, address: address), at: at)
        for k in references.indices { words[at + TrieCompiler.branchHead + k] = references[k] }
        words[record.word] = TrieReference(branch: at / 2)
        for var child in children {
            child.word += at + TrieCompiler.branchHead
            if child.range.count == 1 { append(child) } else { pending.append(child) }
        }
    }

    /// Sets `slots` to the answers in each slot of a branch, and `children` to what goes beyond, `word` their slot.
    private mutating func fillSlots(_ record: Pending, bottom: Int) {
        let below = bottom + TrieBranch.stride
        let outside = words[record.word]
        for k in 0..<64 { slots[k] = outside }
        children.removeAll(keepingCapacity: true)
        var i = record.range.lowerBound
        while i < record.range.upperBound {
            let prefix = entries[i].prefix
            let slot = slot(prefix.address, at: bottom, bits: TrieBranch.stride)
            if prefix.length <= below {
                // Prefixes inside this one come later and overwrite their part.
                for k in slot..<slot + 1 << (below - prefix.length) { slots[k] = answers[i] }
                i += 1
                continue
            }
            let end = endOfSlot(i, slot, at: bottom, bits: TrieBranch.stride, before: record.range.upperBound)
            children.append(Pending(range: i..<end, depth: below, word: slot))
            i = end
        }
    }

    /// Sets `references` to those of a branch, and `word` of each child to the place of its reference there.
    private mutating func shareReferences(outside: TrieReference) -> UInt64 {
        references.removeAll(keepingCapacity: true)
        references.append(outside)
        var starts: UInt64 = 0
        var last = outside
        var child = 0
        var afterChild = false
        for slot in 0..<64 {
            // A slot with a child shares its reference with no other.
            let isChild = child < children.count && children[child].word == slot
            if isChild || afterChild || slots[slot] != last {
                starts |= 1 << UInt64(slot)
                if isChild {
                    children[child].word = references.count
                    child += 1
                }
                last = slots[slot]
                references.append(last)
            }
            afterChild = isChild
        }
        return starts
    }

    private mutating func store<Head: BitwiseCopyable>(_ head: Head, at word: Int) {
        words.withUnsafeMutableBytes { bytes in
            bytes.storeBytes(of: head, toByteOffset: word * TrieCompiler.wordSize, as: Head.self)
        }
    }

    /// Room for a record of `count` words: aligned to 8 bytes, and over as few cache lines as it can be.
    private mutating func place(_ count: Int) -> Int {
        if count == TrieCompiler.pathWords, gap.count >= count {
            let at = gap.lowerBound
            gap = at + count..<gap.upperBound
            return at
        }
        var at = words.count + words.count & 1
        let used = at & (TrieCompiler.line - 1)
        if used + count > TrieCompiler.line, used > 0 {
            gap = at..<at + TrieCompiler.line - used
            at = gap.upperBound
        }
        words.append(contentsOf: repeatElement(TrieReference(nextHop: 0), count: at + count - words.count))
        return at
    }
}
