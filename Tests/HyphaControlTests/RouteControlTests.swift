import HyphaBase
import HyphaControl
import HyphaFIB
import HyphaIdentity
import HyphaInterchange
import HyphaRouting
import HyphaWire
import Testing

@testable import HyphaControl

@Suite struct RouteControlTests {
    enum Shape: String, CaseIterable { case line, ring, star }

    private func network(_ shape: Shape, seed: UInt64) -> SimulatedNetwork {
        switch shape {
        case .line: .line(5, seed: seed)
        case .ring: .ring(6, seed: seed)
        case .star: .star(6, seed: seed)
        }
    }

    private func numbers(_ path: [SimulatedNode]?, in network: SimulatedNetwork) -> [Int] {
        (path ?? []).compactMap { node in network.nodes.firstIndex { $0 === node }.map { $0 + 1 } }
    }

    // MARK: - Ways

    @Test(arguments: Shape.allCases, [1, 2, 3] as [UInt64])
    func everyoneReachesEveryone(shape: Shape, seed: UInt64) {
        let network = network(shape, seed: seed)
        #expect(network.run(seconds: 2) { network.isWhole })
        // And it stays so, with every renewal of sessions and announcements.
        for _ in 0..<40 {
            network.run(seconds: 10)
            #expect(network.isWhole)
        }
        // The whole /64 of a node goes its way.
        let (first, last) = (network.node(1), network.node(5))
        let elsewhere = IPv6Address(high: last.address.high, low: last.address.low ^ 1)
        #expect(first.worker.lookup(elsewhere) == first.worker.lookup(last.address))
    }

    @Test func waysAreShort() {
        let network = SimulatedNetwork.ring(6)
        // Better ways than the first ones are announced in their own time.
        network.run(seconds: 30)
        for (i, a) in network.nodes.enumerated() {
            for (j, b) in network.nodes.enumerated() {
                let distance = min((i - j + 6) % 6, (j - i + 6) % 6)
                #expect(network.path(a, b)?.count == distance + 1)
            }
        }
    }

    @Test func dataCrossesTheMesh() {
        let network = SimulatedNetwork.line(5)
        network.run(seconds: 2)
        let (first, last) = (network.node(1), network.node(5))
        network.act(on: first) { $0.worker.sendFromHost(to: last.address, now: $1) }
        network.run(seconds: 0.5)
        network.act(on: first) { $0.worker.sendFromHost(to: last.address, now: $1) }
        network.run(seconds: 0.5)
        #expect(last.worker.received == [first.address])
    }

    /// The router may know a faster way; the neighbour's own link is used all the same.
    @Test func aNeighbourIsReachedByItsLink() {
        let network = SimulatedNetwork.mesh(4, edges: [(1, 2), (2, 3), (1, 3), (3, 4)])
        let slow = [network.node(1).endpoint, network.node(3).endpoint]
        network.delays = { slow.contains($0) && slow.contains($1) ? 300 : nil }
        network.run(seconds: 30)
        #expect(numbers(network.path(network.node(1), network.node(4)), in: network) == [1, 2, 3, 4])
        #expect(numbers(network.path(network.node(1), network.node(3)), in: network) == [1, 3])
        #expect(network.isWhole)
    }

    @Test(arguments: [2, 4] as [UInt8])
    func aConfiguredRouteWins(via: UInt8) {
        let target = SimulatedNetwork.identity(3).publicKey
        let neighbour = SimulatedNetwork.identity(via).publicKey
        let network = SimulatedNetwork.mesh(4, edges: [(1, 2), (2, 3), (3, 4), (4, 1)]) {
            $0 == 1 ? [ConfiguredRoute(key: target, via: neighbour)] : []
        }
        network.run(seconds: 3)
        #expect(numbers(network.path(network.node(1), network.node(3)), in: network) == [1, Int(via), 3])
        // Without that neighbour the router's way is taken.
        let gone = network.node(via)
        gone.isRunning = false
        network.run(seconds: 300)
        #expect(numbers(network.path(network.node(1), network.node(3)), in: network) == [1, via == 2 ? 4 : 2, 3])
    }

