import HyphaBase
import HyphaIdentity
import HyphaWire
import Testing

@testable import HyphaControl

@Suite struct DiscoveryTests {
    private static let start = Instant(nanoseconds: 5_000_000_000)

    private static func key(_ number: UInt8) -> PublicKey {
        guard let key = PublicKey(bytes: [UInt8](repeating: number, count: 32)) else { preconditionFailure() }
        return key
    }

    private static let own = key(0xEE)

    private static func beacon(_ number: UInt8, port: UInt16 = 9_651, zone: UInt16 = 0) -> [UInt8] {
        let id = RouterID(key: key(number).bytes, zone: zone, random: 77)
        return DiscoveryBeacon(port: port, routerID: id?.bytes ?? [])?.bytes ?? []
    }

    private static func source(_ number: UInt64, scope: UInt32 = 2) -> SocketAddress {
        SocketAddress(address: IPv6Address(high: 0xFE80_0000_0000_0000, low: number), port: 9_650, scope: scope)
    }

    /// One that listens on interfaces 2 and 3.
    private static func make(seed: UInt64 = 1) -> Discovery {
        var discovery = Discovery(own: own, seed: seed, now: start)
        discovery.beaconSent(on: [2, 3], sent: 2, failed: 0, checking: 0, now: start)
        return discovery
    }

    private static func receive(
        _ discovery: inout Discovery, _ bytes: [UInt8], from source: SocketAddress, at now: Instant = start
    ) -> DiscoveredEndpoint? {
        bytes.withUnsafeBytes { discovery.receive($0, from: source, now: now) }
    }

    private static func seconds(_ seconds: UInt64) -> Instant { start.advanced(byMilliseconds: seconds * 1_000) }

    // MARK: - Beacons that go out

    @Test func theFirstBeaconIsDueAtOnceAndThenOneAMinute() {
        var discovery = Discovery(own: Self.own, seed: 3, now: Self.start)
        #expect(discovery.beaconDue == Self.start && discovery.nextDeadline == Self.start)
        var now = Self.start
        var gaps: [Double] = []
        for _ in 0..<200 {
            discovery.beaconSent(on: [2], sent: 1, failed: 0, checking: 0, now: now)
            #expect(!discovery.isRetrying)
            gaps.append(Double(discovery.beaconDue.nanoseconds(since: now)) / 1e9)
            now = discovery.beaconDue
        }
        #expect(gaps.allSatisfy { (57...63).contains($0) })
        let mean = gaps.reduce(0, +) / 200
        #expect((59...61).contains(mean))
        #expect(Set(gaps).count > 100)
        #expect(discovery.counters.beaconsSent == 200)
    }

    @Test func theSameSeedGivesTheSameTimes() {
        func run(_ seed: UInt64) -> [UInt64] {
            var discovery = Discovery(own: Self.own, seed: seed, now: Self.start)
            return (0..<20).map { _ in
                discovery.beaconSent(on: [2], sent: 1, failed: 0, checking: 0, now: Self.start)
                return discovery.beaconDue.nanoseconds
            }
        }
        #expect(run(9) == run(9))
        #expect(run(9) != run(10))
    }

    /// Pauses in seconds, rounded, while each beacon on two interfaces, or none, ends as told.
    private func pauses(_ rounds: [(sent: Int, failed: Int, checking: Int)?]) -> [UInt64] {
        var discovery = Discovery(own: Self.own, seed: 4, now: Self.start)
        var now = Self.start
        return rounds.map { round in
            discovery.beaconSent(
                on: round == nil ? [] : [2, 3], sent: round?.sent ?? 0, failed: round?.failed ?? 0,
                checking: round?.checking ?? 0, now: now)
            let pause = discovery.beaconDue.milliseconds(since: now)
            #expect(discovery.isRetrying == (pause < 10_000))
            now = discovery.beaconDue
            return pause < 10_000 ? pause / 1_000 : 60
        }
    }

