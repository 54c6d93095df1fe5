import HyphaIdentity

/// What the rest of control wants to know about links.
enum LinkChange: Sendable {
    /// A neighbour's key is proved for the first time on this link.
    case known(PublicKey)
    /// A link with such a neighbour is forgotten.
    case forgotten(PublicKey)
}
