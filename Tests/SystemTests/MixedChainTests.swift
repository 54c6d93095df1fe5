import Foundation
import Glibc
import StockModel
import Testing

extension SystemTests {
    /// Stock and hypha nodes in one network: what a user of either sees of the other.
    @Suite(
        .serialized,
        .enabled(
            if: SystemRequirements.missingForStock.isEmpty, Comment(rawValue: SystemRequirements.missingForStock)))
    struct MixedChainTests {
        /// What a stock node may find odd in a hypha one: docs/protocol.md, "Stock bodies", and docs/routing.md name it.
        private static let expected: [StockOddity] = [
            .ihuUnasked, .ownUpdateNotFirst, .routerIDZone, .prefixNot64, .userHeader, .helloSeqno, .ihuFields,
            // Queues of the model have no bound, so under full load its own Hellos come late.
            .ihuLate,
        ]

        private static func expectGoodConduct(_ row: MixedTopology) throws {
            for node in row.nodes.indices {
                if row.nodes[node].isHypha {
                    let report = try row.hyphaReport(node)
                    #expect(report.law.entered == report.law.accounted, "node \(node): \(report.line)")
                } else {
                    let report = try row.stockReport(node)
                    let odd = report.oddities.filter { !expected.map(\.rawValue).contains($0.key) }
                    #expect(odd.isEmpty && !report.controlPlaneIsDead, "node \(node): \(report.examples)")
                }
            }
        }

        /// Ping, traceroute and iperf3 both ways along a row.
        private static func expectEverything(_ row: MixedTopology, _ name: String) throws {
            let last = row.nodes.count - 1
            for (from, to) in [(0, last), (last, 0)] {
                try row.awaitPing(from: from, to: to)
                let ping = try row.run(["ping", "-6", "-c", "10", "-i", "0.05", row.address(to)], on: from)
                let ttl = 64 - row.nodes.count
                #expect(ping.output.contains("10 received") && ping.output.contains("ttl=\(ttl)"), "\(ping.output)")
                let nodes = from == 0 ? Array(row.nodes.indices) : row.nodes.indices.reversed()
                let hops =
                    [row.address(from)] + nodes.dropFirst().dropLast().map { row.networkAddress($0) }
                    + [row.networkAddress(to), row.address(to)]
                let seen = try row.hops(from: from, to: to)
                // Relays and destination speak as <prefix>::, or with their full address for native packets.
                let full = nodes.map { row.address($0) } + [row.address(to)]
                let isRight =
                    seen.count == hops.count && zip(seen, zip(hops, full)).allSatisfy { $0 == $1.0 || $0 == $1.1 }
                #expect(isRight, "\(seen) where \(hops) was expected")
                let bytes = try row.iperf(from: from, to: to, seconds: 2)
                print("system: \(name) \(from) to \(to), iperf3 moved \(bytes / 250_000) Mbit/s")
                #expect(bytes > 5_000_000)
            }
            try expectGoodConduct(row)
        }

        @Test func stockHyphaStock() throws {
            let row = try MixedTopology.chain([.stock(), .hypha(tun: false), .stock()])
            defer { row.tearDown() }
            try Self.expectEverything(row, "stock - hypha - stock")
            let relay = try row.hyphaReport(1)
            #expect(relay["forwarded"] > 5_000 && relay["stock_opened"] == 0)
        }

        /// The ends speak natively through the stock relay: nothing but the first packets are stock bodies.
        @Test func hyphaStockHypha() throws {
            let row = try MixedTopology.chain([.hypha(), .stock(tun: false), .hypha()])
            defer { row.tearDown() }
            try Self.expectEverything(row, "hypha - stock - hypha")
            for node in [0, 2] {
                let report = try row.hyphaReport(node)
                // Answers to pings and a transfer of megabytes are native; reports of the relay are stock bodies.
                #expect(report["stock_sealed"] < 100 && report["delivered"] > 1_000, "\(report.line)")
            }
        }

        @Test func hyphaOverTCPAlone() throws {
            let row = try MixedTopology.chain([.hypha(), .hypha(tun: false), .hypha()], .tcp)
            defer { row.tearDown() }
            try Self.expectEverything(row, "hypha - hypha - hypha over TCP")
        }