    /// Without transit a node reaches all, and nobody reaches another through it.
    @Test func aLeafPassesNothingOn() {
        let network = SimulatedNetwork.mesh(3, edges: [(1, 2), (2, 3)])
        network.node(2).configuration.routing?.isTransit = false
        network.restart(network.node(2))
        network.run(seconds: 5)
        #expect(network.path(network.node(2), network.node(1)) != nil)
        #expect(network.path(network.node(2), network.node(3)) != nil)
        #expect(network.node(1).worker.lookup(network.node(3).address).kind == .none)
    }

    // MARK: - Loss

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func aCutLinkMovesTheRoute(seed: UInt64) throws {
        let network = SimulatedNetwork.ring(6, seed: seed)
        network.run(seconds: 20 + Double(seed) / 7)
        let (source, target) = (network.node(1), network.node(4))
        let before = try #require(network.path(source, target))
        network.act(on: source) { $0.worker.sendFromHost(to: target.address, now: $1) }
        network.run(seconds: 0.5)
        network.cut(before[0], before[1])
        #expect(network.path(source, target) == nil)
        // With traffic it takes 0.85 s of silence and the ticks of the worker.
        var milliseconds = 0
        while network.path(source, target) == nil, milliseconds < 5_000 {
            network.act(on: source) { $0.worker.sendFromHost(to: target.address, now: $1) }
            network.run(seconds: 0.02)
            milliseconds += 20
        }
        #expect(milliseconds <= 1_000)
        #expect(network.path(source, target)?.contains { $0 === before[1] } == false)
        #expect(network.run(seconds: 6) { network.isWhole })
        network.run(seconds: 20)
        #expect(network.isWhole)
        network.heal()
        #expect(network.run(seconds: 10) { network.path(before[0], before[1])?.count == 2 })
        #expect(network.isWhole)
    }

    /// Of a short outage often one end alone takes notice.
    @Test(arguments: [0.5, 0.9, 1.1, 1.3, 1.5, 1.8, 2, 2.5, 3, 4, 5, 8, 15])
    func routesComeBackAfterAnOutage(seconds: Double) {
        let network = SimulatedNetwork.line(4)
        network.run(seconds: 33.3)
        // More than once.
        for _ in 0..<3 {
            network.cut(network.node(2), network.node(3))
            network.run(seconds: seconds)
            network.heal()
            #expect(network.run(seconds: 4) { network.isWhole })
            network.run(seconds: 7.7)
            #expect(network.isWhole)
        }
    }

    /// The links carry packets, and for a time nothing of the routing.
    @Test(arguments: [5, 14, 40] as [Double])
    func routesComeBackWhenControlWasLost(seconds: Double) {
        let network = SimulatedNetwork.line(3)
        network.run(seconds: 10)
        network.drops = { $0.count > 48 && $0[0] == 4 && (0x84...0x8A).contains($0[48]) }
        network.run(seconds: seconds)
        network.drops = { _ in false }
        // After a long time only the next renewal of the session begins afresh.
        #expect(network.run(seconds: seconds < 20 ? 10 : 130) { network.isWhole })
        network.run(seconds: 30)
        #expect(network.isWhole)
    }

    @Test(arguments: [5, 25] as [UInt64], [1, 2] as [UInt64])
    func lossyLinksConverge(loss: UInt64, seed: UInt64) {
        let network = SimulatedNetwork.ring(5, seed: seed)
        network.loss = loss
        #expect(network.run(seconds: 30) { network.isWhole })
        network.run(seconds: 120)
        network.loss = 0
        #expect(network.run(seconds: 20) { network.isWhole })
        network.run(seconds: 120)
        #expect(network.isWhole)
    }

