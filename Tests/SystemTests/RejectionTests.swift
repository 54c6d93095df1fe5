import Foundation
import Testing

extension SystemTests {
    /// Packets that cannot be carried are answered, as IPv6 asks for.
    @Suite(.serialized) struct RejectionTests {
        let topology: Topology

        init() throws { topology = try SharedTopology.current }

        /// The mesh is asked for 15 s; then the packets that waited are answered.
        @Test func noRouteIsAnsweredByTheOrigin() throws {
            let ping = try topology.run(
                ["ping", "-6", "-c", "2", "-i", "0.1", "-W", "18", "400:1:2:3::4"], on: .a, within: 30)
            #expect(ping.status != 0)
            #expect(ping.output.localizedCaseInsensitiveContains("no route"), "\(ping.output)")
        }

        /// R has no TUN: what is for R itself is answered by R, end to end.
        @Test func aRelayWithoutATunAnswers() throws {
            let before = try topology.report(.r).drops["no_listener"] ?? 0
            let words = ["ping", "-6", "-c", "3", "-i", "0.3", "-W", "1", topology.address(.r)]
            let ping = try topology.run(words, on: .a)
            #expect(ping.status != 0)
            #expect(ping.output.localizedCaseInsensitiveContains("unreachable"), "\(ping.output)")
            let after = try topology.report(.r, within: 2) { ($0.drops["no_listener"] ?? 0) > before }
            #expect((after.drops["no_listener"] ?? 0) > before)
        }

        /// Hop limit 1 does not leave the node, and says so.
        @Test func anUsedUpHopLimitIsAnswered() throws {
            let ping = try topology.run(
                ["ping", "-6", "-c", "2", "-i", "0.1", "-t", "1", "-W", "1", topology.address(.b)], on: .a)
            #expect(ping.status != 0)
            #expect(ping.output.localizedCaseInsensitiveContains("time exceeded"), "\(ping.output)")
        }
    }
}
