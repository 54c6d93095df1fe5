public import HyphaBase
public import HyphaIdentity

/// What control knows about the node, at one moment.
public struct NodeStatus: Sendable {
    public let key: PublicKey
    public let address: IPv6Address
    /// By link id.
    public let links: [LinkStatus]
    /// By peer id.
    public let peers: [PeerStatus]
    public let counters: ControlCounters
}
