import HyphaBase

/// The neighbours whose links are up, by number of the link.
struct NeighbourTable: Sendable {
    private var slots: [Neighbour?] = []
    /// Those that are up, in order of their numbers.
    private(set) var ids: [NeighbourID] = []
    let capacity: Int

    init(capacity: Int) { self.capacity = capacity }

    var count: Int { ids.count }

    func contains(_ id: NeighbourID) -> Bool { kind(of: id) != nil }

    subscript(id: NeighbourID) -> Neighbour? {
        Int(id.value) < slots.count ? slots[Int(id.value)] : nil
    }

    /// False when the table is full or the neighbour is there already.
    mutating func insert(_ neighbour: Neighbour) -> Bool {
        let place = Int(neighbour.id.value)
        guard ids.count < capacity, !contains(neighbour.id) else { return false }
        while slots.count <= place { slots.append(nil) }
        slots[place] = neighbour
        ids.insert(neighbour.id, at: ids.firstIndex { $0 > neighbour.id } ?? ids.count)
        return true
    }

    mutating func remove(_ id: NeighbourID) {
        guard contains(id) else { return }
        slots[Int(id.value)] = nil
        ids.removeAll { $0 == id }
    }

    /// What links are asked for most.
    func kind(of id: NeighbourID) -> NeighbourLink.Kind? {
        Int(id.value) < slots.count ? slots[Int(id.value)]?.kind : nil
    }
    func isIntroduced(_ id: NeighbourID) -> Bool {
        Int(id.value) < slots.count && slots[Int(id.value)]?.isIntroduced == true
    }
    func isFollowing(_ id: NeighbourID) -> Bool {
        Int(id.value) < slots.count && slots[Int(id.value)]?.isFollowing == true
    }
    func isSuspect(_ id: NeighbourID) -> Bool {
        Int(id.value) < slots.count && slots[Int(id.value)]?.isSuspect == true
    }
    func routeCount(of id: NeighbourID) -> Int? {
        Int(id.value) < slots.count ? slots[Int(id.value)]?.routeCount : nil
    }
    func metric(of id: NeighbourID) -> Metric? { Int(id.value) < slots.count ? slots[Int(id.value)]?.metric : nil }

    /// Whether all neighbours acted on all that they were told up to a moment.
    func haveHeardAll(until moment: Instant, now: Instant) -> Bool {
        ids.allSatisfy { slots[Int($0.value)]?.hasHeardAll(until: moment, now: now) != false }
    }

    /// Changes a neighbour in place; nil when it is not up.
    mutating func update<T>(_ id: NeighbourID, _ change: (inout Neighbour) -> T) -> T? {
        guard Int(id.value) < slots.count else { return nil }
        return slots[Int(id.value)]?.changed(by: change)
    }

    /// The first neighbour that is up with a number above `id` (from the start with nil).
    func next(after id: NeighbourID?) -> NeighbourID? {
        guard let id else { return ids.first }
        var low = 0
        var high = ids.count
        while low < high {
            let middle = (low + high) / 2
            if ids[middle] > id { high = middle } else { low = middle + 1 }
        }
        return low < ids.count ? ids[low] : nil
    }
}
