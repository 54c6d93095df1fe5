/// What local discovery counts. Every datagram received is counted once more: as limited, refused, full or heard.
public struct DiscoveryCounters: Sendable, Equatable {
    public var beaconsSent: UInt64 = 0
    /// Beacons that the kernel did not take.
    public var beaconsFailed: UInt64 = 0
    public var received: UInt64 = 0
    /// Datagrams beyond what is looked at in a second.
    public var limited: UInt64 = 0
    /// Datagrams of senders outside of fe80::/64.
    public var refusedSource: UInt64 = 0
    /// Datagrams on an interface that was not chosen.
    public var refusedInterface: UInt64 = 0
    /// Datagrams that are no beacon.
    public var refusedMalformed: UInt64 = 0
    /// Beacons with the key of this node.
    public var refusedOwn: UInt64 = 0
    /// Beacons of new endpoints when as many are remembered as may be.
    public var full: UInt64 = 0
    /// Beacons of endpoints that are remembered now.
    public var heard: UInt64 = 0
    /// Endpoints reported.
    public var found: UInt64 = 0
    /// Endpoints forgotten because nobody answers there, and because nothing was heard of them.
    public var forgottenFailed: UInt64 = 0
    public var forgottenSilent: UInt64 = 0

    public init() {}

    /// All of them by their stable names, in a fixed order.
    public var all: [(name: String, value: UInt64)] {
        [
            ("beacons_sent", beaconsSent), ("beacons_failed", beaconsFailed), ("beacons_received", received),
            ("beacons_limited", limited), ("beacons_refused_source", refusedSource),
            ("beacons_refused_interface", refusedInterface), ("beacons_refused_malformed", refusedMalformed),
            ("beacons_refused_own", refusedOwn), ("beacons_refused_full", full), ("beacons_heard", heard),
            ("neighbours_found", found), ("neighbours_unreachable", forgottenFailed),
            ("neighbours_silent", forgottenSilent),
        ]
    }
}
