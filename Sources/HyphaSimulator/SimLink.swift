import HyphaBase
import HyphaRouting

/// A link between two nodes.
struct SimLink: Sendable {
    let a: Int
    let b: Int
    /// The number of the link at each end, by which its router knows the neighbour.
    let numberAtA: Int
    let numberAtB: Int
    let kind: NeighbourLink.Kind
    /// One way, in milliseconds.
    var delay: UInt64
    /// Up to so much is added to it, anew for every message, in milliseconds.
    var jitter: UInt64 = 0
    /// Of a thousand messages.
    var loss: UInt64 = 0
    var isCut = false
    /// Rises with every new connection; messages of older ones are gone.
    var session: UInt32 = 0
    /// Streams keep the order: when the last message arrives at each end.
    var lastArrivalAtA = Instant.zero
    var lastArrivalAtB = Instant.zero

    var isStream: Bool { kind == .stock }

    func other(than node: Int) -> Int { node == a ? b : a }
    func number(at node: Int) -> Int { node == a ? numberAtA : numberAtB }
}
