public import HyphaBase
public import HyphaIdentity

/// Where a node of the local network takes TCP connections, as its beacon says. Nothing of it is proven.
public struct DiscoveredEndpoint: Hashable, Sendable {
    /// Link-local address with the interface as scope, and the TCP port.
    public let address: SocketAddress
    /// The node's public key.
    public let key: PublicKey
    /// The router id carries the mark of a hypha node.
    public let isHypha: Bool
    /// Not to be dialled before this: both ends hear of each other at about the same time, and the connection of the
    /// other may come first. When the time has come and there is a connection with `isSameHost`, there is no need to.
    public let dialDue: Instant

    public init(address: SocketAddress, key: PublicKey, isHypha: Bool, dialDue: Instant) {
        self.address = address
        self.key = key
        self.isHypha = isHypha
        self.dialDue = dialDue
    }

    /// True when `other`, the far end of a connection that either side opened, is on the same host: any port.
    public func isSameHost(as other: SocketAddress) -> Bool {
        other.address == address.address && other.scope == address.scope
    }
}

extension DiscoveredEndpoint: CustomStringConvertible {
    /// "tcp://[fe80::1%2]:9651", with the interface as a number.
    public var description: String { "tcp://[\(address.address)%\(address.scope)]:\(address.port)" }
}
