import Foundation
import Glibc
import Testing

extension SystemTests {
    /// Datagrams that a stranger, or somebody on the path, may send to a public peer.
    @Suite(.serialized) struct HostileDatagramTests {
        let topology: Topology

        init() throws { topology = try SharedTopology.current }

        /// A datagram of type 4 that A sent to R, as it was on the wire.
        private func capturedDatagram() throws -> [UInt8] {
            let capture = try Capture("to-r", on: .a, of: topology)
            _ = try topology.run(["ping", "-6", "-c", "3", "-i", "0.05", "-s", "300", topology.address(.b)], on: .a)
            // Both ways; only what A sent is for R's session.
            let datagrams = Capture.datagrams(try capture.finish()).filter { $0.count > 300 && $0[0] == 4 }
            if let request = datagrams.first { return request }
            throw SystemTestError("no datagram of type 4 from A to R was captured")
        }

        private static func datagram(_ type: UInt8, _ size: Int, version: UInt8 = 1, reserved: UInt8 = 0) -> [UInt8] {
            let head = [type, version, reserved, 0]
            let rest = (0..<max(0, size - 4)).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 11) }
            return Array((head + rest).prefix(size))
        }

        /// What to send, by the name of the counter that it must raise.
        private static func datagrams(captured: [UInt8]) -> [String: [[UInt8]]] {
            func changed(_ change: (inout [UInt8]) -> Void) -> [UInt8] {
                var copy = captured
                change(&copy)
                return copy
            }
            func withCounter(_ counter: UInt64) -> [UInt8] {
                changed { bytes in
                    for i in 0..<8 { bytes[8 + i] = UInt8(truncatingIfNeeded: counter >> UInt64(8 * i)) }
                }
            }
            return [
                "bad_length": [
                    [], [4], [4, 0, 0], datagram(1, 167), datagram(1, 169), datagram(2, 147), datagram(2, 149),
                    datagram(3, 63), datagram(3, 65), datagram(4, 31, version: 0), datagram(5, 95, version: 0),
                    datagram(6, 36, version: 0),
                    datagram(7, 33), datagram(8, 167), datagram(9, 89), datagram(1, 4), datagram(4, 16, version: 0),
                ],
                "bad_type": [
                    datagram(0, 64), datagram(10, 168), datagram(0x45, 1_200), datagram(255, 65_000),
                    datagram(1, 168, version: 0), datagram(1, 168, version: 2), datagram(2, 148, version: 9),
                    datagram(3, 64, version: 0),
                    datagram(3, 64, version: 1, reserved: 1), datagram(4, 64, version: 0, reserved: 1),
                    datagram(5, 96, version: 0, reserved: 8),
                    datagram(8, 168, version: 1, reserved: 2),
                ],
                "unsupported": [
                    datagram(7, 32), datagram(8, 168), datagram(9, 88),
                ],
                "unknown_index": [
                    datagram(4, 32, version: 0), datagram(4, 1_400, version: 3), datagram(5, 96, version: 0),
                    datagram(5, 9_000, version: 0), datagram(6, 37, version: 0), datagram(6, 1_400, version: 15),
                    changed { $0[7] ^= 0x80 }, changed { $0.replaceSubrange(4..<8, with: [0, 0, 0, 0]) },
                ],
                "bad_lane": [changed { $0[1] = 16 }, changed { $0[1] = 255 }],
                "key_expired": [withCounter(1 << 50), withCounter(.max)],
                "replay": [captured, captured],
                "bad_auth": [
                    withCounter(1 << 20), withCounter((1 << 20) + 1),
                    changed {
                        $0[$0.count - 1] ^= 1
                        $0[9] = 0x10
                    },
                    Array(withCounter(1 << 21).dropLast()), withCounter(1 << 22) + [0],
                    changed {
                        $0[0] = 5
                        $0[9] = 0x20
                    },
                    changed {
                        $0[0] = 6
                        $0[9] = 0x30
                    },
                ],
            ]
        }

        @Test func eachIsCountedByNameAndPingGoesOn() throws {
            let captured = try capturedDatagram()
            let ping = try topology.background(["ping", "-6", "-i", "0.05", topology.address(.b)], on: .a)
            defer { ping.stop() }
            let before = try topology.report(.r)
            let stranger = try NamespaceSocket(AF_INET6, SOCK_DGRAM, in: topology.space(.a))
            try stranger.connect("fd00:a::2", port: 9_651)

            let datagrams = Self.datagrams(captured: captured)
            let rounds = 20
            for _ in 0..<rounds {
                for (_, kind) in datagrams.sorted(by: { $0.key < $1.key }) {
                    for datagram in kind {
                        if datagram.isEmpty {
                            // An empty datagram is one as well.
                            #expect(Glibc.send(stranger.descriptor, nil, 0, 0) == 0)
                        } else {
                            try stranger.send(datagram)
                        }
                    }
                }
                // Not faster than the socket buffer holds.
                Clock.pause(0.01)
            }
            let expected = datagrams.mapValues { $0.count * rounds }
            func gained(_ report: NodeReport, _ name: String) -> Int {
                (report.drops[name] ?? 0) - (before.drops[name] ?? 0)
            }
            let after = try topology.report(.r, within: 5) { report in
                expected.allSatisfy { gained(report, $0.key) >= $0.value }
            }
            for (name, count) in expected { #expect(gained(after, name) == count, "\(name)") }

            Clock.pause(0.5)
            ping.signal(SIGINT)
            #expect(ping.exitCode(within: 3) == 0)
            let words = ping.output.split(whereSeparator: { " ,\n".contains($0) }).map(String.init)
            let transmitted = try #require(words.firstIndex(of: "transmitted").flatMap { Int(words[$0 - 2]) })
            let received = try #require(words.firstIndex(of: "received").flatMap { Int(words[$0 - 1]) })
            #expect(transmitted > 10)
            // The last one may still be on its way.
            #expect(received >= transmitted - 1, "\(ping.output)")
        }

        /// Handshakes of a stranger cost R a hash each and bring no answer.
        @Test func falseHandshakesAreNotAnswered() throws {
            let stranger = try NamespaceSocket(AF_INET6, SOCK_DGRAM, in: topology.space(.a))
            try stranger.connect("fd00:a::2", port: 9_651)
            var quick = timeval(tv_sec: 0, tv_usec: 500_000)
            setsockopt(
                stranger.descriptor, SOL_SOCKET, SO_RCVTIMEO, &quick, socklen_t(MemoryLayout<timeval>.size))
            let before = try topology.report(.r)
            for _ in 0..<50 {
                try stranger.send(Self.datagram(1, 168))
                try stranger.send(Self.datagram(2, 148))
                try stranger.send(Self.datagram(3, 64))
            }
            #expect(stranger.receive() == nil)
            let after = try topology.report(.r, within: 3) { $0["punted"] >= before["punted"] + 150 }
            #expect(after["punted"] >= before["punted"] + 150)
            for name in ["link_refused_mac1", "link_refused_resp", "link_refused_cookie"] {
                let counted: Int? = try Clock.wait(2) {
                    let gained = (try topology.report(.r).control[name] ?? 0) - (before.control[name] ?? 0)
                    return gained >= 50 ? gained : nil
                }
                #expect(counted == 50, "\(name)")
            }
            #expect(after.links.count == before.links.count)
            try topology.awaitPing(within: 2)
        }

        /// Random bytes of random sizes: nothing happens but counting.
        @Test func noiseIsDropped() throws {
            var random = SystemRandomNumberGenerator()
            let stranger = try NamespaceSocket(AF_INET6, SOCK_DGRAM, in: topology.space(.a))
            try stranger.connect("fd00:a::2", port: 9_651)
            let before = try topology.report(.r)
            for i in 0..<2_000 {
                var bytes = (0..<Int.random(in: 1...400, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
                // Half of it looks like the protocol at first sight.
                if i % 2 == 0 { bytes.replaceSubrange(0..<1, with: [UInt8(1 + i % 9)]) }
                try stranger.send(bytes)
                if i % 50 == 0 { Clock.pause(0.002) }
            }
            let after = try topology.report(.r, within: 5) { $0["received"] >= before["received"] + 2_000 }
            #expect(after["received"] >= before["received"] + 2_000)
            #expect(after.law.entered == after.law.accounted)
            try topology.awaitPing(within: 2)
        }
    }
}
