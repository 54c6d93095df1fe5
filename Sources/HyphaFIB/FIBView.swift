public import HyphaBase

/// A forwarding table as plain pointers into a snapshot, for workers: no reference counting.
///
/// Valid while the `FIBSnapshot` lives: who takes a view keeps the snapshot, with `withExtendedLifetime` when nothing
/// else does. Any number of threads may read.
@frozen
public struct FIBView: BitwiseCopyable, @unchecked Sendable {
    /// The references of the first level, one for each value of the first bits of an address, then the records.
    @usableFromInline let trie: UnsafeRawPointer
    @usableFromInline let nextHops: UnsafePointer<NextHop>
    /// 63 - bits of the first level.
    @usableFromInline let firstShift: UInt64
    @usableFromInline let nextHopCount: Int

    init(trie: UnsafeRawPointer, nextHops: UnsafePointer<NextHop>, nextHopCount: Int, firstBits: Int) {
        self.trie = trie
        self.nextHops = nextHops
        self.nextHopCount = nextHopCount
        firstShift = UInt64(truncatingIfNeeded: 63 &- firstBits)
    }

    @inlinable @inline(__always)
    func first(_ a: IPv6Address) -> TrieReference {
        let slot = Int(truncatingIfNeeded: (a.high &>> 1) &>> firstShift)
        return trie.load(fromByteOffset: slot &<< 2, as: TrieReference.self)
    }

    @inlinable @inline(__always)
    func followBranch(_ reference: TrieReference, _ a: IPv6Address) -> TrieReference {
        let record = trie + reference.offset
        let index = record.load(as: TrieBranch.self).index(a)
        return record.load(fromByteOffset: 16 &+ index &<< 2, as: TrieReference.self)
    }

    @inlinable @inline(__always)
    func followPath(_ reference: TrieReference, _ a: IPv6Address) -> TrieReference {
        let record = trie + reference.offset
        let matches = record.load(as: TriePath.self).matches(a)
        return record.load(fromByteOffset: matches ? 12 : 8, as: TrieReference.self)
    }

    /// The next hop of the longest prefix that contains `a`; kind `.none` when there is none.
    @inlinable
    public func lookup(_ a: IPv6Address) -> NextHop {
        var reference = first(a)
        while !reference.isNextHop {
            reference = reference.isBranch ? followBranch(reference, a) : followPath(reference, a)
        }
        return nextHops[reference.nextHop]
    }

    /// The same for `count` addresses, `results[i]` for `addresses[i]`; nothing when `count` is not positive.
    ///
    /// Up to 64 addresses go on side by side, record by record, so that their cache misses overlap; vectors from 32 on
    /// are best. `addresses` and `results` must not overlap.
    public func lookup(
        _ addresses: UnsafePointer<IPv6Address>, count: Int, into results: UnsafeMutablePointer<NextHop>
    ) {
        // On the stack: only what is larger than 1 KiB comes from the heap.
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 2 * FIBView.partMax) { owners in
            withUnsafeTemporaryAllocation(of: TrieReference.self, capacity: FIBView.partMax) { found in
                guard let owners = owners.baseAddress, let found = found.baseAddress else { return }
                var done = 0
                while done < count {
                    let part = min(count &- done, FIBView.partMax)
                    walk(addresses + done, part, owners, owners + FIBView.partMax, found)
                    let results = UnsafeMutableRawPointer(results + done)
                    var i = 0
                    while i < part {
                        (results + i &<< 4).copyMemory(from: nextHops + found[i].nextHop, byteCount: 16)
                        i &+= 1
                    }
                    done &+= part
                }
            }
        }
    }

    /// The hop to take when the link of `nextHop`, which a lookup in this table or this function returned, cannot be
    /// used; nil when there is none. At most three follow the result of a lookup.
    @inlinable
    public func alternate(of nextHop: NextHop) -> NextHop? {
        let number = Int(nextHop.alternate)
        // A hop of another table leads to a wrong answer, never beyond the table.
        return number > 0 && number < nextHopCount ? nextHops[number] : nil
    }

    /// Addresses under way at once, numbered by a byte: with more, the lists push the trie out of the first cache.
    private static var partMax: Int { 64 }

    /// Finds the next hops of `count` addresses. `branches` and `paths` have the numbers of those that are at such a
    /// record. Each pass moves all of one kind on by a record; stores without jumps on what was found.
    @inline(__always)
    private func walk(
        _ addresses: UnsafePointer<IPv6Address>, _ count: Int, _ branches: UnsafeMutablePointer<UInt8>,
        _ paths: UnsafeMutablePointer<UInt8>, _ found: UnsafeMutablePointer<TrieReference>
    ) {
        var branchCount = 0
        var pathCount = 0
        var i = 0
        while i < count {
            let reference = first(addresses[i])
            found[i] = reference
            branches[branchCount] = UInt8(truncatingIfNeeded: i)
            paths[pathCount] = UInt8(truncatingIfNeeded: i)
            branchCount &+= reference.branchCount
            pathCount &+= reference.pathCount
            i &+= 1
        }
        while branchCount | pathCount != 0 {
            while branchCount > 0 {
                let open = branchCount
                branchCount = 0
                i = 0
                while i < open {
                    let owner = branches[i]
                    let reference = followBranch(found[Int(owner)], addresses[Int(owner)])
                    found[Int(owner)] = reference
                    branches[branchCount] = owner
                    paths[pathCount] = owner
                    branchCount &+= reference.branchCount
                    pathCount &+= reference.pathCount
                    i &+= 1
                }
            }
            let open = pathCount
            pathCount = 0
            i = 0
            while i < open {
                let owner = paths[i]
                let reference = followPath(found[Int(owner)], addresses[Int(owner)])
                found[Int(owner)] = reference
                branches[branchCount] = owner
                paths[pathCount] = owner
                branchCount &+= reference.branchCount
                pathCount &+= reference.pathCount
                i &+= 1
            }
        }
    }
}
