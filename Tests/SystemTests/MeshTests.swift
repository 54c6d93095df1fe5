import Foundation
import Glibc
import Testing

extension SystemTests {
    /// Nodes that know only their neighbours and find their ways by routing.
    @Suite(.serialized) struct MeshTests {
        /// Moments of the answers in the output of ping -D.
        private func answers(_ ping: RunningProgram) -> [Double] {
            ping.output.split(separator: "\n").compactMap { line in
                guard line.first == "[", line.contains("bytes from"), let end = line.firstIndex(of: "]") else {
                    return nil
                }
                return Double(line[line.index(after: line.startIndex)..<end])
            }
        }

        /// Starts all nodes; returns the moment at which the last one was started.
        private func start(_ ring: RingTopology) throws -> Double {
            for node in 0..<RingTopology.count { try ring.launch(node) }
            let started = Clock.now
            for node in 0..<RingTopology.count { try ring.awaitReady(node) }
            return started
        }

        /// A ping from end to end that is answered.
        private func awaitPing(_ ring: RingTopology, since started: Double, within seconds: Double) throws
            -> RunningProgram
        {
            let ping = try ring.ping()
            let first: Double? = Clock.wait(seconds) { answers(ping).first }
            guard let first else {
                ping.stop()
                throw SystemTestError("no answer within \(seconds) s: \(ping.output)\(ping.errors)\n\(ring.logs)")
            }
            print("system: mesh of 5, first answer \(Int((first - started) * 1_000)) ms after the start")
            return ping
        }

        /// The relay that carries the ping: the one that sends most while it runs.
        private func relayInUse(_ ring: RingTopology) throws -> Int {
            let relays = (0..<RingTopology.count).filter {
                $0 != RingTopology.ends.source && $0 != RingTopology.ends.target
            }
            let before = try relays.map { try ring.report($0)["sent"] }
            Clock.pause(1)
            let after = try relays.map { try ring.report($0)["sent"] }
            let counts = zip(after, before).map { $0 - $1 }
            let most = try #require(counts.indices.max { counts[$0] < counts[$1] })
            // 20 pings and 20 answers a second.
            #expect(counts[most] > 20, "\(counts)")
            return relays[most]
        }

        /// The longest time without an answer between two moments, seconds.
        private func longestGap(_ ping: RunningProgram, from: Double, to: Double) -> Double {
            let inside = [from] + answers(ping).filter { $0 > from && $0 < to } + [to]
            return zip(inside.dropFirst(), inside).map { $0 - $1 }.max() ?? 0
        }

        @Test func aKilledRelayIsGoneAround() throws {
            let ring = try RingTopology()
            defer { ring.tearDown() }
            let started = try start(ring)
            let ping = try awaitPing(ring, since: started, within: 3)
            defer { ping.stop() }
            // A node takes a newer seqno, which the way around may need, 4 s after its start at the soonest.
            Clock.pause(max(0, started + 3.5 - Clock.now))
            // Twice: the second time the other way round is the way back.
            for _ in 0..<2 {
                let relay = try relayInUse(ring)
                let program = try ring.program(relay)
                let killed = Clock.now
                program.signal(SIGKILL)
                #expect(program.exitCode(within: 3) == 128 + SIGKILL)
                // Answers that were under way at the kill do not count.
                let back: Double? = Clock.wait(8) { answers(ping).first { $0 > killed + 0.1 } }
                let outage = try #require(back, "no answer within 8 s: \(ring.logs)") - killed
                print("system: mesh, relay \(relay) killed, first answer after \(Int(outage * 1_000)) ms")
                #expect(outage < 1.5, "\(ring.logs)")
                Clock.pause(0.3)

                let restarted = Clock.now
                try ring.launch(relay)
                try ring.awaitReady(relay)
                Clock.pause(2)
                let gap = longestGap(ping, from: restarted, to: Clock.now)
                print("system: mesh, relay \(relay) back, longest gap \(Int(gap * 1_000)) ms")
                #expect(gap < 1, "\(ring.logs)")
            }
        }

        /// The state file is beside the key: a node that starts again is not a new origin to the mesh.
        @Test func aRestartedNodeKeepsItsRouterID() throws {
            let ring = try RingTopology()
            defer { ring.tearDown() }
            let started = try start(ring)
            let ping = try awaitPing(ring, since: started, within: 3)
            defer { ping.stop() }
            let target = RingTopology.ends.target
            let before = try ring.routerRandom(target)
            for signal in [SIGTERM, SIGKILL] {
                let program = try ring.program(target)
                program.signal(signal)
                #expect(program.exitCode(within: 5) == (signal == SIGTERM ? 0 : 128 + SIGKILL), "\(program.errors)")
                let restarted = Clock.now
                try ring.launch(target)
                try ring.awaitReady(target)
                let back: Double? = Clock.wait(8) { answers(ping).first { $0 > restarted } }
                let outage = try #require(back, "no answer within 8 s: \(ring.logs)") - restarted
                print(
                    "system: mesh, end restarted after signal \(signal), first answer after \(Int(outage * 1_000)) ms")
                #expect(try ring.routerRandom(target) == before)
            }
            #expect(before != (try ring.routerRandom(RingTopology.ends.source)))
        }
    }
}