    @Test(arguments: [true, false], [1, 2, 3, 4] as [UInt8])
    func aRestartedNodeIsBack(keepsState: Bool, number: UInt8) throws {
        let network = SimulatedNetwork.line(4)
        network.run(seconds: 20)
        let node = network.node(number)
        let before = try #require(node.state)
        if keepsState { node.configuration.routing?.state = before }
        network.restart(node)
        let after = try #require(node.state)
        // What beacons of the local network show is what is kept.
        let id = try #require(node.loop.routerID)
        #expect(id.key == node.key.bytes && id.random == after.random && id.zone == after.zone)
        #expect((after.random == before.random) == keepsState)
        if keepsState { #expect(after.seqno == before.seqno &+ 1) }
        #expect(network.run(seconds: 4) { network.isWhole })
        network.run(seconds: 20)
        #expect(network.isWhole)
    }

    @Test(arguments: [true, false])
    func aNodeThatWasAwayIsBack(keepsState: Bool) {
        let network = SimulatedNetwork.ring(5)
        network.run(seconds: 20)
        let node = network.node(3)
        node.isRunning = false
        #expect(network.run(seconds: 6) { network.isWhole })
        network.run(seconds: 20)
        // Who is gone has no way, not one that ends nowhere.
        #expect(network.node(5).worker.lookup(node.address).kind != .link)
        if keepsState { node.configuration.routing?.state = node.state }
        network.restart(node)
        #expect(network.run(seconds: 5) { network.isWhole })
    }

    /// A node that ends says so: nobody has to wait for silence.
    @Test func drainingRetracts() {
        let network = SimulatedNetwork.star(4)
        network.run(seconds: 5)
        let leaf = network.node(2)
        network.act(on: leaf) { node, now in node.loop.drain(now: now) }
        network.run(seconds: 0.2)
        for number in [3, 4] as [UInt8] {
            #expect(network.node(number).worker.lookup(leaf.address).kind == .unreachable)
        }
        #expect(leaf.worker.commands(.drain).count == 1)
    }

    // MARK: - Peers

    @Test func peersComeAndGoWithRoutes() {
        let network = SimulatedNetwork.line(5)
        for number in 3...5 as ClosedRange<UInt8> { network.node(number).isRunning = false }
        network.run(seconds: 5)
        let first = network.node(1)
        #expect(first.peerStatus.map(\.key) == [network.node(2).key])
        for _ in 0..<3 {
            for number in 3...5 as ClosedRange<UInt8> { network.restart(network.node(number)) }
            #expect(network.run(seconds: 100) { network.isWhole })
            #expect(first.peerStatus.count == 4 && first.worker.peerStates.count == 4)
            #expect(first.peerStatus.allSatisfy { $0.ownsSubnet })
            for number in 3...5 as ClosedRange<UInt8> { network.node(number).isRunning = false }
            network.run(seconds: 5)
            #expect(first.peerStatus.map(\.key) == [network.node(2).key] && first.worker.peerStates.count == 1)
        }
        network.run(seconds: 400)
        // Nothing is left of the routes either.
        #expect(first.worker.lookup(network.node(5).address).kind == .none)
    }

    /// Without room for a peer the node still passes packets on.
    @Test func aFullBookOfPeersStillForwards() {
        let network = SimulatedNetwork.line(5)
        let middle = network.node(3)
        middle.configuration.maxSessions = 2
        network.restart(middle)
        network.run(seconds: 5)
        #expect(middle.peerStatus.count == 2 && middle.log.contains { $0.contains("no end-to-end session") })
        for (a, b) in [(1, 5), (5, 1), (2, 4), (4, 2)] as [(UInt8, UInt8)] {
            let hop = middle.worker.lookup(network.node(b).address)
            #expect(hop.kind == .link, "from \(a)")
        }
    }

    // MARK: - Messages

    private func message(_ tlvs: [BabelTLV]) -> [UInt8] {
        var bytes: [UInt8] = []
        for tlv in tlvs { ControlTLV(type: 0x80 | tlv.type, value: tlv.body).append(to: &bytes) }
        return bytes
    }

    private func tell(_ message: [UInt8], to node: SimulatedNode, link: UInt32, _ network: SimulatedNetwork) {
        network.act(on: node) { node, now in
            message.withUnsafeBytes { node.loop.handleLinkControl($0, link: link, now: now) }
        }
    }

    private func updates(_ identities: [PublicKey], metric: UInt16 = 20, seqno: UInt16 = 1) -> [BabelTLV] {
        identities.compactMap { key in
            RouterID(key: key.bytes, zone: 0, random: 5).map {
                .update(
                    .init(
                        prefix: Prefix(key.address, length: 64), routerID: $0, seqno: seqno, metric: metric,
                        interval: 6_000))
            }
        }
    }

    private func keys(_ count: Int) -> [PublicKey] {
        var seed = Seed(99)
        return (0..<count).compactMap { _ in
            PublicKey(bytes: (0..<32).map { _ in UInt8(truncatingIfNeeded: seed.next() >> 24) })
        }
    }

    @Test func manyRoutesFitTheirMessages() throws {
        let network = SimulatedNetwork.star(3)
        network.run(seconds: 2)
        let (hub, teller, listener) = (network.node(1), network.node(2), network.node(3))
        let link = try #require(hub.linkStatus.first { $0.key == teller.key }).id
        let keys = keys(300)
        for start in stride(from: 0, to: 300, by: 15) {
            tell(message(updates(Array(keys[start..<start + 15]))), to: hub, link: link, network)
        }
        network.run(seconds: 1)
        for node in [hub, listener] {
            #expect(keys.allSatisfy { node.worker.lookup($0.address).kind == .link })
            #expect(node.peerStatus.count == 302)
        }
        // A new neighbour gets all at once.
        network.restart(listener)
        network.run(seconds: 2)
        #expect(keys.allSatisfy { listener.worker.lookup($0.address).kind == .link })
        #expect(hub.worker.controlSizes.contains { $0 > 1_000 })
        for node in network.nodes { #expect(node.worker.controlSizes.allSatisfy { $0 < 1_170 }) }
        // One table for many changes.
        #expect(listener.loop.counters.published < 60)
        // All of them gone: as at the start.
        for start in stride(from: 0, to: 300, by: 15) {
            tell(message(updates(Array(keys[start..<start + 15]), metric: .max)), to: hub, link: link, network)
        }
        network.run(seconds: 1)
        for node in [hub, listener] {
            #expect(keys.allSatisfy { node.worker.lookup($0.address).kind != .link })
            #expect(node.peerStatus.count == 2 && node.worker.peerStates.count == 2)
        }
    }

    /// A prefix belongs to the key that hashes into it, whoever says otherwise.
    @Test func nobodyTakesThePrefixOfAnother() throws {
        let network = SimulatedNetwork.star(4)
        network.run(seconds: 2)
        let (hub, liar, victim) = (network.node(1), network.node(2), network.node(3))
        let link = try #require(hub.linkStatus.first { $0.key == liar.key }).id
        let published = hub.loop.counters.published
        let id = try #require(RouterID(key: liar.key.bytes, zone: 0, random: 5))
        for (address, length) in [(victim.address, 64), (victim.address, 128), (hub.address, 64), (hub.address, 128)] {
            for metric in [0, 1, 20] as [UInt16] {
                tell(
                    message([
                        .update(
                            .init(
                                prefix: Prefix(address, length: length), routerID: id, seqno: 40_000, metric: metric,
                                interval: 6_000))
                    ]), to: hub, link: link, network)
            }
        }
        network.run(seconds: 1)
        #expect(hub.loop.counters.published == published && network.isWhole)
        #expect(hub.worker.lookup(hub.address).kind == .local)
        #expect(hub.worker.lookup(IPv6Address(high: hub.address.high, low: 1)).kind == .local)
        // A link that does not exist says nothing either.
        tell(message(updates(keys(5))), to: hub, link: 77, network)
        tell(message(updates(keys(5))), to: hub, link: .max, network)
        #expect(hub.loop.counters.published == published)
    }

    @Test func randomEntriesChangeNothing() throws {
        let network = SimulatedNetwork.star(3)
        network.run(seconds: 2)
        let hub = network.node(1)
        let published = hub.loop.counters.published
        let peers = hub.peerStatus.count
        let link = try #require(hub.linkStatus.first).id
        var seed = Seed(5)
        for i in 0..<6_000 {
            let type = 0x84 + UInt8(seed.next() % 7)
            let body = (0..<Int(seed.next() % 90)).map { _ in UInt8(truncatingIfNeeded: seed.next() >> 16) }
            var bytes: [UInt8] = []
            ControlTLV(type: type, value: body).append(to: &bytes)
            tell(bytes, to: hub, link: i % 50 == 0 ? UInt32(truncatingIfNeeded: seed.next()) : link, network)
            if i % 100 == 0 { network.run(seconds: 0.3) }
        }
        network.run(seconds: 70)
        #expect(hub.loop.counters.published == published && hub.peerStatus.count == peers)
        #expect(network.isWhole)
    }

    /// Good messages with a few bits turned, cut off, or with a word of the length changed: never a trap, and what they
    /// did is forgotten with the link.
    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func damagedMessagesDoNoHarm(value: UInt64) throws {
        let network = SimulatedNetwork.star(4, seed: value)
        network.run(seconds: 2)
        let (hub, teller) = (network.node(1), network.node(2))
        let link = try #require(hub.linkStatus.first { $0.key == teller.key }).id
        let keys = keys(20)
        var seed = Seed(value)
        for i in 0..<1_500 {
            var tlvs = updates(Array(keys[..<Int(seed.next() % 15)]), seqno: UInt16(truncatingIfNeeded: seed.next()))
            if let id = RouterID(key: keys[0].bytes, zone: 0, random: 5) {
                tlvs.append(
                    .seqnoRequest(
                        .init(prefix: Prefix(keys[0].address, length: 64), routerID: id, seqno: 9, hopCount: 3)))
            }
            tlvs += [
                .hello(.init(seqno: 3, interval: 400)), .ihu(.init(receiveCost: 5, interval: 1_200)),
                .routeRequest(.init(prefix: Prefix(keys[1].address, length: 64))),
            ]
            var bytes = message(tlvs)
            for _ in 0..<seed.next() % 4 {
                bytes[Int(seed.next() % UInt64(bytes.count))] ^= 1 << UInt8(seed.next() % 8)
            }
            if i % 3 == 0 { bytes = Array(bytes.prefix(Int(seed.next() % UInt64(bytes.count)))) }
            tell(bytes, to: hub, link: link, network)
            if i % 50 == 0 { network.run(seconds: 0.3) }
        }
        network.restart(teller)
        network.run(seconds: 700)
        #expect(network.isWhole && hub.peerStatus.count == 3)
    }

    // MARK: - Without routing

    /// A node of before, or one that keeps to configured routes, is a neighbour like any other.
    @Test func aNeighbourWithoutRoutingIsReached() {
        let network = SimulatedNetwork.mesh(3, edges: [(1, 2), (2, 3)])
        network.node(3).configuration.routing = nil
        network.restart(network.node(3))
        network.run(seconds: 30)
        #expect(network.path(network.node(2), network.node(3)) != nil)
        #expect(network.path(network.node(3), network.node(2)) != nil)
        #expect(network.node(1).worker.lookup(network.node(3).address).kind == .none)
    }
}
