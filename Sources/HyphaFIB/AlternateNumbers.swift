/// Takes next hops with their alternates from one table into another: those that are taken, and no others.
struct AlternateNumbers {
    private let old: [NextHop]
    /// Number in the new table of each one of the old that was taken, 0 of the others.
    private var numbers: [UInt32]
    /// The new table.
    private(set) var table: NextHopTable

    /// `old`: a table, in which each hop has a higher number than its alternate. `capacity`: hops that will be numbered
    /// beside alternates.
    init(of old: [NextHop], capacity: Int) {
        self.old = old
        numbers = [UInt32](repeating: 0, count: old.count)
        table = NextHopTable(capacity: capacity + old.count)
    }

    /// The hop with the number of its alternate in the new table, where the alternate and those after it then are.
    mutating func taken(_ nextHop: NextHop) -> NextHop {
        guard nextHop.alternate != 0 else { return nextHop }
        var result = nextHop
        result.setAlternate(number(Int(nextHop.alternate)))
        return result
    }

    /// The number of the hop in the new table.
    mutating func number(_ nextHop: NextHop) -> Int { table.number(taken(nextHop)) }

    /// Alternates are few, so this is not deep.
    private mutating func number(_ place: Int) -> UInt32 {
        if numbers[place] == 0 { numbers[place] = UInt32(table.number(taken(old[place]))) }
        return numbers[place]
    }
}
