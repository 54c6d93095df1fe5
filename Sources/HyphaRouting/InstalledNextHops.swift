/// The next hops that forwarding was last told to use for a prefix, best first: up to four, all of one router id.
struct InstalledNextHops: Sendable {
    static let capacity = 4

    private(set) var count: UInt8 = 0
    /// Number of the router id.
    var routerID: UInt32 = 0
    private var neighbours: (UInt16, UInt16, UInt16, UInt16) = (0, 0, 0, 0)
    private var costs: (UInt16, UInt16, UInt16, UInt16) = (0, 0, 0, 0)

    /// The next hop in use; nil when there is none.
    var first: NeighbourID? { count > 0 ? NeighbourID(neighbours.0) : nil }

    /// Without effect when there are four.
    mutating func append(_ neighbour: NeighbourID, cost: Metric) {
        guard Int(count) < InstalledNextHops.capacity else { return }
        self[Int(count)] = (neighbour.value, cost.value)
        count += 1
    }

    /// Puts one behind the first, in order of cost, of equals in order of number; the last of four makes room.
    mutating func insert(_ neighbour: NeighbourID, cost: Metric) {
        let new = (neighbour.value, cost.value)
        var place = Int(count)
        while place > 1, (new.1, new.0) < (self[place - 1].1, self[place - 1].0) { place -= 1 }
        guard place < InstalledNextHops.capacity else { return }
        var next = min(Int(count), InstalledNextHops.capacity - 1)
        while next > place {
            self[next] = self[next - 1]
            next -= 1
        }
        self[place] = new
        if Int(count) < InstalledNextHops.capacity { count += 1 }
    }

    private subscript(place: Int) -> (UInt16, UInt16) {
        get {
            switch place {
            case 0: (neighbours.0, costs.0)
            case 1: (neighbours.1, costs.1)
            case 2: (neighbours.2, costs.2)
            default: (neighbours.3, costs.3)
            }
        }
        set {
            switch place {
            case 0: (neighbours.0, costs.0) = newValue
            case 1: (neighbours.1, costs.1) = newValue
            case 2: (neighbours.2, costs.2) = newValue
            default: (neighbours.3, costs.3) = newValue
            }
        }
    }

    var nextHops: [RouteNextHop] {
        let all = [
            RouteNextHop(neighbour: NeighbourID(neighbours.0), cost: costs.0),
            RouteNextHop(neighbour: NeighbourID(neighbours.1), cost: costs.1),
            RouteNextHop(neighbour: NeighbourID(neighbours.2), cost: costs.2),
            RouteNextHop(neighbour: NeighbourID(neighbours.3), cost: costs.3),
        ]
        return Array(all.prefix(Int(count)))
    }

    /// Whether forwarding would notice: other neighbours or another order, another origin, or notable costs.
    func differs(from other: InstalledNextHops) -> Bool {
        if count != other.count { return true }
        if count == 0 { return false }
        if routerID != other.routerID || neighbours != other.neighbours { return true }
        return LinkCost.isNotable(Metric(costs.0), Metric(other.costs.0))
            || LinkCost.isNotable(Metric(costs.1), Metric(other.costs.1))
            || LinkCost.isNotable(Metric(costs.2), Metric(other.costs.2))
            || LinkCost.isNotable(Metric(costs.3), Metric(other.costs.3))
    }
}
