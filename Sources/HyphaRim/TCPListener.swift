internal import CKernel
internal import Glibc
public import HyphaBase

/// A TCP socket that listens. Closed when the last reference goes.
///
/// Its connections send at once (TCP_NODELAY), leave at most 128 KiB unsent in the kernel (TCP_NOTSENT_LOWAT), and end
/// when the peer acknowledges nothing for 12 s (TCP_USER_TIMEOUT). They send no keepalives.
public final class TCPListener: Sendable {
    let descriptor: Int32
    /// Where it listens; the port is the one in use when 0 was asked for.
    public let localAddress: SocketAddress

    private init(_ descriptor: Int32, localAddress: SocketAddress) {
        self.descriptor = descriptor
        self.localAddress = localAddress
    }

    deinit { chy_close(descriptor) }

    /// One listener on `address`. [::] is dual-stack, a mapped IPv4 address gives an IPv4 socket, port 0 any free port.
    public static func bind(_ address: SocketAddress) throws(RimError) -> TCPListener {
        try open(address, sharesPort: false)
    }

    /// One listener for each of `count` workers on the same address; with more than one they share the port
    /// (SO_REUSEPORT: the kernel spreads connections over them).
    public static func bind(_ address: SocketAddress, count: Int) throws(RimError) -> [TCPListener] {
        guard count > 1 else { return [try open(address, sharesPort: false)] }
        // A shared port would also be shared with a second node of the same user: an unshared listener notices it.
        var shared = address
        do {
            let probe = try open(address, sharesPort: false)
            shared.port = probe.localAddress.port
        }
        var listeners: [TCPListener] = []
        for _ in 0..<count { listeners.append(try open(shared, sharesPort: true)) }
        return listeners
    }

    private static func open(_ address: SocketAddress, sharesPort: Bool) throws(RimError) -> TCPListener {
        var native = chy_address(address)
        var step: UnsafePointer<CChar>?
        let descriptor = chy_tcp_listen(&native, sharesPort ? 1 : 0, &step)
        guard descriptor >= 0 else {
            throw RimError.cannotListen("TCP", address, step.map { String(cString: $0) } ?? "socket", -descriptor)
        }
        var local = chy_address()
        let code = chy_socket_address(descriptor, &local)
        let listener = TCPListener(descriptor, localAddress: local.socketAddress)
        guard code >= 0 else { throw RimError.cannotListen("TCP", address, "getsockname", -code) }
        return listener
    }
}
