import HyphaBase
import Testing

@testable import HyphaRim

@Suite struct ResolverTests {
    /// Waits for `count` answers.
    private func answers(_ count: Int, of resolver: Resolver, _ wake: Wake) -> [Resolution] {
        var list: [Resolution] = []
        let control = ControlWait(wake: wake)
        let limit = SystemClock.now().advanced(byMilliseconds: 30_000)
        while list.count < count && SystemClock.now() < limit {
            while let answer = resolver.take() { list.append(answer) }
            if list.count < count { _ = control.sleep(until: limit) }
        }
        return list
    }

    @Test func numericAddressesAndNames() throws {
        let wake = try Wake()
        let resolver = try Resolver.start(wake: wake)
        defer { resolver.stop() }
        #expect(resolver.resolve(id: 1, host: "192.0.2.7", port: 9_651))
        #expect(resolver.resolve(id: 2, host: "2001:db8::9", port: 1))
        #expect(resolver.resolve(id: 3, host: "localhost", port: 80))
        let list = answers(3, of: resolver, wake)
        #expect(list.map(\.id) == [1, 2, 3])
        #expect(list.first?.addresses == [try #require(SocketAddress("192.0.2.7:9651"))])
        #expect(list.dropFirst().first?.addresses == [try #require(SocketAddress("[2001:db8::9]:1"))])
        let local = try #require(list.last)
        #expect(local.error.isEmpty)
        #expect(!local.addresses.isEmpty && local.addresses.count <= Resolver.maxAddresses)
        #expect(local.addresses.allSatisfy { $0.port == 80 })
    }

    @Test func aWrongNameTellsWhich() throws {
        let wake = try Wake()
        let resolver = try Resolver.start(wake: wake)
        defer { resolver.stop() }
        // A label of more than 63 bytes never reaches a name server (RFC 1035).
        let host = String(repeating: "x", count: 70) + ".invalid"
        #expect(resolver.resolve(id: 9, host: host, port: 80))
        let answer = try #require(answers(1, of: resolver, wake).first)
        #expect(answer.id == 9)
        #expect(answer.addresses.isEmpty)
        #expect(answer.error.contains(host))
    }

    @Test func atMost64AreOpen() throws {
        let wake = try Wake()
        let resolver = try Resolver.start(wake: wake)
        defer { resolver.stop() }
        for id in 0..<64 { #expect(resolver.resolve(id: UInt64(id), host: "127.0.0.1", port: 1)) }
        #expect(!resolver.resolve(id: 64, host: "127.0.0.1", port: 1))
        #expect(answers(64, of: resolver, wake).map(\.id) == (0..<64).map { UInt64($0) })
        #expect(resolver.resolve(id: 65, host: "127.0.0.1", port: 1))
        #expect(answers(1, of: resolver, wake).first?.id == 65)
    }

    @Test func aStoppedResolverRefuses() throws {
        let resolver = try Resolver.start(wake: try Wake())
        resolver.stop()
        #expect(!resolver.resolve(id: 1, host: "127.0.0.1", port: 1))
        #expect(resolver.take() == nil)
    }

    @Test func pathMTUOfLoopback() throws {
        let v4 = try #require(SocketAddress("127.0.0.1:9"))
        let v6 = try #require(SocketAddress("[::1]:9"))
        // Loopback takes 64 KiB or what someone set; never less than IPv6 demands.
        #expect((1_232...PathMTU.largest).contains(PathMTU.toward(v4)))
        #expect((1_232...PathMTU.largest).contains(PathMTU.toward(v6)))
        let nowhere = try #require(SocketAddress("[2001:db8::1]:9"))
        #expect(PathMTU.toward(nowhere) >= 1_000)
    }
}
