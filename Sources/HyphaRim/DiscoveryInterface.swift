internal import CKernel
public import HyphaBase

/// A network interface that neighbours can be found on: up, able to multicast, neither loopback nor point-to-point (as a
/// TUN is), with an address in fe80::/64.
public struct DiscoveryInterface: Equatable, Sendable {
    /// Interfaces that are looked at at most.
    static let capacity = 4_096

    /// 1 to 15 bytes.
    public let name: String
    public let index: UInt32
    /// Its address in fe80::/64.
    public let address: IPv6Address
    /// A cable, a wireless network: what is sent goes somewhere.
    public let hasCarrier: Bool
    /// The kernel still makes sure that nobody else has the address: nothing can be sent from it for a moment.
    public let isChecking: Bool

    private init(_ native: chy_interface) {
        name = withUnsafeBytes(of: native.name) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        index = native.index
        address = withUnsafeBytes(of: native.ip) { bytes in
            bytes.baseAddress.map { IPv6Address(loading: $0) } ?? IPv6Address(high: 0, low: 0)
        }
        hasCarrier = native.running != 0
        isChecking = native.usable == 0
    }

    /// A beacon can leave through it.
    public var isReady: Bool { hasCarrier && !isChecking }

    /// All of the calling thread's network namespace at this moment, in order of index.
    static func all() throws(RimError) -> [DiscoveryInterface] {
        let room = UnsafeMutablePointer<chy_interface>.allocate(capacity: capacity)
        defer { room.deallocate() }
        let count = chy_multicast_interfaces(room, Int32(capacity))
        guard count >= 0 else {
            throw RimError(.system, "cannot list the network interfaces: netlink: \(RimError.text(-count))")
        }
        return (0..<Int(count)).map { DiscoveryInterface(room[$0]) }.sorted { $0.index < $1.index }
    }
}
