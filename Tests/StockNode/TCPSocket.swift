import CKernel
import Glibc
import HyphaBase

/// Sockets as a stock node makes them: TCP_NODELAY and nothing else. All are non-blocking.
enum TCPSocket {
    /// Listens on [::], IPv4 included.
    static func listen(port: UInt16) throws(Failure) -> Int32 {
        let made = try make()
        set(made, SOL_SOCKET, SO_REUSEADDR)
        let any = SocketAddress(address: IPv6Address(high: 0, low: 0), port: port)
        guard name(any, { bind(made, $0, $1) }) == 0, Glibc.listen(made, 128) == 0 else {
            let code = errno
            close(made)
            throw Failure.system("cannot listen on port \(port)", code)
        }
        return made
    }

    /// A socket on its way to `address`: writable when it stands or has failed. Nil when it cannot even begin.
    static func dial(_ address: SocketAddress) -> Int32? {
        guard let made = try? make() else { return nil }
        if name(address, { connect(made, $0, $1) }) == 0 || errno == EINPROGRESS { return made }
        close(made)
        return nil
    }

    /// Why a dial failed; 0 when it did not.
    static func fault(_ descriptor: Int32) -> Int32 {
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size) == 0 ? code : errno
    }

    /// The next connection and where it came from.
    static func accept(_ listener: Int32) -> (descriptor: Int32, from: SocketAddress)? {
        let made = Glibc.accept(listener, nil, nil)
        guard made >= 0 else { return nil }
        prepare(made)
        var (local, remote) = (chy_address(), chy_address())
        guard chy_tcp_ends(made, &local, &remote) == 0,
            let address = withUnsafeBytes(of: remote.ip, { IPv6Address(bytes: Array($0)) })
        else {
            close(made)
            return nil
        }
        return (made, SocketAddress(address: address, port: remote.port))
    }

    private static func make() throws(Failure) -> Int32 {
        let made = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
        guard made >= 0 else { throw Failure.system("cannot make a socket", errno) }
        set(made, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0)
        prepare(made)
        return made
    }

    private static func prepare(_ descriptor: Int32) {
        set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    }

    private static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32, _ value: Int32 = 1) {
        var value = value
        setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    private static func name(_ address: SocketAddress, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var place = sockaddr_in6()
        place.sin6_family = sa_family_t(AF_INET6)
        place.sin6_port = address.port.bigEndian
        withUnsafeMutableBytes(of: &place.sin6_addr) { $0.copyBytes(from: address.address.bytes) }
        return withUnsafePointer(to: place) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in6>.size))
            }
        }
    }
}
