public import HyphaIdentity

/// A peer that this node dials.
public struct ConfiguredPeer: Sendable {
    public var key: PublicKey
    /// Host name, or IPv4 or IPv6 address without brackets.
    public var host: String
    /// UDP port.
    public var port: UInt16
    /// What people call it; empty when they do not.
    public var label: String
    /// In place of the node's own policy. `full` binds this node's own packets on the link.
    public var seal: SealPolicy?

    public init(key: PublicKey, host: String, port: UInt16, label: String = "", seal: SealPolicy? = nil) {
        self.key = key
        self.host = host
        self.port = port
        self.label = label
        self.seal = seal
    }
}
