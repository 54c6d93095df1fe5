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
    /// What is true now of the subject of an Update that did not arrive.
    case again(UInt32, NeighbourID)
    /// A request for Updates that did not arrive is answered: the neighbour hears of it in a Hello.
    case answered(NeighbourID)
}