    @Test func whatIsNotReadyIsTriedAgainSoon() {
        let checking = (sent: 0, failed: 0, checking: 2)
        let half = (sent: 1, failed: 0, checking: 1)
        let unplugged = (sent: 1, failed: 0, checking: 0)
        let refused = (sent: 1, failed: 1, checking: 0)
        let good = (sent: 2, failed: 0, checking: 0)
        // Without any interface: soon after the start, then no more haste.
        #expect(pauses([nil, nil, nil, nil, nil, nil]) == [1, 2, 4, 60, 60, 60])
        // Ready after a while.
        #expect(pauses([checking, checking, good, good]) == [1, 2, 60, 60])
        #expect(pauses([half, good]) == [1, 60])
        // An interface that comes later gets its haste, also where there was none for long.
        #expect(pauses([good, half, good, half, half]) == [60, 1, 60, 1, 2])
        #expect(pauses([nil, nil, nil, nil, checking, checking, good]) == [1, 2, 4, 60, 1, 2, 60])
        #expect(pauses([unplugged, unplugged, unplugged, unplugged, half, half]) == [1, 2, 4, 60, 1, 2])
        #expect(pauses([nil, nil, nil, nil, good, nil]) == [1, 2, 4, 60, 60, 1])
        // One that always refuses or never has a carrier does not.
        #expect(pauses([refused, refused, refused, refused, refused]) == [1, 2, 4, 60, 60])
        #expect(pauses([unplugged, unplugged, unplugged, unplugged, unplugged]) == [1, 2, 4, 60, 60])
    }

    // MARK: - Beacons that come in

