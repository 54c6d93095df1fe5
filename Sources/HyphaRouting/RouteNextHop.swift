/// A neighbour that may carry packets of a prefix.
public struct RouteNextHop: Hashable, Sendable {
    public var neighbour: NeighbourID
    /// Metric of the path through it, the link included.
    public var cost: UInt16

    public init(neighbour: NeighbourID, cost: UInt16) {
        self.neighbour = neighbour
        self.cost = cost
    }
}
