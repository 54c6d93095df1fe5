import HyphaBase
import HyphaControl
import HyphaFIB
import HyphaIdentity
import HyphaInterchange
import Testing

@Suite struct LinkLifeTests {
    @Test(arguments: 1...5 as ClosedRange<UInt64>)
    func findsARestartedHubInTwoSeconds(seed: UInt64) {
        let (network, leaf, hub) = makePair(seed: seed)
        network.run(seconds: 30 + Double(seed))
        #expect(agree(leaf, hub))
        network.restart(hub)
        #expect(!hub.isUp(leaf))
        #expect(network.run(seconds: 2) { agree(leaf, hub) })
    }

    @Test func findsAHubThatWasAwayForTwentySeconds() {
        let (network, leaf, hub) = makePair()
        network.run(seconds: 5)
        hub.isRunning = false
        #expect(network.run(seconds: 2) { leaf.linkStatus[0].state == .silent })
        network.run(seconds: 20)
        network.restart(hub)
        #expect(network.run(seconds: 1.5) { agree(leaf, hub) })
        #expect(leaf.linkStatus[0].state == .up)
    }

    @Test func comesBackAfterItsOwnRestart() {
        let (network, leaf, hub) = makePair()
        network.run(seconds: 5)
        network.restart(leaf)
        #expect(network.run(seconds: 0.5) { agree(leaf, hub) })
        #expect(hub.linkStatus.count == 1)
    }

    @Test func restingPeersComeBack() {
        let (network, leaf, hub) = makePair()
        network.run(seconds: 5)
        hub.isRunning = false
        // 1 s to notice, 90 s of trying.
        network.run(seconds: 100)
        #expect(leaf.linkStatus[0].state == .resting)
        #expect(!leaf.isUp(hub) && leaf.worker.lookup(hub.address).kind == .none)
        #expect(leaf.loop.counters.link.gaveUp == 1)
        let tries = leaf.loop.counters.link.initSent
        #expect((30...50).contains(tries))
        network.run(seconds: 600)
        // 90 s of tries, with rests of 30, 60, 120, 240 s between.
        #expect((3...5).contains(leaf.loop.counters.link.gaveUp))
        network.restart(hub)
        #expect(network.run(seconds: 400) { agree(leaf, hub) })
    }

    @Test func renewsItsSessionEveryTwoMinutes() {
        let (network, leaf, hub) = makePair()
        network.run(seconds: 1)
        let first = leaf.session(hub)?.local
        network.run(seconds: 118)
        #expect(leaf.session(hub)?.local == first)
        network.run(seconds: 2)
        let second = leaf.session(hub)?.local
        #expect(second != first && agree(leaf, hub))
        // The first is received on for another minute and gone after 180 s.
        #expect(leaf.worker.commands(.retireLinkSession).isEmpty)
        network.run(seconds: 60)
        #expect(leaf.worker.commands(.retireLinkSession).count == 1)
        network.run(seconds: 3_600)
        #expect(agree(leaf, hub))
        #expect((30...32).contains(leaf.loop.counters.link.respReceived))
        #expect(leaf.linkStatus[0].isInitiator == true)
        // Nothing was ever interrupted.
        #expect(leaf.log.filter { $0.contains("is up") }.count == 1 && !leaf.log.contains { $0.contains("is down") })
    }

    @Test func respondersRenewWhenTheInitiatorDoesNot() {
        let (network, leaf, hub) = makePair()
        network.run(seconds: 100)
        // The leaf's control stands still; its worker answers.
        var id: UInt32?
        network.act(on: hub) { hub, now in
            id = hub.linkStatus.first?.id
            let slot = id.flatMap { hub.worker.linkStates[$0]?.slot } ?? .max
            hub.loop.handle(Notice(.linkRekeyDue, id: id ?? .max, slot: slot), now: now)
        }
        network.run(seconds: 0.2)
        #expect(agree(leaf, hub) && hub.linkStatus[0].isInitiator == true)
    }

    @Test func ignoresNoticesAboutOtherSlots() {
        let (network, leaf, hub) = makePair()
        network.run(seconds: 1)
        let sent = leaf.loop.counters.link.initSent
        network.act(on: leaf) { leaf, now in
            leaf.loop.handle(Notice(.linkRekeyDue, id: 0, slot: 63), now: now)
            leaf.loop.handle(Notice(.linkSessionConfirmed, id: 0, slot: 63), now: now)
            leaf.loop.handle(Notice(.linkSessionRetired, id: 0, slot: 63), now: now)
        }
        #expect(leaf.loop.counters.link.initSent == sent && agree(leaf, hub))
    }

