import HyphaBase
import Testing

@testable import HyphaRim

@Suite struct TCPListenerTests {
    @Test func aPortInUseIsNamed() throws {
        let first = try TCPListener.bind(Rig.loopback)
        let error = #expect(throws: RimError.self) { try TCPListener.bind(first.localAddress) }
        #expect(error?.kind == .addressInUse)
        #expect(error?.description.contains("TCP \(first.localAddress)") == true)
        #expect(error?.description.contains("ss -tlpn 'sport = :\(first.localAddress.port)'") == true)
        // One of several workers' listeners does not slip in beside it either.
        #expect(throws: RimError.self) { try TCPListener.bind(first.localAddress, count: 2) }
    }

    @Test func workersShareAPort() throws {
        let listeners = try TCPListener.bind(Rig.loopback, count: 3)
        #expect(listeners.count == 3)
        #expect(Set(listeners.map(\.localAddress)).count == 1)
        #expect(listeners[0].localAddress.port != 0)
    }

    @Test func aForeignAddressIsRefused() throws {
        let foreign = try #require(SocketAddress("192.0.2.1:9651"))
        let error = #expect(throws: RimError.self) { try TCPListener.bind(foreign) }
        #expect(error?.kind == .badAddress)
    }
}
