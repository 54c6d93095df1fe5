import HyphaBase
import HyphaRouting

/// A link between two nodes. Its number is the neighbour's number at both ends.
struct SimLink: Sendable {
    let a: Int
    let b: Int
    let kind: NeighbourLink.Kind
    /// One way, in milliseconds.
    var delay: UInt64
    /// Of a thousand messages.
    var loss: UInt64 = 0
    var isCut = false
    /// Rises with every new connection; messages of older ones are gone.
    var session: UInt32 = 0
    /// Streams keep the order: when the last message arrives at each end.
    var lastArrivalAtA = Instant.zero
    var lastArrivalAtB = Instant.zero

    func other(than node: Int) -> Int { node == a ? b : a }
}