        /// Full-size stock bodies cross an HL1 link of 1,500 bytes in two pieces.
        @Test func stockBodiesCrossHL1() throws {
            let row = try MixedTopology.chain([.stock(), .hypha(tun: false), .hypha(tun: false), .stock()])
            defer { row.tearDown() }
            try Self.expectEverything(row, "stock - hypha - HL1 - hypha - stock")
            for node in [1, 2] {
                let report = try row.hyphaReport(node)
                #expect(report["fragments_sent"] > 1_000 && report["reassembled"] > 1_000, "\(report.line)")
            }
        }

        @Test func hyphaStockHyphaHypha() throws {
            let row = try MixedTopology.chain([.hypha(), .stock(tun: false), .hypha(tun: false), .hypha()])
            defer { row.tearDown() }
            try Self.expectEverything(row, "hypha - stock - hypha - HL1 - hypha")
        }

        /// A node that knows one tcp:// peer reaches all nodes of a row of five of both kinds.
        @Test func oneStockPeerIsEnough() throws {
            let row = try MixedTopology.chain([
                .hypha(), .hypha(configuration: "[routing]\ntransit = true\n"), .stock(), .hypha(), .stock(),
            ])
            defer { row.tearDown() }
            for node in 1..<5 { try row.awaitPing(from: 0, to: node) }
            for node in 0..<4 { try row.awaitPing(from: 4, to: node) }
            try Self.expectGoodConduct(row)
        }

        /// A ring of four, hypha and stock by turns; its ends are two links apart both ways.
        @Test func aRingHealsWhenALinkIsCut() throws {
            let ring = try MixedTopology(
                [.hypha(), .stock(["--hello-period-ms", "500"]), .hypha(), .hypha(tun: false)],
                links: [
                    MixedLink(0, 1), MixedLink(2, 1), MixedLink(0, 3, .tcp), MixedLink(2, 3, .tcp),
                ])
            defer { ring.tearDown() }
            try ring.startAll()
            try ring.awaitPing(from: 0, to: 2)
            // Closed connections are noticed at once, whichever way the packets went.
            for relay in [3, 1] {
                let program = try ring.program(relay)
                program.signal(SIGKILL)
                _ = program.exitCode(within: 3)
                let time = try ring.awaitPing(from: 0, to: 2, within: 10)
                print("system: mixed ring, relay \(relay) killed, first answer after \(Int(time * 1_000)) ms")
                #expect(time < 3)
                try ring.start(relay)
                try ring.awaitPing(from: 0, to: relay == 3 ? 2 : 1, within: 20)
                // The links of the one that came back have to be there before the other goes.
                Clock.pause(3)
            }
        }

        /// Two nodes on one wire, neither of which knows of the other.
        @Test func neighboursFindEachOther() throws {
            var node = MixedNode.hypha()
            node.isDiscovering = true
            let pair = try MixedTopology([node, node], links: [MixedLink(0, 1, .none)])
            defer { pair.tearDown() }
            try pair.startAll()
            let time = try pair.awaitPing(from: 0, to: 1, within: 20)
            print("system: two nodes of a wire found each other, first answer after \(Int(time * 1_000)) ms")
        }

        /// They are linked over HL1: they find each other, and nobody dials over TCP.
        @Test func neighboursOverHL1NeedNoTCP() throws {
            var node = MixedNode.hypha()
            node.isDiscovering = true
            let pair = try MixedTopology([node, node], links: [MixedLink(0, 1)])
            defer { pair.tearDown() }
            try pair.startAll()
            _ = try pair.awaitPing(from: 0, to: 1, within: 20)
            let found: Bool? = try Clock.wait(30) {
                for node in 0..<2 where try !pair.hyphaReport(node).line.contains("\"standby\"") { return nil }
                return true
            }
            #expect(found == true)
            // Longer than any dial waits.
            Clock.pause(3)
            for node in 0..<2 {
                let report = try pair.hyphaReport(node)
                #expect(report.control["discovered"] == 1, "\(report.line)")
                for name in ["streams_opened", "streams_accepted", "dials_failed"] {
                    #expect(report.control[name] == 0, "\(name): \(report.line)")
                }
            }
        }
    }
}
