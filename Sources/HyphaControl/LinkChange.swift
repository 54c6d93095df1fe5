import HyphaIdentity

/// What the rest of control wants to know about links.
enum LinkChange: Sendable {
    /// A neighbour's key is proved for the first time on this link.
    case known(PublicKey)
    /// The link carries packets (again), or its neighbour started again.
    case up(UInt32)
    /// The link has no session any more, or its neighbour does not answer.
    case down(UInt32)
    /// A new session on a link that was in order here.
    case renewed(UInt32, Renewal)
    /// A link with such a neighbour is forgotten.
    case forgotten(PublicKey)

    enum Renewal: Sendable {
        /// By this node.
        case own
        /// By the neighbour, which may have lost what it heard before.
        case neighbours
        /// By the neighbour long before it was time: it has.
        case early
    }
}
