public import HyphaBase

/// The datagram by which stock nodes find each other on a local network: sent to [ff02::cafe]:9650 on every interface,
/// once a minute. Network byte order. Nothing authenticates it.
///
/// | off | size | field |
/// |---|---|---|
/// | 0 | 8 | "mycelium" |
/// | 8 | 2 | TCP port that the sender listens on |
/// | 10 | 40 | router id of the sender |
public struct DiscoveryBeacon: Equatable, Sendable {
    public static let size = 50
    public static let routerIDSize = 40
    /// The group that beacons are sent to: ff02::cafe, which never leaves the local network.
    public static let group = IPv6Address(high: 0xFF02_0000_0000_0000, low: 0xCAFE)
    /// UDP port of sender and receiver, unless configured otherwise.
    public static let port: UInt16 = 9_650
    /// Seconds between beacons.
    public static let interval = 60
    static let magic = Array("mycelium".utf8)

    public let port: UInt16
    /// 40 bytes.
    public let routerID: [UInt8]

    /// Nil when the router id is not 40 bytes, or the port is 0, which nobody listens on.
    public init?(port: UInt16, routerID: [UInt8]) {
        guard port != 0, routerID.count == DiscoveryBeacon.routerIDSize else { return nil }
        self.port = port
        self.routerID = routerID
    }

    /// From a datagram; nil without the magic or below 50 bytes. Stock receivers read 50 bytes and never see more, so
    /// whatever follows is ignored.
    ///
    /// The receiver also requires a source in fe80::/64 and a router id other than its own.
    public init?(_ datagram: UnsafeRawBufferPointer) {
        var reader = ByteReader(datagram)
        guard let magic = reader.take(8), magic.elementsEqual(DiscoveryBeacon.magic),
            let port = reader.networkUInt16(), let routerID = reader.take(DiscoveryBeacon.routerIDSize)
        else { return nil }
        self.init(port: port, routerID: Array(routerID))
    }

    /// The 50 bytes.
    public var bytes: [UInt8] {
        DiscoveryBeacon.magic + [UInt8(truncatingIfNeeded: port >> 8), UInt8(truncatingIfNeeded: port)] + routerID
    }
}
