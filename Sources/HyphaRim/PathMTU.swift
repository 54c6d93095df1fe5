internal import CKernel
public import HyphaBase

/// What the kernel knows about the way to an address.
public enum PathMTU {
    /// Used when the kernel knows nothing: the IPv6 minimum of 1,280 (RFC 8200) without IPv6 and UDP header.
    public static let unknown = 1_232
    /// The largest UDP payload over IPv4, whatever the link takes.
    public static let largest = 65_507

    /// The largest UDP payload in bytes that goes to `destination` unfragmented by what routes and earlier
    /// "packet too big" messages say; `unknown` without a route. Three system calls: for set-up, not for packets.
    public static func toward(_ destination: SocketAddress) -> Int {
        var native = chy_address(destination)
        let mtu = chy_path_mtu(&native)
        let payload = Int(mtu) - destination.headerOverhead
        return mtu > 0 && payload > 0 ? min(payload, largest) : unknown
    }
}
