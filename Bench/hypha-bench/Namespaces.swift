import CBench
import Glibc

/// A network namespace of one run. The kernel frees it, with all that is in it, when the benchmark and its children end.
struct Namespace {
    /// What messages call it.
    let name: String
    /// Open descriptor of the namespace.
    let descriptor: Int32
    /// A path by which other processes find it while the benchmark runs.
    var path: String { "/proc/\(getpid())/fd/\(descriptor)" }

    init(name: String) throws(BenchError) {
        self.name = name
        descriptor = cbench_namespace_create()
        guard descriptor >= 0 else {
            let reason = String(cString: strerror(errno))
            throw .unavailable("cannot create network namespaces (\(reason)): run as root with CAP_SYS_ADMIN")
        }
    }
}

/// The networks that benchmarks run in, with private addresses only.
enum Namespaces {
    /// Where the nodes of the relay topology are.
    enum Relay {
        static let sender = "fd11::1"
        static let relayTowardsSender = "fd11::2"
        static let relayTowardsSink = "fd12::2"
        static let sink = "fd12::3"
        static let relayTowardsThird = "fd13::2"
        static let third = "fd13::4"
        /// MTU of both links, and of links that carry TCP.
        static let mtu = 9_000
        static let streamMTU = 1_500
    }

    /// Where the two nodes of the tunnel topology are: IPv4, so that a TUN MTU of 1400 fits a path of 1500.
    enum Tunnel {
        static let a = "10.211.0.1"
        static let b = "10.211.0.2"
        static let mtu = 1_500
    }

    /// A (a0) - (ra0) R (rb0) - (b0) B. `singles`: the link from A carries no trains, so that R gets each datagram alone.
    static func relay(
        _ testbed: Testbed, singles: Bool = false, mtu: Int = Relay.mtu
    ) throws(BenchError) -> (sender: Namespace, relay: Namespace, sink: Namespace) {
        let a = try testbed.makeNamespace("A")
        let r = try testbed.makeNamespace("R")
        let b = try testbed.makeNamespace("B")
        try link(testbed, a, "a0", r, "ra0", mtu: mtu)
        try link(testbed, b, "b0", r, "rb0", mtu: mtu)
        try address(testbed, a, "a0", "\(Relay.sender)/64")
        try address(testbed, r, "ra0", "\(Relay.relayTowardsSender)/64")
        try address(testbed, r, "rb0", "\(Relay.relayTowardsSink)/64")
        try address(testbed, b, "b0", "\(Relay.sink)/64")
        if singles {
            try testbed.run(["ethtool", "-K", "a0", "tx-udp-segmentation", "off"], in: a)
        }
        return (a, r, b)
    }

    /// R (rc0) - (c0) C: one more neighbour of the relay.
    static func third(_ testbed: Testbed, of r: Namespace) throws(BenchError) -> Namespace {
        let c = try testbed.makeNamespace("C")
        try link(testbed, c, "c0", r, "rc0", mtu: Relay.streamMTU)
        try address(testbed, c, "c0", "\(Relay.third)/64")
        try address(testbed, r, "rc0", "\(Relay.relayTowardsThird)/64")
        return c
    }

    /// A (a0) - (b0) B.
    static func tunnel(_ testbed: Testbed) throws(BenchError) -> (a: Namespace, b: Namespace) {
        let a = try testbed.makeNamespace("A")
        let b = try testbed.makeNamespace("B")
        try link(testbed, a, "a0", b, "b0", mtu: Tunnel.mtu)
        try address(testbed, a, "a0", "\(Tunnel.a)/24")
        try address(testbed, b, "b0", "\(Tunnel.b)/24")
        return (a, b)
    }

    private static func link(
        _ testbed: Testbed, _ a: Namespace, _ aName: String, _ b: Namespace, _ bName: String, mtu: Int
    ) throws(BenchError) {
        try testbed.run(
            ["ip", "link", "add", aName, "mtu", "\(mtu)", "type", "veth", "peer", "name", bName, "netns", b.path],
            in: a)
        try testbed.run(["ip", "link", "set", bName, "mtu", "\(mtu)"], in: b)
        for (namespace, name) in [(a, aName), (b, bName)] {
            try testbed.run(["ip", "link", "set", "lo", "up"], in: namespace)
            try testbed.run(["ip", "link", "set", name, "up"], in: namespace)
        }
    }

    /// The congestion control of TCP in a namespace.
    static func setCongestionControl(
        _ testbed: Testbed, _ namespace: Namespace, _ name: String
    ) throws(BenchError) {
        // The shell runs in the namespace, and sees its settings.
        try testbed.run(
            ["sh", "-c", "echo \"$0\" > /proc/sys/net/ipv4/tcp_congestion_control", name], in: namespace)
    }

    private static func address(
        _ testbed: Testbed, _ namespace: Namespace, _ device: String, _ address: String
    ) throws(BenchError) {
        // Without duplicate address detection an IPv6 address can be used at once.
        let flags = address.contains(":") ? ["nodad"] : []
        try testbed.run(["ip", "address", "add", address, "dev", device] + flags, in: namespace)
    }
}
