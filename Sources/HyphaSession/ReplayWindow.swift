/// Which counters of a lane have been seen: a sliding bitmap (RFC 6479) of 64-bit words over a ring.
///
/// | off | size | field |
/// |---|---|---|
/// | 0 | 8 | highest counter seen + 1; 0 = none |
/// | 8 | 8 | floor: counters below are refused whatever the bitmap says |
/// | 16 | 4 | size in bits, a power of two |
/// | 20 | 4 | packets in the current second |
/// | 24 | 8 | the current second |
///
/// An unseen counter passes up to `bits` - 64 below the highest. Bitmap and header belong to one worker.
@frozen
public struct ReplayWindow: BitwiseCopyable {
    public var next: UInt64
    public var floor: UInt64
    public var bits: UInt32
    public var rate: UInt32
    public var second: UInt64

    /// An empty window; its bitmap of `bits` / 8 bytes must be zero.
    public init(bits: UInt32) {
        next = 0
        floor = 0
        self.bits = bits
        rate = 0
        second = 0
    }

    /// True when the counter is new and not behind the window. Changes nothing.
    @inlinable @inline(__always)
    public func isFresh(_ counter: UInt64, _ bitmap: UnsafePointer<UInt64>) -> Bool {
        if counter >= next { return counter != .max }
        guard counter >= floor, next &- 1 &- counter <= UInt64(bits) &- 64 else { return false }
        let word = Int(truncatingIfNeeded: (counter &>> 6) & (UInt64(bits) &>> 6 &- 1))
        return bitmap[word] & (1 &<< (counter & 63)) == 0
    }

    /// Marks the counter as seen; false when it is not fresh.
    @inlinable @inline(__always)
    public mutating func commit(_ counter: UInt64, _ bitmap: UnsafeMutablePointer<UInt64>) -> Bool {
        let words = UInt64(bits) &>> 6
        if counter >= next {
            guard counter != .max else { return false }
            let target = counter &>> 6
            if next == 0 {
                var clear: UInt64 = 0
                while clear < words {
                    bitmap[Int(truncatingIfNeeded: clear)] = 0
                    clear &+= 1
                }
            } else {
                var word = (next &- 1) &>> 6
                if target &- word >= words { word = target &- words }
                while word < target {
                    word &+= 1
                    bitmap[Int(truncatingIfNeeded: word & (words &- 1))] = 0
                }
            }
            next = counter &+ 1
            bitmap[Int(truncatingIfNeeded: target & (words &- 1))] |= 1 &<< (counter & 63)
            return true
        }
        guard isFresh(counter, bitmap) else { return false }
        bitmap[Int(truncatingIfNeeded: (counter &>> 6) & (words &- 1))] |= 1 &<< (counter & 63)
        return true
    }

    /// Moves to a larger bitmap. What lay behind the old window stays refused.
    public mutating func grow(
        to newBits: UInt32, from old: UnsafePointer<UInt64>, into new: UnsafeMutablePointer<UInt64>
    ) {
        let oldWords = UInt64(bits) &>> 6
        let newWords = UInt64(newBits) &>> 6
        for i in 0..<Int(newWords) { new[i] = 0 }
        if next > 0 {
            let highest = next &- 1
            let top = highest &>> 6
            let bottom = top >= oldWords &- 1 ? top &- (oldWords &- 1) : 0
            var word = bottom
            while word <= top {
                new[Int(truncatingIfNeeded: word & (newWords &- 1))] =
                    old[Int(truncatingIfNeeded: word & (oldWords &- 1))]
                word &+= 1
            }
            let reach = UInt64(bits) &- 64
            floor = max(floor, highest > reach ? highest &- reach : 0)
        }
        bits = newBits
    }

    /// Counts one packet and returns how many this second has seen.
    @inlinable @inline(__always)
    public mutating func countPacket(second now: UInt64) -> UInt32 {
        if now != second {
            second = now
            rate = 0
        }
        rate &+= 1
        return rate
    }
}
