import HyphaRouting

/// What the rest of control wants to know about TCP links.
enum StreamChange: Sendable {
    /// The link carries packets, over the connection of the second number; its neighbour is to be greeted.
    case up(UInt32, UInt32, NeighbourLink)
    /// The link is gone, or about to be.
    case down(UInt32)
}
