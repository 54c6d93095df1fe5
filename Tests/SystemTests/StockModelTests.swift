import Foundation
import Glibc
import StockModel
import Testing

extension SystemTests {
    /// The model of a stock node as a program, among its like: what mixed chains are measured by must work alone.
    @Suite(
        .serialized,
        .enabled(
            if: SystemRequirements.missingForStock.isEmpty, Comment(rawValue: SystemRequirements.missingForStock)))
    struct StockModelTests {
        /// A and B with a TUN, R without, as a public node is run.
        private static func row(_ arguments: [String] = [], isIPv6: Bool = false) throws -> MixedTopology {
            try .chain([.stock(arguments), .stock(arguments, tun: false), .stock(arguments)], isIPv6: isIPv6)
        }

        private let ends = (a: 0, r: 1, b: 2)

        /// Moments of the answers in the output of ping -D.
        private func answers(_ ping: RunningProgram) -> [Double] {
            ping.output.split(separator: "\n").compactMap { line in
                guard line.first == "[", line.contains("bytes from"), let end = line.firstIndex(of: "]") else {
                    return nil
                }
                return Double(line[line.index(after: line.startIndex)..<end])
            }
        }

        @Test(arguments: [false, true]) func aRowCarriesEverything(isIPv6: Bool) throws {
            let row = try Self.row(isIPv6: isIPv6)
            defer { row.tearDown() }
            try row.awaitPing(from: ends.a, to: ends.b)
            let ping = try row.run(["ping", "-6", "-c", "10", "-i", "0.05", row.address(ends.b)], on: ends.a)
            #expect(ping.output.contains("10 received") && ping.output.contains("ttl=61"), "\(ping.output)")
            // Fragments of the host, since the TUN takes 1400 bytes.
            let large = try row.run(
                ["ping", "-6", "-c", "3", "-i", "0.2", "-s", "8000", row.address(ends.b)], on: ends.a)
            #expect(large.output.contains("3 received"), "\(large.output)")

            let hops = try row.hops(from: ends.a, to: ends.b)
            let expected = [
                row.address(ends.a), row.networkAddress(ends.r), row.networkAddress(ends.b), row.address(ends.b),
            ]
            #expect(hops == expected)

            for (from, to) in [(ends.a, ends.b), (ends.b, ends.a)] {
                let bytes = try row.iperf(from: from, to: to, seconds: 2)
                print("system: stock model, iperf3 over one relay moved \(bytes / 250_000) Mbit/s")
                #expect(bytes > 5_000_000)
            }
            for node in [ends.a, ends.r, ends.b] {
                let report = try row.stockReport(node)
                #expect(report.oddities.isEmpty && !report.controlPlaneIsDead, "\(report.examples)")
                #expect(report.routes.count == 2 && report.routes.allSatisfy { $0.isSelected })
                let cost = isIPv6 ? 1_010 : 1_015
                #expect(report.peers.allSatisfy { (cost / 2...cost).contains($0.cost) }, "\(report.peers)")
            }
            #expect(try row.stockReport(ends.r).counters.forwarded > 5_000)
            #expect(try row.stockReport(ends.a).counters.errorsOpened >= 2)
            for node in [ends.a, ends.r, ends.b] {
                let program = try row.program(node)
                program.signal(SIGTERM)
                #expect(program.exitCode(within: 2) == 0, "\(program.errors)")
            }
        }

