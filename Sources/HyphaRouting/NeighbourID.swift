/// The number of a link, given by the link layer, which reuses it only after `neighbourDown`.
public struct NeighbourID: Hashable, Comparable, Sendable {
    public var value: UInt16

    public init(_ value: UInt16) { self.value = value }

    public static func < (a: NeighbourID, b: NeighbourID) -> Bool { a.value < b.value }
}
