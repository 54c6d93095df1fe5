/// What the link layer says about a link when it comes up.
public struct NeighbourLink: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// A stream to a stock node: reliable, in order, nobody's key is proven, liveness by IHUs.
        case stock
        /// A sealed datagram link to another hypha node: may lose, liveness by traffic, the key is proven.
        case hypha
    }

    public var kind: Kind
    /// The transport's constant part of the cost.
    public var baseCost: UInt16
    /// Round trip time of the link in milliseconds as the transport knows it, nil when it does not.
    public var roundTrip: UInt16?
    /// Whether this side opened the connection. It then learns of it a round trip before the other side does.
    public var isDialled: Bool
    /// The neighbour's public key, 32 bytes, empty where it is not proven.
    public var key: [UInt8]

    public init(kind: Kind, baseCost: UInt16, roundTrip: UInt16? = nil, isDialled: Bool = false, key: [UInt8] = []) {
        self.kind = kind
        self.baseCost = baseCost
        self.roundTrip = roundTrip
        self.isDialled = isDialled
        self.key = key
    }
}
