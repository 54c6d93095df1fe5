import HyphaBase
import HyphaControl
import HyphaFIB
import HyphaIdentity
import Testing

/// What an INIT may not do before a packet came in under its session.
@Suite struct LinkDefenceTests {
    /// INITs from the leaf to the hub so far.
    private func inits(_ network: SimulatedNetwork, from node: SimulatedNode) -> [[UInt8]] {
        network.sent.filter { $0.from == node.endpoint && $0.bytes.first == 1 && $0.bytes.count == 168 }.map(\.bytes)
    }

    @Test func aReplayedInitChangesNothing() throws {
        let (network, leaf, hub) = makePair()
        network.run(seconds: 1)
        let recorded = try #require(inits(network, from: leaf).first)
        let attacker = SimulatedNetwork.endpoint(66)
        let before = hub.session(leaf)?.local
        for _ in 0..<10 {
            network.deliver(recorded, from: attacker, to: hub.endpoint)
            network.run(seconds: 1)
        }
        #expect(hub.session(leaf)?.local == before && agree(leaf, hub))
        #expect(hub.linkStatus[0].endpoint == leaf.endpoint)
        #expect(hub.loop.counters.link.respSent == 1)
        // Its time is stale: a cookie, smaller than the INIT, at most.
        let answers = network.sent.filter { $0.to == attacker }
        #expect(answers.count == 10 && answers.allSatisfy { $0.bytes.count == 64 && $0.bytes[0] == 3 })
    }

    @Test func aRecordedInitThatNeverArrivedCountsForNothing() throws {
        let (network, leaf, hub) = makePair()
        network.run(seconds: 1)
        network.cuts = { $0 == leaf.endpoint && $1 == hub.endpoint }
        leaf.renew(network)
        network.run(seconds: 1)
        let recorded = try #require(inits(network, from: leaf).last)
        network.cuts = { _, _ in false }
        network.run(seconds: 300)
        #expect(agree(leaf, hub))
        // Kept for long and sent to another node with the same key, which knows nothing of the leaf.
        network.restart(hub)
        leaf.isRunning = false
        let attacker = SimulatedNetwork.endpoint(66)
        network.deliver(recorded, from: attacker, to: hub.endpoint)
        network.run(seconds: 0.1)
        #expect(network.sent.last?.to == attacker && network.sent.last?.bytes.count == 148)
        #expect(hub.linkStatus.count == 1 && hub.linkStatus[0].state == .down)
        #expect(hub.worker.lookup(leaf.address).kind == .none && hub.peerStatus.isEmpty)
        #expect(hub.worker.linkStates[0]?.slot == nil)
        // Within five seconds the same answer, then nothing is left of it.
        network.deliver(recorded, from: attacker, to: hub.endpoint)
        network.run(seconds: 0.1)
        #expect(hub.loop.counters.link.respRepeated == 1 && hub.loop.counters.link.respSent == 1)
        network.run(seconds: 6)
        #expect(hub.linkStatus.isEmpty && hub.worker.linkStates.isEmpty)
        #expect(hub.loop.counters.link.answeredDropped == 1)
        // The leaf itself is let in as if nothing had been.
        network.restart(leaf)
        #expect(network.run(seconds: 1) { agree(leaf, hub) })
    }

    @Test func aPendingReplayLocksNobodyOut() throws {
        let (network, leaf, hub) = makePair(clockOffset: 3_600)
        network.run(seconds: 1)
        // A recorded INIT with a time far ahead holds "next" at a hub that forgot all.
        let recorded = try #require(inits(network, from: leaf).first)
        leaf.clockOffset = 0
        leaf.isRunning = false
        network.restart(hub)
        network.deliver(recorded, from: SimulatedNetwork.endpoint(66), to: hub.endpoint)
        network.run(seconds: 0.1)
        network.restart(leaf)
        // By cookie, beside the pending one.
        #expect(network.run(seconds: 2) { agree(leaf, hub) })
        #expect(leaf.loop.counters.link.cookieReceived == 1)
        #expect(hub.linkStatus.count == 1 && hub.linkStatus[0].endpoint == leaf.endpoint)
        network.run(seconds: 60)
        #expect(agree(leaf, hub))
    }

    @Test func aClockSetBackCostsACookie() {
        let (network, leaf, hub) = makePair(clockOffset: 86_400)
        network.run(seconds: 1)
        #expect(agree(leaf, hub))
        leaf.clockOffset = 0
        network.restart(leaf)
        #expect(network.run(seconds: 1) { agree(leaf, hub) })
        #expect(leaf.loop.counters.link.cookieReceived == 1 && hub.loop.counters.link.cookieSent == 1)
        #expect(hub.loop.counters.link.refusedStale == 1)
        // Every renewal until the clock has caught up goes the same way.
        network.run(seconds: 125)
        #expect(agree(leaf, hub) && hub.loop.counters.link.respSent == 3)
    }

    @Test func cookiesAreLimited() throws {
        let (network, leaf, hub) = makePair()
        network.run(seconds: 1)
        let recorded = try #require(inits(network, from: leaf).first)
        for i in 0..<5_000 {
            network.deliver(
                recorded, from: SocketAddress(address: .mapped(ipv4: UInt32(i)), port: 1), to: hub.endpoint)
        }
        network.run(seconds: 1)
        #expect(hub.loop.counters.link.refusedStale == 5_000)
        #expect((200...400).contains(hub.loop.counters.link.cookieSent))
        #expect(agree(leaf, hub))
    }

    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func anyBytesAreSafe(seed: UInt64) {
        let (network, leaf, hub) = makePair(seed: seed)
        network.run(seconds: 1)
        let before = (leaf.session(hub)?.local, hub.session(leaf)?.local)
        let status = hub.linkStatus.map(\.endpoint)
        var chance = Seed(seed)
        let recorded = network.sent.map(\.bytes).filter { $0.count == 168 || $0.count == 148 || $0.count == 64 }
        for _ in 0..<300 {
            var bytes: [UInt8]
            switch chance.next() % 3 {
            case 0:
                // Noise of any length, often with a handshake's head.
                let length = [168, 148, 64, Int(chance.next() % 200)][Int(chance.next() % 4)]
                bytes = (0..<length).map { _ in UInt8(truncatingIfNeeded: chance.next()) }
                if chance.next() % 2 == 0, bytes.count > 4 { bytes[0...3] = [UInt8(chance.next() % 4), 1, 0, 0] }
            case 1:
                // A real message with one bit turned.
                bytes = recorded[Int(chance.next() % UInt64(recorded.count))]
                // Not in mac2, which says nothing without load.
                bytes[Int(chance.next() % UInt64(bytes.count - 16))] ^= 1 << UInt8(chance.next() % 8)
            default:
                // A real message cut short.
                bytes = recorded[Int(chance.next() % UInt64(recorded.count))]
                bytes.removeLast(Int(chance.next() % UInt64(bytes.count)) + 1)
            }
            let to = chance.next() % 2 == 0 ? hub : leaf
            network.act(on: to) { node, now in
                bytes.withUnsafeBytes {
                    node.loop.handleHandshake($0, sender: SimulatedNetwork.endpoint(66), socket: 0, now: now)
                }
            }
        }
        #expect(leaf.session(hub)?.local == before.0 && hub.session(leaf)?.local == before.1)
        #expect(hub.linkStatus.map(\.endpoint) == status && hub.linkStatus.count == 1)
        #expect(network.sent.allSatisfy { $0.to != SimulatedNetwork.endpoint(66) })
        #expect(hub.loop.counters.link.respSent == 1)
        network.run(seconds: 200)
        #expect(agree(leaf, hub))
    }
}
