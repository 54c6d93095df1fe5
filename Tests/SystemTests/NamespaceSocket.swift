import Foundation
import Glibc

/// A socket that lives in a network namespace while this process stays where it is.
final class NamespaceSocket: Sendable {
    let descriptor: Int32

    private typealias SetNamespace = @convention(c) (Int32, Int32) -> Int32
    /// CLONE_NEWNET of linux/sched.h, which the C library shows to GNU sources only, as it does setns.
    private static let networkNamespace: Int32 = 0x4000_0000

    /// A socket of `type` in `space`. The thread enters the namespace for the call alone.
    init(_ family: Int32, _ type: __socket_type, in space: String) throws {
        guard let symbol = dlsym(dlopen(nil, RTLD_NOW), "setns") else { throw SystemTestError("no setns") }
        let setns = unsafeBitCast(symbol, to: SetNamespace.self)
        let home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
        let away = open("/run/netns/\(space)", O_RDONLY | O_CLOEXEC)
        defer {
            close(home)
            close(away)
        }
        guard home >= 0, away >= 0, setns(away, Self.networkNamespace) == 0 else {
            throw SystemTestError("cannot enter the namespace \(space): errno \(errno)")
        }
        let made = socket(family, Int32(type.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        let failure = errno
        guard setns(home, Self.networkNamespace) == 0 else { throw SystemTestError("cannot leave \(space)") }
        guard made >= 0 else { throw SystemTestError("no socket: errno \(failure)") }
        descriptor = made
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(made, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(made, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    private init(accepted descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    private static func withAddress<Result>(
        _ address: String, _ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) throws -> Result {
        var place = sockaddr_in6()
        place.sin6_family = sa_family_t(AF_INET6)
        place.sin6_port = port.bigEndian
        guard inet_pton(AF_INET6, address, &place.sin6_addr) == 1 else {
            throw SystemTestError("bad address \(address)")
        }
        return withUnsafePointer(to: place) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in6>.size))
            }
        }
    }

    private func check(_ result: Int, _ what: String) throws {
        if result < 0 { throw SystemTestError("\(what): \(String(cString: strerror(errno)))") }
    }

    func bind(_ address: String, port: UInt16) throws {
        try check(Int(try Self.withAddress(address, port) { Glibc.bind(descriptor, $0, $1) }), "bind")
    }

    func connect(_ address: String, port: UInt16) throws {
        try check(Int(try Self.withAddress(address, port) { Glibc.connect(descriptor, $0, $1) }), "connect")
    }

    func listen() throws { try check(Int(Glibc.listen(descriptor, 4)), "listen") }

    func accept() throws -> NamespaceSocket {
        let made = Glibc.accept(descriptor, nil, nil)
        try check(Int(made), "accept")
        return NamespaceSocket(accepted: made)
    }

    /// Sends a datagram, or all of a stream's bytes.
    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { raw in
                raw.baseAddress.map {
                    Glibc.send(descriptor, $0 + sent, raw.count - sent, Int32(MSG_NOSIGNAL))
                } ?? 0
            }
            try check(count, "send")
            sent += max(count, 1)
        }
    }

    /// One datagram, or some bytes of a stream; nil after 20 s without any.
    func receive(_ most: Int = 65_536) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: most)
        let count = recv(descriptor, &bytes, most, 0)
        return count < 0 ? nil : Array(bytes[..<count])
    }

    /// No more will be sent.
    func finish() { shutdown(descriptor, Int32(SHUT_WR)) }
}
