/// A stock node, or another that speaks its protocol, that this node dials over TCP.
public struct ConfiguredStreamPeer: Sendable {
    /// Host name, or IPv4 or IPv6 address without brackets.
    public var host: String
    /// TCP port.
    public var port: UInt16
    /// What people call it; empty when they do not.
    public var label: String

    public init(host: String, port: UInt16, label: String = "") {
        self.host = host
        self.port = port
        self.label = label
    }
}
