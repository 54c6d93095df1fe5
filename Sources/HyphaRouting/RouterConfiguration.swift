public import HyphaBase
public import HyphaWire

/// What a router is told at its start.
public struct RouterConfiguration: Sendable {
    /// The node's public key, 32 bytes.
    public var key: [UInt8]
    /// Zone of the router id: zero, or a capability hint.
    public var zone: UInt16 = 0
    /// Derives the overlay address of a public key.
    public var addressOfKey: @Sendable (RouterID) -> IPv6Address
    /// Whether the own address is announced as a /128 beside the /64: even stock senders then prefer it to a /64 of a key
    /// that was searched for.
    public var announcesHostRoute = true
    /// Whether routes of others are passed on. Not for a leaf.
    public var isTransit = true
    /// Between Hellos, in milliseconds: to stock nodes, and to hypha nodes.
    public var stockHello: UInt64 = 20_000
    public var hyphaHello: UInt64 = 4_000
    /// Silence after which a neighbour is dead, in milliseconds.
    public var stockDeadAfter: UInt64 = 43_000
    public var hyphaDeadAfter: UInt64 = 12_000
    /// How much better another route must be.
    public var hysteresis: UInt16 = 10
    /// Interval of Updates to stock nodes in centiseconds. The own prefixes are announced again at least so often.
    public var stockInterval: UInt16 = 30_000
    /// Time between dumps of all routes to a hypha node, in milliseconds, at least: they keep routes from expiring.
    public var hyphaRefresh: UInt64 = 300_000
    public var limits = RouterLimits()

    public init(key: [UInt8], addressOfKey: @escaping @Sendable (RouterID) -> IPv6Address) {
        self.key = key
        self.addressOfKey = addressOfKey
    }
}
