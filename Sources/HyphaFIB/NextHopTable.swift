/// Numbers next hops: equal ones get the same number, 0 is `.none`.
///
/// A hash table with linear probing. The ids in next hops are our own, so a fixed hash will do.
struct NextHopTable {
    /// In order of their numbers.
    private(set) var nextHops: [NextHop] = [.none]
    /// Numbers at the places of their hashes, 0 where free. At least half of them are free.
    private var places: [UInt32]
    private let shift: UInt64

    /// For up to `capacity` (below 2^24) next hops.
    init(capacity: Int) {
        let bits = Int.bitWidth - capacity.leadingZeroBitCount + 1
        places = [UInt32](repeating: 0, count: 1 << bits)
        shift = UInt64(64 - bits)
    }

    mutating func number(_ nextHop: NextHop) -> Int {
        guard nextHop != .none else { return 0 }
        let ids = UInt64(nextHop.link) << 32 | UInt64(nextHop.peer)
        let rest = UInt64(nextHop.reserved) << 32 | UInt64(nextHop.kind.rawValue)
        let hash = ((ids &* 0x9E37_79B9_7F4A_7C15) ^ (ids >> 32) ^ rest) &* 0xBF58_476D_1CE4_E5B9
        var place = Int(hash >> shift)
        while places[place] != 0 {
            let number = Int(places[place])
            if nextHops[number] == nextHop { return number }
            place = (place + 1) & (places.count - 1)
        }
        places[place] = UInt32(nextHops.count)
        nextHops.append(nextHop)
        return nextHops.count - 1
    }
}
