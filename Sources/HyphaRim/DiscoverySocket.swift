internal import CKernel
internal import Glibc
public import HyphaBase
internal import HyphaWire

/// Where the beacons of the local network go out and come in: a UDP socket on [::]:port, member of ff02::cafe on every
/// suitable interface. Nodes of one host share the port, but do not hear each other, since nothing is looped back.
///
/// For the control thread alone: plain system calls, none of which waits. Closed when the last reference goes.
public final class DiscoverySocket {
    public struct Options: Sendable {
        /// UDP port, here and at the other nodes; 1 to 65,535.
        public var port = DiscoveryBeacon.port
        /// Names of the interfaces to use; empty: all suitable ones.
        public var interfaces: [String] = []
        /// Index of the node's own TUN, which is never used; 0 without one.
        public var ownTun: UInt32 = 0

        public init() {}
    }

    /// What came of one beacon on all interfaces.
    public struct Round: Sendable {
        /// Interfaces that beacons are heard on from now on, in order of index.
        public fileprivate(set) var interfaces: [DiscoveryInterface] = []
        /// Those of them that the beacon left through, and those that refused it. The rest is not ready.
        public fileprivate(set) var sent = 0
        public fileprivate(set) var failed = 0
        /// Those that will be ready in a moment.
        public var checking: Int { interfaces.reduce(0) { $0 + ($1.hasCarrier && $1.isChecking ? 1 : 0) } }
        /// One for each interface that cannot be used as it should.
        public fileprivate(set) var problems: [RimError] = []
    }

    /// Interfaces joined at most.
    public static let maxInterfaces = 256

    private let descriptor: Int32
    private let options: Options
    private var joined: [DiscoveryInterface] = []

    /// Binds the port; interfaces are joined with the first beacon.
    public static func open(_ options: Options) throws(RimError) -> DiscoverySocket {
        var step: UnsafePointer<CChar>?
        let descriptor = chy_multicast_open(options.port, &step)
        guard descriptor >= 0 else {
            throw RimError.cannotDiscover(options.port, step.map { String(cString: $0) } ?? "socket", -descriptor)
        }
        return DiscoverySocket(descriptor, options)
    }

    private init(_ descriptor: Int32, _ options: Options) {
        self.descriptor = descriptor
        self.options = options
    }

    deinit { chy_close(descriptor) }

    /// For `ControlWait`, as long as the socket is there.
    public var waitDescriptor: WaitDescriptor { WaitDescriptor(number: descriptor) }

    /// Looks for interfaces that came or went, and sends one datagram through each that is ready.
    public func send(_ beacon: [UInt8]) -> Round {
        var round = Round()
        do throws(RimError) {
            update(to: try DiscoveryInterface.all(), &round)
        } catch {
            round.problems.append(error)
        }
        round.interfaces = joined
        for interface in joined where interface.isReady {
            let code = send(beacon, through: interface)
            if code == 0 {
                round.sent += 1
            } else {
                round.failed += 1
                round.problems.append(DiscoverySocket.refused("send a beacon through", interface, -code))
            }
        }
        return round
    }

    /// The next datagram, as much of it as there is room for, and where it came from: link-local senders with their
    /// interface as scope, which need not be one that this socket joined: another socket of the host may have. Nil when
    /// none waits.
    public func receive(into bytes: UnsafeMutableRawBufferPointer) -> (source: SocketAddress, count: Int)? {
        var source = chy_address()
        let count = chy_receive_from(descriptor, bytes.baseAddress, bytes.count, &source)
        return count < 0 ? nil : (source.socketAddress, Int(count))
    }

    /// Leaves interfaces that are gone, joins new ones.
    private func update(to all: [DiscoveryInterface], _ round: inout Round) {
        let names = options.interfaces
        let suitable = all.filter { interface in
            interface.index != options.ownTun && (names.isEmpty || names.contains(interface.name))
        }
        if suitable.count > DiscoverySocket.maxInterfaces {
            round.problems.append(
                RimError(
                    .system,
                    "there are \(suitable.count) interfaces to find neighbours on, and the first "
                        + "\(DiscoverySocket.maxInterfaces) are used: name those that matter in discovery.interfaces"))
        }
        let wanted = suitable.prefix(DiscoverySocket.maxInterfaces)
        // An index that has another name now is another interface.
        func isSame(_ a: DiscoveryInterface, _ b: DiscoveryInterface) -> Bool { a.index == b.index && a.name == b.name }
        let old = joined
        for gone in old where !wanted.contains(where: { isSame($0, gone) }) {
            _ = DiscoverySocket.withGroup { chy_multicast_leave(descriptor, $0, gone.index) }
        }
        joined = []
        for interface in wanted {
            if !old.contains(where: { isSame($0, interface) }) {
                let code = DiscoverySocket.withGroup { chy_multicast_join(descriptor, $0, interface.index) }
                guard code == 0 else {
                    round.problems.append(DiscoverySocket.refused("join the multicast group on", interface, -code))
                    continue
                }
            }
            joined.append(interface)
        }
        for name in names where !suitable.contains(where: { $0.name == name }) {
            round.problems.append(DiscoverySocket.unusable(name))
        }
    }

    private func send(_ beacon: [UInt8], through interface: DiscoveryInterface) -> Int32 {
        var target = chy_address(
            SocketAddress(address: DiscoveryBeacon.group, port: options.port, scope: interface.index))
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 16) { source in
            if let start = source.baseAddress { interface.address.store(to: start) }
            return chy_multicast_send(descriptor, &target, source.baseAddress, beacon, beacon.count)
        }
    }

    private static func withGroup(_ body: (UnsafePointer<UInt8>?) -> Int32) -> Int32 {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 16) { group in
            if let start = group.baseAddress { DiscoveryBeacon.group.store(to: start) }
            return body(UnsafePointer(group.baseAddress))
        }
    }

    private static func unusable(_ name: String) -> RimError {
        guard chy_link_index(name) > 0 else {
            return RimError(
                .badName, "there is no interface \(name) to find neighbours on (ip link lists those there are)")
        }
        return RimError(
            .badName,
            "neighbours cannot be found on \(name): it must be up, able to multicast, no loopback, TUN or other "
                + "point-to-point interface, and have a link-local IPv6 address (ip addr show dev \(name))")
    }

    private static func refused(_ what: String, _ interface: DiscoveryInterface, _ code: Int32) -> RimError {
        let firewall = code == EPERM || code == EACCES ? "; the firewall of this host must let it out" : ""
        return RimError(.system, "cannot \(what) \(interface.name): \(RimError.text(code))\(firewall)")
    }
}

extension RimError {
    /// Why neighbours on the local network cannot be looked for.
    fileprivate static func cannotDiscover(_ port: UInt16, _ step: String, _ code: Int32) -> RimError {
        switch code {
        case EADDRINUSE:
            RimError(
                .addressInUse,
                "UDP port \(port) is in use by a program that does not share it: stop that program "
                    + "(ss -ulpn 'sport = :\(port)' names it), or give all nodes of the network another discovery.port")
        case EAFNOSUPPORT, EADDRNOTAVAIL:
            RimError(.badAddress, "the kernel has no IPv6, which neighbours on the local network are found by")
        case EACCES, EPERM:
            RimError(
                .permission,
                "UDP port \(port) is not permitted: ports below 1024 need CAP_NET_BIND_SERVICE, or choose a "
                    + "discovery.port from 1024 on")
        default:
            RimError(.system, "cannot open UDP port \(port) for multicast: \(step): \(RimError.text(code))")
        }
    }
}