    @Test func aBeaconBecomesAnEndpointOnce() throws {
        var discovery = Self.make()
        let found = try #require(Self.receive(&discovery, Self.beacon(1, port: 4_000), from: Self.source(5)))
        #expect(
            found.address
                == SocketAddress(
                    address: IPv6Address(high: 0xFE80_0000_0000_0000, low: 5), port: 4_000, scope: 2))
        #expect(found.key == Self.key(1) && !found.isHypha)
        #expect("\(found)" == "tcp://[fe80::5%2]:4000")
        #expect(Self.receive(&discovery, Self.beacon(1, port: 4_000), from: Self.source(5)) == nil)
        // Another interface, another port and another host are other endpoints, whoever is behind them.
        #expect(Self.receive(&discovery, Self.beacon(1, port: 4_000), from: Self.source(5, scope: 3)) != nil)
        #expect(Self.receive(&discovery, Self.beacon(1, port: 4_001), from: Self.source(5)) != nil)
        #expect(Self.receive(&discovery, Self.beacon(1, port: 4_000), from: Self.source(6)) != nil)
        #expect(discovery.endpoints.count == 4 && discovery.endpoints.first == found)
        #expect(discovery.counters.found == 4 && discovery.counters.heard == 5)
    }

    @Test func theZoneTellsWhoIsHypha() {
        var discovery = Self.make()
        let zones: [UInt16] = [0, 0x4800, 0x48FF, 0x4700, 0x0048, 0xFFFF]
        let hypha = zones.enumerated().map { i, zone in
            Self.receive(&discovery, Self.beacon(UInt8(i + 1), zone: zone), from: Self.source(UInt64(i)))?.isHypha
        }
        #expect(hypha == [false, true, true, false, false, false])
    }

    @Test func whatIsNoBeaconForUsIsRefusedAndCounted() {
        var discovery = Self.make()
        let good = Self.beacon(1)
        func refused(_ bytes: [UInt8], _ source: SocketAddress, at now: Instant) -> Bool {
            Self.receive(&discovery, bytes, from: source, at: now) == nil
        }
        // Senders that no link-local network has.
        for (i, text) in ["fe80:0:0:1::5", "fe81::5", "fe80:8000::5", "fd00::5", "::1", "ff02::1", "::"].enumerated() {
            let source = SocketAddress(address: IPv6Address(text) ?? Self.source(0).address, port: 9_650, scope: 2)
            #expect(refused(good, source, at: Self.seconds(UInt64(i))))
        }
        #expect(discovery.counters.refusedSource == 7)
        for scope in [0, 1, 4, .max] as [UInt32] {
            #expect(refused(good, Self.source(5, scope: scope), at: Self.seconds(10)))
        }
        #expect(discovery.counters.refusedInterface == 4)
        // Cut, without magic, without port.
        for count in [0, 1, 8, 10, 49] { #expect(refused(Array(good[..<count]), Self.source(5), at: Self.seconds(20))) }
        for i in 0..<8 {
            var bad = good
            bad[i] ^= 1
            #expect(refused(bad, Self.source(5), at: Self.seconds(20)))
        }
        var portless = good
        portless[8] = 0
        portless[9] = 0
        #expect(refused(portless, Self.source(5), at: Self.seconds(20)))
        #expect(discovery.counters.refusedMalformed == 14)
        // The own key, whatever stands behind it.
        for zone in [0, 0x4800] as [UInt16] {
            #expect(refused(Self.beacon(0xEE, zone: zone), Self.source(5), at: Self.seconds(30)))
        }
        #expect(discovery.counters.refusedOwn == 2)
        #expect(discovery.endpoints.isEmpty && discovery.counters.heard == 0)
        // Longer ones are cut by stock receivers, too.
        #expect(!refused(good + [1, 2, 3], Self.source(5), at: Self.seconds(40)))
        #expect(discovery.counters.received == 28)
    }

    @Test func nothingCountsBeforeTheFirstBeacon() {
        var discovery = Discovery(own: Self.own, seed: 1, now: Self.start)
        #expect(Self.receive(&discovery, Self.beacon(1), from: Self.source(5)) == nil)
        #expect(discovery.counters.refusedInterface == 1)
        discovery.beaconSent(on: [2], sent: 1, failed: 0, checking: 0, now: Self.start)
        #expect(Self.receive(&discovery, Self.beacon(1), from: Self.source(5)) != nil)
        // An interface that is gone is no longer listened to.
        discovery.beaconSent(on: [3], sent: 1, failed: 0, checking: 0, now: Self.start)
        #expect(Self.receive(&discovery, Self.beacon(1), from: Self.source(5)) == nil)
        #expect(discovery.counters.refusedInterface == 2)
    }

    @Test func twentyASecondAreLookedAt() {
        var discovery = Self.make()
        for _ in 0..<100 { _ = Self.receive(&discovery, Self.beacon(1), from: Self.source(5)) }
        #expect(discovery.counters.heard == 20 && discovery.counters.limited == 80)
        // What is refused costs as much.
        for _ in 0..<100 { _ = Self.receive(&discovery, [], from: Self.source(5), at: Self.seconds(1)) }
        #expect(discovery.counters.refusedMalformed == 20 && discovery.counters.limited == 160)
        for i in 0..<200 as Range<UInt64> {
            let now = Self.start.advanced(byMilliseconds: 2_000 + i * 50)
            _ = Self.receive(&discovery, Self.beacon(2), from: Self.source(6), at: now)
        }
        #expect(discovery.counters.limited == 160)
    }

    @Test func sixtyFourAreRemembered() {
        var discovery = Self.make()
        var found = 0
        for i in 0..<100 as Range<UInt64> {
            let now = Self.start.advanced(byMilliseconds: i * 100)
            if Self.receive(&discovery, Self.beacon(1), from: Self.source(i), at: now) != nil { found += 1 }
        }
        #expect(found == 64 && discovery.endpoints.count == 64)
        #expect(discovery.counters.full == 36)
        // Those that are known still count.
        _ = Self.receive(&discovery, Self.beacon(1), from: Self.source(0), at: Self.seconds(20))
        #expect(discovery.counters.heard == 65)
        // One that fails makes room for another.
        for _ in 0..<3 { _ = discovery.failed(discovery.endpoints[9].address) }
        #expect(Self.receive(&discovery, Self.beacon(1), from: Self.source(99), at: Self.seconds(20)) != nil)
        #expect(discovery.endpoints.count == 64)
    }

    // MARK: - Dialling and forgetting

    @Test func dialsWaitUpToTwoSeconds() {
        var delays: [UInt64] = []
        for seed in 0..<300 as Range<UInt64> {
            var discovery = Self.make(seed: seed)
            let found = Self.receive(&discovery, Self.beacon(1), from: Self.source(5))
            delays.append(found?.dialDue.milliseconds(since: Self.start) ?? .max)
            #expect(found.map { $0.dialDue >= Self.start } == true)
        }
        #expect(delays.allSatisfy { $0 <= 2_000 })
        // Spread over the whole time: two nodes seldom dial within the same tenth of a second.
        for tenth in 0..<20 as Range<UInt64> {
            #expect(delays.contains { (tenth * 100..<(tenth + 1) * 100).contains($0) }, "\(tenth)")
        }
    }

    @Test func anyPortOfTheHostIsTheSameHost() throws {
        var discovery = Self.make()
        let found = try #require(Self.receive(&discovery, Self.beacon(1), from: Self.source(5)))
        var other = found.address
        other.port = 40_000
        #expect(found.isSameHost(as: found.address) && found.isSameHost(as: other))
        other.scope = 3
        #expect(!found.isSameHost(as: other))
        #expect(!found.isSameHost(as: Self.source(6)))
    }

    @Test func threeFailuresInARowForgetIt() throws {
        var discovery = Self.make()
        let address = try #require(Self.receive(&discovery, Self.beacon(1), from: Self.source(5))).address
        func fail() -> Bool { discovery.failed(address) }
        #expect([fail(), fail()] == [false, false])
        // A connection ends the row, and its end begins a new one.
        discovery.connected(address)
        #expect(!fail())
        discovery.disconnected(address, now: Self.seconds(1))
        #expect([fail(), fail()] == [false, false])
        // A beacon does not: the endpoint is announced, and yet nobody answers.
        #expect(Self.receive(&discovery, Self.beacon(1), from: Self.source(5), at: Self.seconds(2)) == nil)
        #expect(fail())
        #expect(discovery.endpoints.isEmpty && discovery.counters.forgottenFailed == 1)
        #expect(!fail())
        // The next beacon reports it again.
        #expect(Self.receive(&discovery, Self.beacon(1), from: Self.source(5), at: Self.seconds(3)) != nil)
        #expect(!fail())
    }

    @Test func fiveMinutesOfSilenceForgetIt() throws {
        var discovery = Self.make()
        discovery.beaconSent(on: [2], sent: 1, failed: 0, checking: 0, now: Self.seconds(1_000_000))
        let found = try #require(Self.receive(&discovery, Self.beacon(1), from: Self.source(5)))
        #expect(discovery.nextDeadline == Self.seconds(300))
        _ = Self.receive(&discovery, Self.beacon(1), from: Self.source(5), at: Self.seconds(100))
        #expect(discovery.nextDeadline == Self.seconds(400))
        #expect(discovery.advance(to: Self.seconds(399)).isEmpty)
        // While there is a connection no beacon is needed.
        discovery.connected(found.address)
        #expect(discovery.nextDeadline == discovery.beaconDue)
        #expect(discovery.advance(to: Self.seconds(5_000)).isEmpty)
        discovery.disconnected(found.address, now: Self.seconds(5_000))
        #expect(discovery.advance(to: Self.seconds(5_299)).isEmpty)
        #expect(discovery.advance(to: Self.seconds(5_300)) == [found])
        #expect(discovery.endpoints.isEmpty && discovery.counters.forgottenSilent == 1)
        #expect(discovery.advance(to: Self.seconds(9_000)).isEmpty)
        #expect(discovery.nextDeadline == discovery.beaconDue)
        // About strangers nothing is remembered.
        discovery.connected(found.address)
        discovery.disconnected(found.address, now: Self.seconds(9_000))
        #expect(discovery.endpoints.isEmpty)
        #expect(Self.receive(&discovery, Self.beacon(1), from: Self.source(5), at: Self.seconds(9_001)) != nil)
    }

    /// Against a slow book of what is known, over random beacons, connections and failures: the same endpoints, and each
    /// datagram counted once.
    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func randomRunsKeepTheBooks(seed: UInt64) {
        struct Known {
            var heard: Instant
            var failures = 0
            var isConnected = false
        }
        var random = Seed(seed)
        var discovery = Self.make(seed: seed)
        var book: [SocketAddress: Known] = [:]
        var now = Self.start
        for turn in 0..<8_000 {
            // For a while little time between events, then now and then minutes.
            let step = UInt64.random(in: 0...100, using: &random)
            now = now.advanced(byMilliseconds: turn / 2_000 % 2 == 0 || step < 97 ? step * 3 : step * 1_500)
            let forgotten = discovery.advance(to: now)
            let silent = book.filter { !$0.value.isConnected && now.milliseconds(since: $0.value.heard) >= 300_000 }
            #expect(Set(forgotten.map(\.address)) == Set(silent.keys))
            for address in silent.keys { book[address] = nil }
            let host = UInt64.random(in: 0..<90, using: &random)
            let address = SocketAddress(address: Self.source(host).address, port: 9_651, scope: 2)
            switch UInt64.random(in: 0..<10, using: &random) {
            case 0..<7:
                var bytes = Self.beacon(UInt8(1 + host % 9))
                if host % 11 == 0 { bytes = Self.beacon(0xEE) }
                if host % 13 == 0 { bytes[Int(host % 8)] ^= 0x20 }
                let before = discovery.counters.limited
                let found = Self.receive(&discovery, bytes, from: Self.source(host), at: now)
                if before != discovery.counters.limited || host % 11 == 0 || host % 13 == 0 {
                    #expect(found == nil)
                } else if book[address] != nil {
                    #expect(found == nil)
                    book[address]?.heard = now
                } else {
                    #expect((found != nil) == (book.count < 64))
                    if found != nil { book[address] = Known(heard: now) }
                }
            case 7:
                discovery.connected(address)
                book[address]?.isConnected = true
                book[address]?.failures = 0
            case 8:
                discovery.disconnected(address, now: now)
                if book[address]?.isConnected == true {
                    book[address]?.isConnected = false
                    book[address]?.heard = now
                }
            default:
                var isForgotten = false
                if let known = book[address], !known.isConnected {
                    book[address]?.failures += 1
                    isForgotten = known.failures == 2
                    if isForgotten { book[address] = nil }
                }
                let answer = discovery.failed(address)
                #expect(answer == isForgotten)
            }
            #expect(Set(discovery.endpoints.map(\.address)) == Set(book.keys))
            let count = discovery.counters
            #expect(
                count.received == count.limited + count.refusedSource + count.refusedInterface
                    + count.refusedMalformed + count.refusedOwn + count.full + count.heard)
            #expect(
                count.found == UInt64(book.count) + count.forgottenFailed + count.forgottenSilent)
        }
        let count = discovery.counters
        #expect(count.full > 0)
        #expect(count.forgottenFailed > 0)
        #expect(count.forgottenSilent > 0)
        #expect(count.heard > 500)
    }

    @Test func damagedBeaconsNeverTrap() {
        var random = Seed(6)
        var discovery = Self.make()
        for i in 0..<3_000 as Range<UInt64> {
            var bytes = Self.beacon(3)
            for _ in 0..<Int.random(in: 0..<4, using: &random) {
                bytes[Int.random(in: 0..<50, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            bytes.removeLast(Int.random(in: 0...3, using: &random))
            let now = Self.start.advanced(byMilliseconds: i * 60)
            _ = Self.receive(&discovery, bytes, from: Self.source(random.next()), at: now)
        }
        #expect(discovery.endpoints.count <= Discovery.capacity)
        #expect(discovery.counters.received == 3_000 && discovery.counters.limited == 0)
        #expect(discovery.counters.refusedMalformed > 100 && discovery.counters.heard > 10)
        // The end of time.
        _ = Self.receive(&discovery, Self.beacon(3), from: Self.source(1), at: .distantFuture)
        discovery.beaconSent(on: [2], sent: -1, failed: .max, checking: .min, now: .distantFuture)
        #expect(discovery.nextDeadline <= .distantFuture)
    }
}
