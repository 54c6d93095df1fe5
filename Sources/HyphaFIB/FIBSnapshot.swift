import HyphaBase

/// An immutable forwarding table: one block of memory, freed with the last reference.
public final class FIBSnapshot: Sendable {
    /// What workers read, valid while this object lives.
    public let view: FIBView
    /// Prefixes in the table.
    public let prefixCount: Int
    /// Memory of the table, bytes.
    public let byteCount: Int
    private nonisolated(unsafe) let memory: UnsafeMutableRawPointer

    /// Most prefixes of a snapshot: their next hops then have numbers of 24 bits, and their records fit in the 8 GiB
    /// that references reach.
    static let prefixMax = 1 << 24 - 1

    /// `entries`: sorted by prefix, each prefix once, up to `prefixMax`. Their alternates are numbers in `alternates`.
    init(_ entries: [FIBEntry], alternates: [NextHop]) {
        let trie = TrieCompiler(entries, alternates: alternates)
        let wordBytes = trie.words.count * MemoryLayout<TrieReference>.stride
        // Next hops last, 16 bytes each, none over two cache lines.
        let nextHopOffset = (wordBytes + 15) & ~15
        byteCount = nextHopOffset + trie.nextHops.count * MemoryLayout<NextHop>.stride
        prefixCount = entries.count
        let memory = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 64)
        trie.words.withUnsafeBytes { words in
            guard let base = words.baseAddress else { return }
            memory.copyMemory(from: base, byteCount: words.count)
        }
        let nextHops = (memory + nextHopOffset).bindMemory(to: NextHop.self, capacity: trie.nextHops.count)
        for (i, nextHop) in trie.nextHops.enumerated() { (nextHops + i).initialize(to: nextHop) }
        self.memory = memory
        view = FIBView(
            trie: memory, nextHops: nextHops, nextHopCount: trie.nextHops.count, firstBits: trie.firstBits)
    }

    deinit { memory.deallocate() }
}