    @Test func triesAllAddressesOfAName() {
        let network = SimulatedNetwork(seed: 5)
        let hub = network.addNode(2)
        network.names["hub.example"] = [
            SimulatedNetwork.endpoint(200), SimulatedNetwork.endpoint6(7), hub.endpoint,
        ]
        let leaf = network.addNode(
            1, ControlConfiguration(peers: [ConfiguredPeer(key: hub.key, host: "hub.example", port: 9_651)]))
        #expect(network.run(seconds: 6) { agree(leaf, hub) })
        let order = network.sent.filter { $0.from == leaf.endpoint && $0.bytes.first == 1 }.map(\.to)
        #expect(
            order == [
                SimulatedNetwork.endpoint(200), SimulatedNetwork.endpoint(200), SimulatedNetwork.endpoint6(7),
                SimulatedNetwork.endpoint6(7), hub.endpoint,
            ])
        #expect(leaf.linkStatus[0].endpoint == hub.endpoint)
    }

    @Test func entriesWithOneKeyAreOnePeer() {
        let network = SimulatedNetwork(seed: 5)
        let hub = network.addNode(2)
        let leaf = network.addNode(
            1,
            ControlConfiguration(peers: [
                ConfiguredPeer(key: hub.key, host: "fd00::9", port: 9_651),
                ConfiguredPeer(key: hub.key, host: "10.0.0.2", port: 9_651),
            ]))
        #expect(network.run(seconds: 3) { agree(leaf, hub) })
        #expect(leaf.linkStatus.count == 1 && leaf.linkStatus[0].endpoint == hub.endpoint)
        #expect(network.sent.first?.to == SimulatedNetwork.endpoint6(9))
    }

    @Test func looksUpTheNameAgain() {
        let network = SimulatedNetwork(seed: 5)
        let hub = network.addNode(2)
        network.names["hub.example"] = []
        let leaf = network.addNode(
            1, ControlConfiguration(peers: [ConfiguredPeer(key: hub.key, host: "hub.example", port: 9_651)]))
        network.run(seconds: 3)
        #expect(leaf.log.contains { $0.contains("hub.example has no address") })
        network.names["hub.example"] = [hub.endpoint]
        #expect(network.run(seconds: 6) { agree(leaf, hub) })
    }

    @Test func sameBytesForFiveSecondsThenNewOnes() {
        let network = SimulatedNetwork(seed: 6)
        let leaf = network.addNode(1, dialling([2]))
        network.run(seconds: 89)
        let sent = network.sent.map { (network.now.milliseconds(since: $0.at), $0.bytes) }
        #expect(sent.count == Int(leaf.loop.counters.link.initSent))
        var uses: [[UInt8]: (first: UInt64, last: UInt64)] = [:]
        for (age, bytes) in sent {
            let use = uses[bytes] ?? (age, age)
            uses[bytes] = (use.first, age)
        }
        #expect(uses.values.allSatisfy { $0.first - $0.last < 5_000 })
        #expect((12...20).contains(uses.count))
        // Pauses: 0.25, 0.5, then one second for half a minute, then five; each within 20 %.
        let pauses = zip(sent.dropFirst(), sent).map { Double($1.0 - $0.0) / 1_000 }
        #expect((0.2...0.301).contains(pauses[0]) && (0.4...0.601).contains(pauses[1]))
        #expect(pauses[2...20].allSatisfy { (0.8...1.201).contains($0) })
        #expect(pauses.suffix(8).allSatisfy { (3.99...6.01).contains($0) })
    }

    @Test func followsAPeerToItsNewAddress() {
        let (network, leaf, hub) = makePair()
        network.run(seconds: 5)
        // The leaf's network changes; it dials from elsewhere.
        let moved = network.addNode(
            1, dialling([2]), endpoint: SimulatedNetwork.endpoint(77), clockOffset: 10)
        leaf.isRunning = false
        #expect(network.run(seconds: 1) { agree(moved, hub) })
        #expect(hub.linkStatus.count == 1)
        #expect(hub.linkStatus[0].endpoint == SimulatedNetwork.endpoint(77))
        #expect(hub.worker.linkStates[0]?.endpoint == SimulatedNetwork.endpoint(77))
    }

    @Test func hasOneLinkForEachFamily() {
        let network = SimulatedNetwork(seed: 8)
        let hub = network.addNode(2)
        let v4 = network.addNode(1, dialling([2]))
        network.run(seconds: 1)
        #expect(agree(v4, hub))
        // The same identity over IPv6, beside the first.
        let v6 = network.addNode(
            1, dialling([2]), endpoint: SimulatedNetwork.endpoint6(1), clockOffset: 5)
        network.run(seconds: 1)
        #expect(hub.linkStatus.count == 2 && hub.linkStatus.allSatisfy { $0.key == v6.key && $0.state == .up })
        #expect(hub.linkStatus.map { $0.endpoint?.isIPv4 } == [true, false])
        #expect(hub.worker.lookup(v4.address).link == 0)
        #expect(hub.peerStatus.count == 1)
    }

    @Test func forgetsGuests() {
        let (network, leaf, hub) = makePair()
        network.run(seconds: 1)
        leaf.isRunning = false
        network.run(seconds: 200)
        #expect(hub.linkStatus.map(\.state) == [.down])
        #expect(hub.worker.lookup(leaf.address).kind == .none)
        network.run(seconds: 310)
        #expect(hub.linkStatus.isEmpty && hub.peerStatus.isEmpty)
        #expect(hub.worker.linkStates.isEmpty && hub.worker.peerStates.isEmpty)
        #expect(hub.worker.commands(.installLinkSession).count == hub.worker.commands(.retireLinkSession).count)
    }
}
