import Foundation
import Glibc
import Testing

extension SystemTests {
    @Suite(.serialized) struct CounterTests {
        let topology: Topology

        init() throws { topology = try SharedTopology.current }

        /// The law holds on every node, whatever the tests before this one did.
        @Test func whatEntersIsAccountedFor() throws {
            _ = try topology.run(["ping", "-6", "-c", "20", "-i", "0.01", topology.address(.b)], on: .a)
            Clock.pause(0.3)
            for node in Topology.Node.allCases {
                let law = try topology.report(node).law
                #expect(law.entered > 20)
                #expect(law.entered == law.accounted, "\(node)")
            }
        }

        @Test func oneSignalIsOneLine() throws {
            let program = try topology.program(.r)
            let before = program.output.split(separator: "\n").count
            let report = try topology.report(.r)
            Clock.pause(0.2)
            let lines = program.output.split(separator: "\n")
            #expect(lines.count == before + 1)
            #expect(lines.last.map(String.init) == report.line)
            #expect(report.links.count == 2)
            #expect(report["forwarded"] > 0)
        }

        /// The relay forwards what it relays: as many packets more as a ping takes, and delivers none.
        @Test func theRelayCountsWhatItForwards() throws {
            let before = try topology.report(.r)
            _ = try topology.run(["ping", "-6", "-c", "10", "-i", "0.05", topology.address(.b)], on: .a)
            let after = try topology.report(.r, within: 2) { $0["forwarded"] >= before["forwarded"] + 20 }
            #expect(after["forwarded"] >= before["forwarded"] + 20)
            #expect(after["delivered"] == 0)
        }

        /// No secret key in what nodes say about themselves.
        @Test func noSecretIsPrinted() throws {
            for node in Topology.Node.allCases {
                let path = try #require(topology.identities[node]).keyFile
                let secret = try Data(contentsOf: URL(fileURLWithPath: path))
                let hex = secret.map { String(format: "%02x", $0) }.joined()
                #expect(secret.count == 32)
                let report = try topology.report(node).line
                let program = try topology.program(node)
                for text in [report, program.output, program.errors] {
                    #expect(!text.lowercased().contains(hex))
                    #expect(!text.contains(secret.base64EncodedString()))
                }
            }
        }
    }
}
