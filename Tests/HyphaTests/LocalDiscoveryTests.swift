import CKernel
import Glibc
import HyphaBase
import HyphaControl
import HyphaIdentity
import HyphaRim
import HyphaWire
import Synchronization
import Testing

@testable import hypha

@Suite struct LocalDiscoveryTests {
    /// Lines of a log.
    final class Lines: Sendable {
        private let all = Mutex<[String]>([])
        /// Without their times.
        var texts: [String] {
            all.withLock { $0.map { String($0.drop { $0 != " " }.dropFirst().dropLast()) } }
        }
        var log: Log { Log(level: .info, format: .text) { line in self.all.withLock { $0.append(line) } } }
    }

    static let start = Instant(nanoseconds: 1_000_000_000)
    static func seconds(_ seconds: UInt64) -> Instant { start.advanced(byMilliseconds: seconds * 1_000) }

    static func routerID(_ number: UInt8, zone: UInt16 = 0) throws -> RouterID {
        try #require(RouterID(key: [UInt8](repeating: number, count: 32), zone: zone, random: 5))
    }

    /// A node's discovery; nil when it cannot be.
    @Sendable static func open(
        _ number: UInt8, _ interfaces: [String] = [], tcpPort: UInt16 = 9_651, zone: UInt16 = 0, enabled: Bool = true,
        log: Log
    ) throws -> LocalDiscovery? {
        LocalDiscovery.open(
            Configuration.Discovery(enabled: enabled, port: 9_650, interfaces: interfaces), tcpPort: tcpPort,
            routerID: try routerID(number, zone: zone), ownTun: 0, seed: UInt64(number), log: log, now: start)
    }

    /// Turns until something is found, for 5 s at most; the protocol's time stands still meanwhile.
    @Sendable static func find(_ node: inout LocalDiscovery, at now: Instant) throws -> [DiscoveredEndpoint] {
        let wait = ControlWait(wake: try Wake())
        let limit = SystemClock.now().advanced(byMilliseconds: 5_000)
        while SystemClock.now() < limit {
            let found = node.turn(now: now)
            if !found.isEmpty { return found }
            _ = wait.sleep(until: limit, orReadable: node.waitDescriptors(now: now))
        }
        return []
    }

