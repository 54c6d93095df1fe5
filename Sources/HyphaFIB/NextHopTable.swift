/// Numbers next hops: equal ones get the same number, 0 is `.none`. The alternate of a hop is a number of the same table.
///
/// A hash table with linear probing. The ids in next hops are our own, so a fixed hash will do.
struct NextHopTable: Sendable {
    /// In order of their numbers.
    private(set) var nextHops: [NextHop] = [.none]
    /// Numbers at the places of their hashes, 0 where free. At least half of them are free.
    private var places: [UInt32]
    private var shift: UInt64

    /// With room for `capacity` (below 2^27) next hops before it has to grow.
    init(capacity: Int = 8) {
        let bits = Int.bitWidth - capacity.leadingZeroBitCount + 1
        places = [UInt32](repeating: 0, count: 1 << bits)
        shift = UInt64(64 - bits)
    }

    mutating func number(_ nextHop: NextHop) -> Int {
        guard nextHop != .none else { return 0 }
        var place = firstPlace(nextHop)
        while places[place] != 0 {
            let number = Int(places[place])
            if nextHops[number] == nextHop { return number }
            place = (place + 1) & (places.count - 1)
        }
        places[place] = UInt32(nextHops.count)
        nextHops.append(nextHop)
        let number = nextHops.count - 1
        if 2 * nextHops.count > places.count { grow() }
        return number
    }

    private func firstPlace(_ nextHop: NextHop) -> Int {
        let ids = UInt64(nextHop.link) << 32 | UInt64(nextHop.peer)
        let rest = UInt64(nextHop.ageingAndAlternate) << 32 | UInt64(nextHop.kind.rawValue)
        let mixed = (ids &* 0x9E37_79B9_7F4A_7C15) ^ (ids >> 32) ^ (rest &* 0xD6E8_FEB8_6659_FD93)
        return Int((mixed &* 0xBF58_476D_1CE4_E5B9) >> shift)
    }

    private mutating func grow() {
        places = [UInt32](repeating: 0, count: 2 * places.count)
        shift -= 1
        for number in 1..<nextHops.count {
            var place = firstPlace(nextHops[number])
            while places[place] != 0 { place = (place + 1) & (places.count - 1) }
            places[place] = UInt32(number)
        }
    }
}
