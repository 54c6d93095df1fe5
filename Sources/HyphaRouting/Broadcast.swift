import HyphaWire

/// One Update on its way to all neighbours.
struct Broadcast: Sendable {
    var update: BabelTLV.Update
    /// The next hop, which does not need to hear of its own route.
    var except: NeighbourID?
    /// A repetition, for links that may have lost it.
    var isRepetition = false
    /// The last neighbour that has it.
    var last: NeighbourID?
}
