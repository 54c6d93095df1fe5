import Foundation
import Glibc
import Testing

extension SystemTests {
    /// Nodes that end, in good order or not, and come back.
    @Suite(.serialized) struct RestartTests {
        let topology: Topology

        init() throws { topology = try SharedTopology.current }

        /// Moments of the answers in the output of ping -D.
        private func answers(_ ping: RunningProgram) -> [Double] {
            ping.output.split(separator: "\n").compactMap { line in
                guard line.first == "[", line.contains("bytes from"), let end = line.firstIndex(of: "]") else {
                    return nil
                }
                return Double(line[line.index(after: line.startIndex)..<end])
            }
        }

        @Test func aRelayThatWasKilledIsBackSoon() throws {
            try topology.awaitPing()
            let ping = try topology.background(["ping", "-6", "-D", "-i", "0.1", topology.address(.b)], on: .a)
            defer { ping.stop() }
            Clock.pause(0.5)
            let relay = try topology.program(.r)
            relay.signal(SIGKILL)
            #expect(relay.exitCode(within: 3) == 128 + SIGKILL)
            let restart = Clock.now
            try topology.start(.r)
            let back: Double? = Clock.wait(8) { answers(ping).first { $0 > restart } }
            let outage = try #require(back, "no answer within 8 s: \(ping.output)\(ping.errors)") - restart
            print("relay restarted: first answer after \(Int(outage * 1_000)) ms")
            #expect(outage < 3)
            // And it stays.
            Clock.pause(1)
            #expect(answers(ping).filter { $0 > restart + outage }.count >= 5, "\(ping.output)")
        }

        @Test func aLeafThatWasKilledIsBackSoon() throws {
            try topology.awaitPing()
            let ping = try topology.background(["ping", "-6", "-D", "-i", "0.1", topology.address(.b)], on: .a)
            defer { ping.stop() }
            let leaf = try topology.program(.b)
            leaf.signal(SIGKILL)
            #expect(leaf.exitCode(within: 3) == 128 + SIGKILL)
            let restart = Clock.now
            try topology.start(.b)
            let back: Double? = Clock.wait(8) { answers(ping).first { $0 > restart } }
            let outage = try #require(back, "no answer within 8 s: \(ping.output)\(ping.errors)") - restart
            print("leaf restarted: first answer after \(Int(outage * 1_000)) ms")
            #expect(outage < 4)
        }

        /// SIGTERM: sends what it has, says so, ends with 0.
        @Test(arguments: [Topology.Node.r, .b])
        func aNodeDrains(node: Topology.Node) throws {
            let program = try topology.program(node)
            program.signal(SIGTERM)
            #expect(program.exitCode(within: 5) == 0, "\(program.errors)")
            #expect(!program.errors.contains("not drained"), "\(program.errors)")
            try topology.start(node)
            try topology.awaitPing()
        }

        /// A second SIGTERM does not wait for the first.
        @Test func aSecondSignalEndsAtOnce() throws {
            let program = try topology.program(.r)
            program.signal(SIGTERM)
            program.signal(SIGTERM)
            let code = program.exitCode(within: 1)
            // 1 when it cut the drain short, 0 when the drain was over before.
            #expect(code == 0 || code == 1, "\(program.errors)")
            try topology.start(.r)
            try topology.awaitPing()
        }
    }
}
