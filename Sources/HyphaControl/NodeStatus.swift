public import HyphaBase
public import HyphaIdentity

/// What control knows about the node, at one moment.
public struct NodeStatus: Sendable {
    public let key: PublicKey
    public let address: IPv6Address
    /// By link id.
    public let links: [LinkStatus]
    /// TCP links: those that this node dials, in the order of the configuration, then those that came in.
    public let streams: [StreamStatus]
    /// By peer id.
    public let peers: [PeerStatus]
    public let counters: ControlCounters
    /// What the router counts, and how full its tables are (`table_…`); empty without routing.
    public let routing: [(name: String, value: UInt64)]
}