        @Test func aRelayThatWasKilledIsFoundAgain() throws {
            let row = try Self.row()
            defer { row.tearDown() }
            try row.awaitPing(from: ends.a, to: ends.b)
            let ping = try row.background(["ping", "-6", "-D", "-i", "0.1", row.address(ends.b)], on: ends.a)
            defer { ping.stop() }
            _ = Clock.wait(5) { answers(ping).first }
            let relay = try row.program(ends.r)
            relay.signal(SIGKILL)
            #expect(relay.exitCode(within: 3) == 128 + SIGKILL)
            let restart = Clock.now
            try row.start(ends.r)
            // Both ends dial every 5 s.
            let back: Double? = Clock.wait(15) { answers(ping).first { $0 > restart } }
            let outage = try #require(back, "no answer within 15 s: \(ping.output)\(row.logs)") - restart
            print("system: stock model, relay killed and restarted, first answer after \(Int(outage * 1_000)) ms")
            #expect(outage < 12)
            // The relay is another origin now, and the ends have found each other through it.
            let report = try row.stockReport(ends.a)
            #expect(report.routes.filter(\.isSelected).count == 2 && report.counters.linksAdded == 2)
            #expect(report.oddities.isEmpty, "\(report.examples)")
        }

        /// Nothing comes any more, and no connection ends: the missing IHUs tell.
        @Test func aSilentCutIsNoticed() throws {
            let row = try Self.row(["--hello-period-ms", "500"])
            defer { row.tearDown() }
            try row.awaitPing(from: ends.a, to: ends.b)
            Clock.pause(1.2)
            #expect(try row.stockReport(ends.a).peers.allSatisfy { $0.cost < 900 })
            try row.setLink(1, up: false)
            let noticed: Bool? = try Clock.wait(5) {
                try row.stockReport(ends.r).counters.linksSilent == 1
                    && row.stockReport(ends.a).routes.allSatisfy {
                        $0.subnet != row.networkAddress(ends.b) + "/64" || !$0.isSelected
                    }
                    ? true : nil
            }
            let report = try row.stockReport(ends.r)
            #expect(noticed == true, "\(report)")
            try row.setLink(1, up: true)
            try row.awaitPing(from: ends.a, to: ends.b, within: 15)
        }

        /// A node that is sent what stops a stock process stops, and says why.
        @Test func harmIsSeen() throws {
            let row = try Self.row()
            defer { row.tearDown() }
            let routerID = [UInt8](repeating: 3, count: 40)
            let subnet: [UInt8] = [4, 0x1F, 0x33, 0x2C, 0x31, 0xE6, 0x9F, 0x84]
            let abort = StockModel.control(type: 8, [2, 0, 65, 0, 0x75, 0x30, 0, 0, 0, 0] + subnet + [0x7F] + routerID)
            let ipv4 = StockModel.control(type: 9, [0, 1, 24, 10, 0, 0])
            for (node, link, frame) in [(ends.b, 1, ipv4), (ends.r, 0, abort)] {
                let place = node == ends.r ? "10.88.\(link).2" : "10.88.\(link).1"
                let other = node == ends.r ? ends.a : ends.r
                let socket = try NamespaceSocket(AF_INET6, SOCK_STREAM, in: row.space(other))
                try socket.connect("::ffff:\(place)", port: UInt16(MixedTopology.port))
                let first = try #require(socket.receive(68))
                var decoder = StockDecoder()
                guard case .update? = decoder.receive(first).first else {
                    Issue.record("\(first)")
                    return
                }
                try socket.send(frame)
                if node == ends.r {
                    let program = try row.program(node)
                    #expect(program.exitCode(within: 3) == 3)
                    #expect(program.errors.contains("aborts: an update for a /65"), "\(program.errors)")
                } else {
                    let dead: Bool? = try Clock.wait(3) { try row.stockReport(node).controlPlaneIsDead ? true : nil }
                    #expect(dead == true)
                    let program = try row.program(node)
                    program.signal(SIGTERM)
                    #expect(program.exitCode(within: 2) == 0)
                    #expect(program.errors.contains("the control plane was dead"), "\(program.errors)")
                }
            }
        }

        /// What a test of mixed nodes needs of the other kind.
        @Test func theTopologyStartsHyphaNodesToo() throws {
            let pair = try MixedTopology.chain([.hypha(), .hypha()])
            defer { pair.tearDown() }
            try pair.awaitPing(from: 0, to: 1)
            #expect(try pair.hyphaReport(0)["sent"] > 0)
        }
    }
}
