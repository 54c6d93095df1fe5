import HyphaBase
import HyphaControl
import HyphaFIB
import HyphaIdentity
import HyphaInterchange
import Testing

@Suite struct ControlPortTests {
    @Test func movesRecordsBothWays() throws {
        let fixture = PortFixture(dialling([2]))
        #expect(fixture.turn(.zero))
        #expect(fixture.asked == ["0 10.0.0.2 9651"] && fixture.wallSeconds == 7)
        #expect(!fixture.turn(.zero))
        // The table arrived: this node's own address is in it.
        let address = SimulatedNetwork.identity(1).address
        #expect(fixture.port.snapshots.take().lookup(address).kind == .local)
        fixture.port.snapshots.goOffline()

        fixture.change {
            $0.resolved(
                link: 0, host: "10.0.0.2", port: 9_651,
                addresses: [ResolvedAddress(address: SimulatedNetwork.endpoint(2), largestDatagram: 1_452)], now: .zero)
        }
        #expect(fixture.turn(.zero))
        let first = fixture.takeInjected()
        #expect(first.count == 1)
        #expect(first[0].head.kind == .datagram && first[0].head.destination == SimulatedNetwork.endpoint(2))
        #expect(first[0].bytes.count == 168 && first[0].bytes[0] == 1)
        #expect(fixture.takeCommands().isEmpty)
        let retry = try #require(fixture.nextDeadline)
        #expect(fixture.turn(retry))
        #expect(fixture.takeInjected().map(\.bytes) == first.map(\.bytes))

        // A handshake, a packet and a notice about nobody: read, counted, given back.
        fixture.punt(PuntedPacket(kind: .handshake, length: 168))
        fixture.punt(PuntedPacket(kind: .overlay, length: 2_000))
        fixture.notify(Notice(.linkSilent, id: 44))
        #expect(fixture.turn(retry))
        #expect(fixture.counters.link.refusedMalformed == 1)
        #expect(fixture.counters.overlayRefused == 1)
        #expect(!fixture.turn(retry))
    }

    @Test func losesNoCommandWhenTheRingIsFull() {
        // One `setPeer` for each of more routes than the ring has room for.
        var chance = Seed(5)
        let count = 4_200
        let routes = (0..<count).compactMap { _ in
            PublicKey(bytes: (0..<32).map { _ in UInt8(truncatingIfNeeded: chance.next()) })
        }.map { ConfiguredRoute(key: $0, via: SimulatedNetwork.identity(2).publicKey) }
        let fixture = PortFixture(ControlConfiguration(routes: routes, maxSessions: 5_000))
        #expect(fixture.turn(.zero))
        // Full: nothing is taken in, nothing is done, and it wants to be called again.
        fixture.notify(Notice(.flowNeeded, id: 0))
        #expect(!fixture.turn(.zero))
        #expect(fixture.nextDeadline == .zero && fixture.counters.flow.initSent == 0)
        var commands = fixture.takeCommands()
        #expect(commands.count == 4_096)
        #expect(fixture.turn(.zero))
        commands += fixture.takeCommands()
        #expect(commands.map(\.id) == (0..<UInt32(count)).map { $0 })
        let bits = WorkerCommand.ownsPrefixBit | WorkerCommand.nativeHintBit
        #expect(commands.allSatisfy { $0.operation == .setPeer && $0.value == bits })
        _ = fixture.turn(.zero)
        #expect(fixture.counters.flow.initSent == 1)
    }

    /// On a TCP link nothing is said twice: what finds the ring full waits.
    @Test func losesNothingForTCPLinks() {
        var configuration = streaming([])
        configuration.links = LinkNumbering(datagramLinks: 16, streams: 2_000)
        let fixture = PortFixture(configuration)
        var links: [UInt32] = []
        var next: UInt32 = 0
        // Each connection gets one piece at once. The worker takes none of them for a while.
        for round in 0..<40 {
            while next < 1_300 {
                let remote = SocketAddress(address: .mapped(ipv4: 0x0808_0000 | next), port: 1)
                let opening = StreamOpening(dial: .max, roundTrip: 1_000)
                let head = PuntedPacket(kind: .streamOpened, length: StreamOpening.size, link: next, sender: remote)
                guard fixture.punt(head, withUnsafeBytes(of: opening) { Array($0) }) else { break }
                next += 1
            }
            while fixture.turn(.zero) {}
            _ = fixture.takeCommands()
            guard round >= 20 else { continue }
            links += fixture.takeInjected().filter { $0.head.kind == .streamControl }.map(\.head.link)
        }
        #expect(links == (0..<1_300).map { $0 })
    }

    @Test func publishesLaterWhenTheWorkerHoldsTooMuch() {
        let fixture = PortFixture(ControlConfiguration())
        // The worker never moves on from the first table.
        _ = fixture.port.snapshots.take()
        var now = Instant.zero
        for _ in 0..<20 {
            fixture.change { $0.publicationRefused(now: now) }
            now = now.advanced(byMilliseconds: 6)
            _ = fixture.turn(now)
        }
        #expect(fixture.retiredSnapshots == SnapshotPublisher.maxRetired)
        _ = fixture.port.snapshots.take()
        now = now.advanced(byMilliseconds: 6)
        _ = fixture.turn(now)
        #expect(fixture.retiredSnapshots < SnapshotPublisher.maxRetired)
    }
}
