import HyphaBase
import Testing

@testable import HyphaRim

@Suite struct UDPSocketTests {
    /// What the attempt fails with.
    private func failure(_ address: SocketAddress, count: Int = 1) -> RimError? {
        do throws(RimError) {
            _ = try UDPSocket.bind(address, count: count)
            return nil
        } catch {
            return error
        }
    }

    @Test func portZeroGivesAFreePort() throws {
        let a = try UDPSocket.bind(Rig.loopback)
        let b = try UDPSocket.bind(Rig.loopback)
        #expect(a.localAddress.port != 0)
        #expect(a.localAddress.port != b.localAddress.port)
        #expect(a.localAddress.address == Rig.loopback.address)
        let v4 = try UDPSocket.bind(Rig.loopback4)
        #expect(v4.isIPv4)
        #expect(v4.localAddress.address == Rig.loopback4.address)
    }

    @Test func aTakenPortNamesAddressAndRemedy() throws {
        let first = try UDPSocket.bind(Rig.loopback)
        let error = failure(first.localAddress)
        #expect(error?.kind == .addressInUse)
        #expect(error?.description.contains("\(first.localAddress)") == true)
        #expect(error?.description.contains("another port") == true)
        // Workers that share a port do not share it with another program.
        #expect(failure(first.localAddress, count: 2)?.kind == .addressInUse)
    }

    @Test func workersShareAPort() throws {
        let sockets = try UDPSocket.bind(Rig.loopback, count: 3)
        #expect(sockets.count == 3)
        #expect(Set(sockets.map(\.localAddress)).count == 1)
        #expect(sockets[0].localAddress.port != 0)
        #expect(failure(sockets[0].localAddress)?.kind == .addressInUse)
    }

    @Test func aForeignAddressIsRefused() throws {
        // 192.0.2.0/24 and 2001:db8::/32 belong to nobody (RFC 5737, RFC 3849).
        let v4 = try #require(SocketAddress("192.0.2.1:0"))
        let v6 = try #require(SocketAddress("[2001:db8::1]:0"))
        for address in [v4, v6] {
            let error = failure(address)
            #expect(error?.kind == .badAddress)
            #expect(error?.description.contains("\(address)") == true)
        }
        let linkLocal = try #require(SocketAddress("[fe80::1]:0"))
        #expect(failure(linkLocal)?.description.contains("interface") == true)
    }

    @Test func closingFreesThePort() throws {
        var address = Rig.loopback
        do {
            let socket = try UDPSocket.bind(address)
            address = socket.localAddress
        }
        #expect(failure(address) == nil)
    }
}
