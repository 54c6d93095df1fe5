internal import CKernel
internal import Glibc
public import HyphaBase

/// A bound UDP socket. Closed when the last reference goes.
///
/// Everything it sends carries the don't-fragment bit: the path MTU is the protocol's business.
public final class UDPSocket: Sendable {
    public struct Options: Sendable {
        /// Bytes of the kernel's receive queue. More than 4 MiB outgrows the cache and is slower.
        public var receiveBuffer = 4 << 20
        /// Bytes of the kernel's send queue.
        public var sendBuffer = 4 << 20
        /// Receive trains as one (UDP_GRO). `on` fails without it.
        public var gro = OffloadSettings.Mode.auto

        public init() {}
    }

    let descriptor: Int32
    /// Bound to an IPv4 address: sends to IPv4 only.
    public let isIPv4: Bool
    /// Trains are received as one.
    public let hasGRO: Bool
    /// Where it is bound; the port is the one in use when 0 was asked for.
    public let localAddress: SocketAddress

    private init(_ descriptor: Int32, isIPv4: Bool, hasGRO: Bool, localAddress: SocketAddress) {
        self.descriptor = descriptor
        self.isIPv4 = isIPv4
        self.hasGRO = hasGRO
        self.localAddress = localAddress
    }

    deinit { chy_close(descriptor) }

    /// One socket on `address`. [::] is dual-stack, a mapped IPv4 address gives an IPv4 socket, port 0 any free port.
    public static func bind(_ address: SocketAddress, options: Options = Options()) throws(RimError) -> UDPSocket {
        try open(address, options, sharesPort: false)
    }

    /// One socket for each of `count` workers on the same address; with more than one they share the port
    /// (SO_REUSEPORT: the kernel spreads flows over them).
    public static func bind(
        _ address: SocketAddress, count: Int, options: Options = Options()
    ) throws(RimError) -> [UDPSocket] {
        guard count > 1 else { return [try open(address, options, sharesPort: false)] }
        // A shared port would also be shared with a second node of the same user: an unshared socket notices it.
        var shared = address
        do {
            let probe = try open(address, options, sharesPort: false)
            shared.port = probe.localAddress.port
        }
        var sockets: [UDPSocket] = []
        for _ in 0..<count { sockets.append(try open(shared, options, sharesPort: true)) }
        return sockets
    }

    private static func open(
        _ address: SocketAddress, _ options: Options, sharesPort: Bool
    ) throws(RimError) -> UDPSocket {
        var native = chy_address(address)
        var wanted = chy_udp_options(
            reuse_port: sharesPort ? 1 : 0, gro: options.gro == .off ? 0 : 1,
            receive_buffer: Int32(clamping: options.receiveBuffer), send_buffer: Int32(clamping: options.sendBuffer))
        var isIPv4: Int32 = 0
        var hasGRO: Int32 = 0
        var step: UnsafePointer<CChar>?
        let descriptor = chy_udp_open(&native, &wanted, &isIPv4, &hasGRO, &step)
        guard descriptor >= 0 else {
            throw RimError.cannotListen("UDP", address, step.map { String(cString: $0) } ?? "socket", -descriptor)
        }
        var local = chy_address()
        let code = chy_socket_address(descriptor, &local)
        let socket = UDPSocket(
            descriptor, isIPv4: isIPv4 == 1, hasGRO: hasGRO == 1, localAddress: local.socketAddress)
        guard code >= 0 else { throw RimError.cannotListen("UDP", address, "getsockname", -code) }
        guard options.gro != .on || socket.hasGRO else {
            throw RimError(
                .offloadUnavailable,
                "udp_gro = \"on\", but the kernel refuses UDP_GRO on \(address): set it to \"auto\" or \"off\"")
        }
        return socket
    }
}
