public import HyphaWire

/// What a router says to a question for a destination.
public enum QueryAnswer: Hashable, Sendable {
    /// The node's own.
    case local
    /// A route is there.
    case known(Prefix)
    /// The mesh is asked for this prefix: `queryResolved` or `queryFailed` follows.
    case asked(Prefix)
    /// Not an overlay address: nobody can have it.
    case notRoutable
    /// Too many queries are open.
    case refused
}