    @Test(.enabled(if: PairOfInterfaces.isPossible)) func twoNodesFindEachOther() throws {
        let lines = Lines()
        let (byA, byB, again, forgotten, deadline, counters) = try PairOfInterfaces.with([("va", "vb")]) {
            guard var a = try Self.open(1, ["va"], log: lines.log),
                var b = try Self.open(2, ["vb"], tcpPort: 4_000, zone: 0x4801, log: lines.log)
            else { throw PairOfInterfaces.Failure(step: "no discovery") }
            // The beacon of A comes before anyone listens, that of B is heard.
            #expect(a.nextDeadline(now: Self.start) == Self.start)
            _ = a.turn(now: Self.start)
            _ = b.turn(now: Self.start)
            let byA = try Self.find(&a, at: Self.start)
            let deadline = a.nextDeadline(now: Self.start)
            // The next one of A is heard by B, under the router id that A has then.
            a.routerID = try Self.routerID(3)
            _ = a.turn(now: Self.seconds(64))
            let byB = try Self.find(&b, at: Self.start)
            _ = b.turn(now: Self.seconds(64))
            usleep(10_000)
            let again = a.turn(now: Self.seconds(64))
            var forgotten: [DiscoveredEndpoint] = []
            for minute in 2...8 as ClosedRange<UInt64> {
                _ = a.turn(now: Self.seconds(minute * 60))
                forgotten += a.forgotten
            }
            return (byA, byB, again, forgotten, deadline, a.endpoints.counters)
        }
        let b = try #require(IPv6Address("fe80::2"))
        #expect(byA.map(\.address.address) == [b])
        #expect(byA.map(\.address.port) == [4_000])
        #expect(byA.map(\.isHypha) == [true])
        #expect(byA.first?.key.bytes == [UInt8](repeating: 2, count: 32))
        #expect(byA.allSatisfy { $0.address.scope != 0 && $0.address.scope != byB.first?.address.scope })
        #expect(byB.map(\.address.port) == [9_651])
        #expect(byB.map(\.isHypha) == [false])
        #expect(byB.first?.key.bytes == [UInt8](repeating: 3, count: 32))
        #expect(again.isEmpty)
        #expect((Self.seconds(57)...Self.seconds(63)).contains(deadline))
        // B was heard at 64 s for the last time.
        #expect(forgotten == byA)
        #expect((5...9).contains(counters.beaconsSent) && counters.beaconsFailed == 0)
        #expect(counters.heard == 2 && counters.forgottenSilent == 1)
        #expect(
            lines.texts == [
                "info  looking for nodes of the local network on va",
                "info  looking for nodes of the local network on vb",
            ])
    }

    @Test(.enabled(if: PairOfInterfaces.isPossible)) func aFloodIsReadInPortions() throws {
        let lines = Lines()
        let (first, paused, second, third) = try PairOfInterfaces.with([("va", "vb")]) {
            var options = DiscoverySocket.Options()
            options.interfaces = ["va"]
            let flood = try DiscoverySocket.open(options)
            guard var node = try Self.open(1, ["vb"], log: lines.log) else {
                throw PairOfInterfaces.Failure(step: "no discovery")
            }
            _ = node.turn(now: Self.start)
            for _ in 0..<40 { _ = flood.send([1, 2, 3]) }
            let now = Self.start
            func received() -> UInt64 { node.endpoints.counters.received }
            for _ in 0..<500 where received() < 32 {
                usleep(10_000)
                _ = node.turn(now: now)
            }
            let first = received()
            let paused = (node.waitDescriptors(now: now).count, node.nextDeadline(now: now))
            _ = node.turn(now: now.advanced(byMilliseconds: 99))
            let second = received()
            let later = now.advanced(byMilliseconds: 100)
            for _ in 0..<500 where received() < 40 {
                usleep(10_000)
                _ = node.turn(now: later)
            }
            return (first, paused, second, (received(), node.waitDescriptors(now: later).count))
        }
        #expect(first == 32 && second == 32)
        #expect(paused == (0, Self.start.advanced(byMilliseconds: 100)))
        #expect(third == (40, 1))
    }

    @Test(.enabled(if: PairOfInterfaces.isPossible)) func anInterfaceThatWasNotChosenDoesNotCount() throws {
        let lines = Lines()
        let (found, known, counters) = try PairOfInterfaces.with([("va", "vb"), ("vc", "vd")]) {
            guard var chosen = try Self.open(1, ["vd"], log: lines.log),
                var all = try Self.open(2, [], log: lines.log), var other = try Self.open(3, ["va"], log: lines.log)
            else { throw PairOfInterfaces.Failure(step: "no discovery") }
            _ = chosen.turn(now: Self.start)
            _ = all.turn(now: Self.start)
            _ = other.turn(now: Self.start)
            // Heard by the second node where the first must not listen.
            let found = try Self.find(&all, at: Self.start)
            _ = chosen.turn(now: Self.start)
            let known = chosen.endpoints.endpoints.map { $0.key.bytes[0] }
            return (found.map { $0.key.bytes[0] }, known, chosen.endpoints.counters)
        }
        #expect(found.contains(3))
        #expect(counters.refusedInterface > 0)
        #expect(!known.contains(3))
    }

    @Test(.enabled(if: PairOfInterfaces.isPossible)) func whatIsMissingIsSaidOnce() throws {
        let lines = Lines()
        let retried = try PairOfInterfaces.with([]) { () -> [Int] in
            guard var node = try Self.open(1, ["eth0"], log: lines.log) else {
                throw PairOfInterfaces.Failure(step: "no discovery")
            }
            return ([0, 1, 3, 7, 71, 135] as [UInt64]).map { second in
                _ = node.turn(now: Self.seconds(second))
                return lines.texts.count
            }
        }
        // Quiet while an interface may still come up.
        #expect(retried == [0, 0, 0, 2, 2, 2])
        #expect(lines.texts.allSatisfy { $0.hasPrefix("warn") })
        #expect(lines.texts.contains { $0.contains("no interface to find nodes of the local network on") })
        #expect(lines.texts.contains { $0.contains("there is no interface eth0") })
    }

    @Test(.enabled(if: PairOfInterfaces.isPossible)) func whatCannotBeIsAWarning() throws {
        let lines = Lines()
        let opened = try PairOfInterfaces.with([]) { () -> [Bool] in
            var opened = [
                try Self.open(1, enabled: false, log: lines.log) != nil, try Self.open(1, log: lines.log) != nil,
                try Self.open(1, tcpPort: 0, log: lines.log) != nil,
            ]
            guard let address = SocketAddress("[::]:9650") else { return [] }
            let other = try UDPSocket.bind(address)
            defer { withExtendedLifetime(other) {} }
            opened.append(try Self.open(1, log: lines.log) != nil)
            return opened
        }
        #expect(opened == [false, true, false, false])
        #expect(lines.texts.count == 2)
        #expect(lines.texts.allSatisfy { $0.hasPrefix("warn") && $0.contains("no discovery on the local network") })
        #expect(lines.texts.first?.contains("takes no TCP connections") == true)
        #expect(lines.texts.last?.contains("9650 is in use") == true)
    }
}
