public import HyphaIdentity

/// A route given by hand: the node with `key` is reached through the neighbour with `via`.
public struct ConfiguredRoute: Sendable, Equatable {
    public var key: PublicKey
    public var via: PublicKey

    public init(key: PublicKey, via: PublicKey) {
        self.key = key
        self.via = via
    }
}
