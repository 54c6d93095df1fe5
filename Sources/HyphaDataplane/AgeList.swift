/// Places of a table in the order in which they came, oldest first. Appending and removing cost the same wherever.
///
/// The links between places stand in a table of their own, which the caller passes to every call: one place can then be
/// in several lists.
struct AgeList {
    /// No place.
    static let none = UInt16.max

    struct Neighbours {
        var older = AgeList.none
        var younger = AgeList.none
    }

    private(set) var oldest = AgeList.none
    private(set) var youngest = AgeList.none
    private(set) var count: UInt16 = 0

    /// A place that is not in the list becomes its youngest.
    mutating func append(_ place: UInt16, _ neighbours: UnsafeMutablePointer<Neighbours>) {
        neighbours[Int(place)] = Neighbours(older: youngest, younger: AgeList.none)
        if youngest == AgeList.none { oldest = place } else { neighbours[Int(youngest)].younger = place }
        youngest = place
        count &+= 1
    }

    /// Takes a place that is in the list out of it.
    mutating func remove(_ place: UInt16, _ neighbours: UnsafeMutablePointer<Neighbours>) {
        let own = neighbours[Int(place)]
        if own.older == AgeList.none { oldest = own.younger } else { neighbours[Int(own.older)].younger = own.younger }
        if own.younger == AgeList.none {
            youngest = own.older
        } else {
            neighbours[Int(own.younger)].older = own.older
        }
        count &-= 1
    }
}
