import HyphaBase
import HyphaWire

/// One open question of the mesh: "who reaches this prefix?"
struct RouteQuery: Sendable {
    let prefix: Prefix
    /// The neighbour that asked us; nil when this node itself does.
    let ingress: NeighbourID?
    /// As it was sent on.
    var generation: UInt8
    /// Packets of this node wait for the answer.
    var isWanted: Bool
    /// When it was sent to everybody who was up then.
    let asked: Instant
    /// When it ends without an answer.
    let ends: Instant
    /// When it is repeated on links that may lose it.
    var repeatDue: Instant
    var repeats: UInt8 = 0
}
