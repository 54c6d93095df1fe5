import HyphaIdentity

/// What the rest of control wants to know about links.
enum LinkChange: Sendable {
    /// A neighbour's key is proved for the first time on this link.
    case known(PublicKey)
    /// The link carries packets (again), or its neighbour started again.
    case up(UInt32)
    /// The link has no session any more, or its neighbour does not answer.
    case down(UInt32)
    /// A link with such a neighbour is forgotten.
    case forgotten(PublicKey)
}
