import HyphaBase
import HyphaDataplane
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire
import Testing

/// Nodes in memory and the wire between them. Time passes only when a test says so.
final class TestNetwork {
    var random: Seed
    var now = Instant(nanoseconds: 1_000_000_000_000)
    /// Goes with every failed check of a turn.
    var comment: Comment?
    /// What the wire makes of a train on its way from a node; nil for a wire that does nothing.
    var tamper: ((TestNode, MemoryIO.SentTrain) -> [(bytes: [UInt8], segmentSize: Int)])?
    private(set) var nodes: [TestNode] = []
    /// Every train that crossed the wire, in order.
    private(set) var wire: [(from: TestNode, train: MemoryIO.SentTrain)] = []

    /// TCP connections between nodes.
    var streams: [StreamWire] = []

    /// False: `wire` stays empty.
    var keepsWire = true

    init(seed: UInt64) { random = Seed(seed) }

    func add(_ name: String, _ options: TestNode.Options = TestNode.Options()) throws -> TestNode {
        let node = try TestNode(name, number: UInt64(nodes.count + 1), options)
        nodes.append(node)
        node.route(node.address, NextHop(kind: .local))
        return node
    }

    func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) } }

    func laneKeys() -> [[UInt8]] { (0..<SessionTable.maxLanes).map { _ in bytes(32) } }

    /// A link in both directions with a session that both ends use; the link's id at each.
    @discardableResult
    func link(
        _ a: TestNode, _ b: TestNode, suite: UInt8 = 1, lanes: Int = 16, modes: UInt8 = 3, mtu: Int = 1_452,
        fullOnly: Bool = false
    ) throws -> (a: UInt32, b: UInt32) {
        let ids = (
            a: a.addLink(to: b.endpoint, mtu: mtu, fullOnly: fullOnly),
            b: b.addLink(to: a.endpoint, mtu: mtu, fullOnly: fullOnly)
        )
        try renewLink(a, ids.a, b, ids.b, suite: suite, lanes: lanes, modes: modes)
        return ids
    }

    /// A new session for a link; the slots at both ends.
    @discardableResult
    func renewLink(
        _ a: TestNode, _ idA: UInt32, _ b: TestNode, _ idB: UInt32, suite: UInt8 = 1, lanes: Int = 16, modes: UInt8 = 3
    ) throws -> (a: UInt32, b: UInt32) {
        guard let atA = a.linkAllocator.allocate(random: random.next32()),
            let atB = b.linkAllocator.allocate(random: random.next32())
        else { throw Full() }
        let (there, back) = (laneKeys(), laneKeys())
        a.port.linkSessions.prepare(
            atA.slot,
            SessionRecord(
                localIndex: atA.index, remoteIndex: atB.index, owner: idA, suite: suite, lanes: lanes,
                peerModes: modes, isInitiator: true, created: now), sendKeys: there, receiveKeys: back)
        b.port.linkSessions.prepare(
            atB.slot,
            SessionRecord(
                localIndex: atB.index, remoteIndex: atA.index, owner: idB, suite: suite, lanes: lanes,
                peerModes: modes, isInitiator: false, created: now), sendKeys: back, receiveKeys: there)
        a.command(WorkerCommand(.installLinkSession, slot: atA.slot))
        b.command(WorkerCommand(.installLinkSession, slot: atB.slot))
        a.command(WorkerCommand(.sendWithLinkSession, id: idA, slot: atA.slot))
        b.command(WorkerCommand(.sendWithLinkSession, id: idB, slot: atB.slot))
        return (atA.slot, atB.slot)
    }

    /// Makes two nodes end-to-end peers, each reached over the given link; the peer ids.
    @discardableResult
    func introduce(
        _ a: TestNode, over linkA: UInt32, _ b: TestNode, over linkB: UInt32, suite: UInt8 = 1
    ) throws -> (a: UInt32, b: UInt32) {
        let ids = (a: a.addPeer(b.address), b: b.addPeer(a.address))
        a.route(b.address, NextHop(kind: .link, link: linkA, peer: ids.a))
        b.route(a.address, NextHop(kind: .link, link: linkB, peer: ids.b))
        try renewFlow(a, ids.a, b, ids.b, suite: suite)
        return ids
    }

    /// A new end-to-end session between two peers; the slots at both ends.
    @discardableResult
    func renewFlow(
        _ a: TestNode, _ idA: UInt32, _ b: TestNode, _ idB: UInt32, suite: UInt8 = 1
    ) throws -> (a: UInt32, b: UInt32) {
        guard let atA = a.flowAllocator.allocate(random: random.next32()),
            let atB = b.flowAllocator.allocate(random: random.next32())
        else { throw Full() }
        let (there, back) = (laneKeys(), laneKeys())
        a.port.flowSessions.prepare(
            atA.slot,
            SessionRecord(
                localIndex: atA.index, remoteIndex: atB.index, owner: idA, suite: suite, lanes: 16, peerModes: 0,
                isInitiator: true, created: now), sendKeys: there, receiveKeys: back)
        b.port.flowSessions.prepare(
            atB.slot,
            SessionRecord(
                localIndex: atB.index, remoteIndex: atA.index, owner: idB, suite: suite, lanes: 16, peerModes: 0,
                isInitiator: false, created: now), sendKeys: back, receiveKeys: there)
        a.command(WorkerCommand(.installFlowSession, slot: atA.slot))
        b.command(WorkerCommand(.installFlowSession, slot: atB.slot))
        a.command(WorkerCommand(.sendWithFlowSession, id: idA, slot: atA.slot))
        b.command(WorkerCommand(.sendWithFlowSession, id: idB, slot: atB.slot))
        return (atA.slot, atB.slot)
    }

    func advance(milliseconds: UInt64) { now = now.advanced(byMilliseconds: milliseconds) }

    /// Lets time pass for a node that sleeps until something is due, as a loop around a worker does.
    func sleep(_ node: TestNode, milliseconds: UInt64) {
        let end = now.advanced(byMilliseconds: milliseconds)
        while node.worker.nextDeadline <= end {
            now = max(now, node.worker.nextDeadline)
            node.turn(now)
            node.turn(now)
        }
        now = end
    }

    /// A turn of every node, then the wire.
    func step() {
        for node in nodes { node.turn(now, comment) }
        for node in nodes {
            for train in node.sent {
                if keepsWire { wire.append((node, train)) }
                guard let target = nodes.first(where: { $0.endpoint == train.destination }) else { continue }
                for part in tamper?(node, train) ?? [(train.bytes, train.segmentSize)] {
                    let isTrain = part.segmentSize < part.bytes.count
                    target.io.arrive(part.bytes, segmentSize: isTrain ? part.segmentSize : 0, from: node.endpoint)
                }
            }
            node.sent.removeAll()
        }
        for i in streams.indices { streams[i].carry() }
    }

    /// A TCP link between two nodes, both with their ends known; its ids there.
    func stream(_ a: TestNode, _ b: TestNode) throws -> (a: UInt32, b: UInt32) {
        let accepted = (a.io.accept(from: b.endpoint), b.io.accept(from: a.endpoint))
        let (atA, atB) = (try #require(accepted.0), try #require(accepted.1))
        for node in [a, b] { node.turn(now) }
        streams.append(StreamWire(a, atA, b, atB))
        return (a.numbering.link(connection: atA), b.numbering.link(connection: atB))
    }

    /// Turns until nothing moves.
    func settle(limit: Int = 200) {
        for _ in 0..<limit {
            step()
            if nodes.allSatisfy({ $0.io.waiting == 0 && $0.io.inFlight == 0 }) { break }
        }
    }

    /// Datagrams that crossed the wire from one node.
    func datagrams(from node: TestNode) -> [[UInt8]] {
        wire.filter { $0.from === node }.flatMap(\.train.datagrams)
    }

    func forget() {
        wire.removeAll()
        for node in nodes { node.forget() }
    }

    /// A session table or a ring is full.
    struct Full: Error {}
}

extension Seed {
    mutating func next32() -> UInt32 { UInt32(truncatingIfNeeded: next()) }
}
