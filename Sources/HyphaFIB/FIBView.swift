public import HyphaBase

/// A forwarding table as plain pointers into a snapshot, for workers: no reference counting.
///
/// Valid while the `FIBSnapshot` lives. Any number of threads may read.
@frozen
public struct FIBView: BitwiseCopyable, @unchecked Sendable {
    /// The references of the first level, one for each value of the first bits of an address, then the records.
    @usableFromInline let words: UnsafeRawPointer
    @usableFromInline let nextHops: UnsafePointer<NextHop>
    /// 63 - bits of the first level.
    @usableFromInline let firstShift: UInt64

    init(words: UnsafeRawPointer, nextHops: UnsafePointer<NextHop>, firstBits: Int) {
        self.words = words
        self.nextHops = nextHops
        firstShift = UInt64(truncatingIfNeeded: 63 &- firstBits)
    }

    @inlinable @inline(__always)
    func first(_ a: IPv6Address) -> TrieReference {
        words.load(
            fromByteOffset: Int(truncatingIfNeeded: (a.high &>> 1) &>> firstShift) &<< 2, as: TrieReference.self)
    }

    @inlinable @inline(__always)
    func next(_ reference: TrieReference, _ a: IPv6Address) -> TrieReference {
        let record = words + reference.recordOffset
        let index = record.load(as: TrieRecord.self).index(a)
        return record.load(fromByteOffset: 16 &+ index &<< 2, as: TrieReference.self)
    }

    /// The next hop of the longest prefix that contains `a`; kind `.none` when there is none.
    @inlinable
    public func lookup(_ a: IPv6Address) -> NextHop {
        var reference = first(a)
        while reference.isRecord { reference = next(reference, a) }
        return nextHops[reference.nextHop]
    }

    /// The same for `count` addresses, `results[i]` for `addresses[i]`; nothing when `count` is not positive.
    ///
    /// Level by level for up to 256 addresses at a time, so that their cache misses overlap. `addresses` and `results`
    /// must not overlap.
    public func lookup(
        _ addresses: UnsafePointer<IPv6Address>, count: Int, into results: UnsafeMutablePointer<NextHop>
    ) {
        // Lists up to 1 KiB are on the stack, larger ones would come from the heap.
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: FIBView.partMax) { open in
            withUnsafeTemporaryAllocation(of: TrieReference.self, capacity: FIBView.partMax) { found in
                guard let open = open.baseAddress, let found = found.baseAddress else { return }
                var done = 0
                while done < count {
                    let part = min(count &- done, FIBView.partMax)
                    walk(addresses + done, part, open, found)
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

    /// Addresses under way at once, numbered by a byte.
    private static var partMax: Int { 256 }

    /// Finds the next hops of `count` addresses. Each pass moves the `open` ones by a record and closes the gaps of
    /// those that are done.
    @inline(__always)
    private func walk(
        _ addresses: UnsafePointer<IPv6Address>, _ count: Int,
        _ open: UnsafeMutablePointer<UInt8>, _ found: UnsafeMutablePointer<TrieReference>
    ) {
        var openCount = 0
        var i = 0
        while i < count {
            let reference = first(addresses[i])
            found[i] = reference
            open[openCount] = UInt8(truncatingIfNeeded: i)
            openCount &+= reference.recordCount
            i &+= 1
        }
        while openCount > 0 {
            let before = openCount
            openCount = 0
            i = 0
            while i < before {
                let owner = Int(open[i])
                let reference = next(found[owner], addresses[owner])
                found[owner] = reference
                open[openCount] = UInt8(truncatingIfNeeded: owner)
                openCount &+= reference.recordCount
                i &+= 1
            }
        }
    }
}
