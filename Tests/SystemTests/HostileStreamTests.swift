import Foundation
import Glibc
import HyphaBase
import StockModel
import Testing

extension SystemTests {
    /// Whoever can reach the TCP port can write to it. What ends a stock node must neither end a hypha nor pass through it.
    @Suite(
        .serialized,
        .enabled(
            if: SystemRequirements.missingForStock.isEmpty, Comment(rawValue: SystemRequirements.missingForStock)))
    struct HostileStreamTests {
        private struct Row: Decodable {
            let name: String
            let chunks: [String]
            var bytes: [[UInt8]] { chunks.compactMap { Hex.decode($0) } }
        }

        private struct Table: Decodable {
            let irregular: [Row]
        }

        /// The irregular rows of the stock vectors.
        private static func rows() throws -> [Row] {
            let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .appendingPathComponent("Vectors/control.json")
            return try JSONDecoder().decode(Table.self, from: Data(contentsOf: file)).irregular
        }

        private static func connect(_ row: MixedTopology, from node: Int, link: Int) throws -> NamespaceSocket {
            let socket = try NamespaceSocket(AF_INET6, SOCK_STREAM, in: row.space(node))
            try socket.connect("::ffff:10.88.\(link).2", port: UInt16(MixedTopology.port))
            return socket
        }

        @Test func nothingOfItArrives() throws {
            let row = try MixedTopology.chain([.stock(), .hypha(tun: false), .stock()])
            defer { row.tearDown() }
            try row.awaitPing(from: 0, to: 2)
            let ping = try row.background(["ping", "-6", "-i", "0.05", "-c", "120", row.address(2)], on: 0)
            defer { ping.stop() }
            let rows = try Self.rows()
            #expect(rows.count == 16 && rows.allSatisfy { $0.bytes.count == $0.chunks.count })
            var kept: [NamespaceSocket] = []
            for irregular in rows {
                let socket = try Self.connect(row, from: 0, link: 0)
                for chunk in irregular.bytes { try? socket.send(chunk) }
                kept.append(socket)
            }
            // Noise, with and without a header that begins well; lengths up to the largest.
            var seed = Seed(7)
            for i in 0..<40 {
                let socket = try Self.connect(row, from: 0, link: 0)
                var bytes = (0..<Int.random(in: 1...3_000, using: &seed)).map { _ in
                    UInt8.random(in: 0...255, using: &seed)
                }
                if i % 2 == 0 { bytes = [1, UInt8(i / 2 % 2), 0, 0] + bytes }
                try? socket.send(bytes)
                kept.append(socket)
                if kept.count > 6 { kept.removeFirst() }
            }
            // A flood of requests for what nobody has, of every generation.
            let flood = try Self.connect(row, from: 0, link: 0)
            var requests: [UInt8] = []
            for i in 0..<20_000 {
                let subnet: [UInt8] = [4, UInt8(i >> 16), UInt8(i >> 8 & 255), UInt8(i & 255), 1, 2, 3, 4]
                requests += StockModel.control(type: 9, [UInt8(i % 256), 2, 64] + subnet)
            }
            try? flood.send(requests)
            #expect(ping.exitCode(within: 20) == 0)
            #expect(ping.output.contains("120 received"), "\(ping.output.suffix(300))")

            let relay = try row.hyphaReport(1)
            #expect(relay.law.entered == relay.law.accounted, "\(relay.line)")
            // Streams that cannot be followed were closed, the others read on.
            #expect((relay.control["streams_closed"] ?? 0) >= 10, "\(relay.line)")
            #expect(
                (relay.control["stream_control_refused"] ?? 0) + (relay.drops["bad_frame"] ?? 0) >= 5, "\(relay.line)")
            for node in [0, 2] {
                let report = try row.stockReport(node)
                let harm: [StockOddity] = [
                    .badHeader, .babelHeader, .unknownTLV, .bytesBehindTLV, .shortBody, .tlvLength, .addressEncoding,
                    .prefixLength, .strayBits, .generation, .hopCount,
                ]
                let seen = report.oddities.filter { harm.map(\.rawValue).contains($0.key) }
                #expect(seen.isEmpty && !report.controlPlaneIsDead, "node \(node): \(report.examples)")
            }
            #expect(try row.hops(from: 0, to: 2).count == 4)
        }

        /// More words at once than the node's parts can hand to each other: it receives them as it can take them, and
        /// answers another neighbour meanwhile.
        @Test func noWordIsLost() throws {
            let row = try MixedTopology.chain([.stock(), .hypha(tun: false), .stock()])
            defer { row.tearDown() }
            try row.awaitPing(from: 0, to: 2)
            let (flood, other) = (
                try Self.connect(row, from: 0, link: 0), try Self.connect(row, from: 0, link: 0)
            )
            let before = try row.hyphaReport(1)
            var words: [UInt8] = []
            // Updates whose origin is not in its prefix: read, and not taken.
            for i in 0..<40_000 {
                let subnet: [UInt8] = [4, UInt8(i >> 16), UInt8(i >> 8 & 255), UInt8(i & 255), 1, 2, 3, 4]
                let origin = [UInt8](repeating: 9, count: 40)
                words += StockModel.control(type: 8, [2, 0, 64, 0, 0x75, 0x30, 0, 0, 0, 20] + subnet + origin)
            }
            try flood.send(words)
            try other.send(StockModel.control(type: 4, [0x80, 0, 0, 1, 0x07, 0xD0]))
            // The introduction answers it, or the worker after that.
            let answer = try #require(other.receive())
            #expect(answer.starts(with: StockModel.control(type: 5, [0, 0]).prefix(6)))
            var report = before
            for _ in 0..<100 {
                report = try row.hyphaReport(1)
                if (report.control["stream_control_received"] ?? 0) >= 40_000 { break }
                usleep(50_000)
            }
            #expect((report.control["stream_control_received"] ?? 0) >= 40_001, "\(report.line)")
            #expect(
                (report.counters["stream_pauses"] ?? 0) > 0 && report.drops["punt_full"] ?? 0 == 0, "\(report.line)")
            #expect(report.law.entered == report.law.accounted, "\(report.line)")
            withExtendedLifetime(flood) {}
            withExtendedLifetime(other) {}
        }

        /// One address that connects over and over: most of it is reset at once, and other neighbours notice nothing.
        @Test func aFloodOfConnectionsIsTurnedAway() throws {
            let row = try MixedTopology.chain([.hypha(), .hypha(tun: false), .stock()], .tcp)
            defer { row.tearDown() }
            try row.awaitPing(from: 0, to: 2)
            let ping = try row.background(["ping", "-6", "-i", "0.05", "-c", "60", row.address(2)], on: 0)
            defer { ping.stop() }
            for _ in 0..<200 { _ = try? Self.connect(row, from: 0, link: 0) }
            #expect(ping.exitCode(within: 20) == 0)
            #expect(ping.output.contains("60 received"), "\(ping.output.suffix(300))")
            let relay = try row.hyphaReport(1)
            // 64 at once and 10 a second, two of which were used at the start.
            #expect((60...140).contains(relay["connections_limited"]), "\(relay.line)")
            #expect(relay.law.entered == relay.law.accounted, "\(relay.line)")
        }
    }
}
