import HyphaBase
import Testing

@Suite struct SocketAddressTests {
    @Test func textRoundTrips() {
        var random = Seed(21)
        for address in IPv6AddressTests.samples(2_000) {
            let socket = SocketAddress(address: address, port: UInt16(truncatingIfNeeded: random.next()))
            #expect(SocketAddress(socket.description) == socket)
            #expect(socket.isIPv4 == (address.mappedIPv4 != nil))
            // IPv4 20 or IPv6 40 bytes, and 8 of UDP.
            #expect(socket.headerOverhead == (socket.isIPv4 ? 28 : 48))
        }
    }

    @Test func bothFamiliesAreRead() throws {
        let v4 = try #require(SocketAddress("192.0.2.7:9651"))
        #expect(v4.address == .mapped(ipv4: 0xC000_0207))
        #expect(v4.port == 9651)
        #expect(v4.description == "192.0.2.7:9651")
        let v6 = try #require(SocketAddress("[2001:db8::1]:1"))
        #expect(v6.address == IPv6Address("2001:db8::1"))
        #expect(v6.description == "[2001:db8::1]:1")
        #expect(v6.scope == 0)
    }

    @Test(arguments: [
        "", ":", "1.2.3.4", "1.2.3.4:", ":80", "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3.4:+80", "1.2.3.4:8 0",
        "1.2.3:80", "2001:db8::1:80", "[2001:db8::1]", "[2001:db8::1]80", "[2001:db8::1:80", "2001:db8::1]:80",
        "[]:80", "[1.2.3.4]:80", "host.example:80", "[::1%eth0]:80", "[[::1]]:80",
    ])
    func otherTextIsRefused(text: String) {
        #expect(SocketAddress(text) == nil)
    }
}
