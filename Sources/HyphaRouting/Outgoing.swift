import HyphaWire

/// Something for one neighbour that waits for `poll`.
enum Outgoing: Sendable {
    case tlv(BabelTLV, NeighbourID)
    /// The route to a prefix as it is when its turn comes: an answer never overtakes newer news.
    case route(Prefix, NeighbourID)
    /// That there is no route to a prefix, or the route, if there is one after all.
    case retraction(Prefix, NeighbourID)
    /// To the next hop of a prefix: whatever it heard of us about the prefix holds no more.
    case poison(Prefix, NeighbourID)
    /// The own prefixes.
    case own(NeighbourID)
}
