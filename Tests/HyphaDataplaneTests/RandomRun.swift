import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire
import Testing

@testable import HyphaDataplane

/// A line of three nodes to which everything happens at random that can happen to workers: good, damaged, replayed and
/// invented packets, hostile super-packets, full queues, empty pools, sessions, routes and links that come and go, stock
/// bodies with and without sense, time. Every node has a session policy of its own.
///
/// The test plays control: it uses a slot again only when its worker said that it retired the session.
final class RandomRun {
    let seed: UInt64
    let network: TestNetwork
    let a: TestNode
    let r: TestNode
    let b: TestNode
    private var links: [(one: TestNode, idOne: UInt32, two: TestNode, idTwo: UInt32)] = []
    private var peers: (a: UInt32, b: UInt32) = (0, 0)
    private var identities: [ObjectIdentifier: StockIdentity] = [:]
    /// The ids that nodes know each other by: of one at the other.
    private var known: [(at: TestNode, of: TestNode, id: UInt32)] = []
    /// Slots of sessions by node, oldest first.
    private var linkSlots: [ObjectIdentifier: [UInt32]] = [:]
    private var flowSlots: [ObjectIdentifier: [UInt32]] = [:]
    /// Buffers taken away from a node.
    private var held: [(node: TestNode, buffer: UInt32)] = []
    /// Trains that crossed, to come again.
    private var recorded: [(to: TestNode, from: TestNode, bytes: [UInt8], segmentSize: Int)] = []

    init(seed: UInt64) throws {
        self.seed = seed
        let network = TestNetwork(seed: seed)
        network.keepsWire = false
        network.comment = "seed \(seed)"
        self.network = network
        var random = Seed(seed &+ 77)
        let node = { (name: String) in
            let identity = try StockIdentity(network)
            var options = TestNode.Options(
                entryMode: Bool.random(using: &random) ? .full : .header,
                hasTun: true, slabs: Int.random(in: 4...20, using: &random),
                slots: Int.random(in: 4...40, using: &random), parked: Int.random(in: 1...24, using: &random))
            options.address = identity.address
            options.stock = identity.configuration(
                [.require, .auto, .auto, .classic][Int.random(in: 0..<4, using: &random)],
                early: Bool.random(using: &random) ? .queue : .legacy, prefix: random.next())
            options.asksForRoutes = Bool.random(using: &random)
            return (try network.add(name, options), identity)
        }
        let made = try ["A", "R", "B"].map(node)
        (a, r, b) = (made[0].0, made[1].0, made[2].0)
        for (node, identity) in made { identities[ObjectIdentifier(node)] = identity }
        for (one, two) in [(a, r), (r, b)] {
            let (idOne, idTwo) = (one.addLink(to: two.endpoint), two.addLink(to: one.endpoint))
            links.append((one, idOne, two, idTwo))
        }
        for (at, of) in [(a, b), (b, a), (a, r), (b, r), (r, a), (r, b)] {
            known.append((at, of, at.addPeer(of.address)))
        }
        peers = (known[0].id, known[1].id)
        try heal()
        network.tamper = { [unowned self] from, train in self.tamper(from, train) }
    }

    private func chance(_ oneIn: Int) -> Bool { Int.random(in: 0..<oneIn, using: &network.random) == 0 }
    private func pick<T>(_ from: [T]) -> T { from[Int.random(in: 0..<from.count, using: &network.random)] }
    private func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &network.random) }

    // MARK: the wire

    private func tamper(_ from: TestNode, _ train: MemoryIO.SentTrain) -> [(bytes: [UInt8], segmentSize: Int)] {
        guard let to = network.nodes.first(where: { $0.endpoint == train.destination }) else { return [] }
        recorded.append((to, from, train.bytes, train.segmentSize))
        if recorded.count > 40 { recorded.removeFirst(20) }
        let whole = (train.bytes, train.segmentSize)
        switch number(0...19) {
        case 0: return []
        case 1: return [whole, whole]
        case 2, 7, 8:
            var bytes = train.bytes
            // The link header as often as all the rest.
            let end = chance(2) ? min(16, bytes.count) : bytes.count
            bytes[number(0...(end - 1))] ^= UInt8(1 << number(0...7))
            return [(bytes, train.segmentSize)]
        case 3: return [(Array(train.bytes[..<number(0...(train.bytes.count - 1))]), train.segmentSize)]
        case 4: return [(train.bytes, number(1...2_000))]
        case 5: return train.datagrams.shuffled(using: &network.random).map { ($0, $0.count) }
        case 6: return [(train.bytes + network.bytes(number(1...50)), train.segmentSize)]
        default: return [whole]
        }
    }

    // MARK: what happens

    func step() throws {
        for _ in 0..<number(0...6) { try act() }
        if chance(3) { network.advance(milliseconds: UInt64(number(0...60))) }
        if chance(40) { network.advance(milliseconds: UInt64(pick([500, 2_000, 5_100]))) }
        // Harm does not last.
        if chance(25) {
            giveBack(nil)
            try heal()
        }
        network.step()
        for node in network.nodes { takeNotices(node) }
        checkReferences()
    }

    private func act() throws {
        let node = pick([a, b, r])
        switch number(0...48) {
        case 0...15: node.io.arriveFromTun(tunRead(node))
        case 16...18: node.io.arrive(datagram(), segmentSize: chance(3) ? number(1...400) : 0, from: node.endpoint)
        case 19...20:
            if let old = recorded.randomElement(using: &network.random) {
                old.to.io.arrive(old.bytes, segmentSize: old.segmentSize, from: old.from.endpoint)
            }
        case 21: node.io.isFull = chance(3)
        case 22: node.io.hasTun = !chance(3)
        case 23: if chance(2) { takeAway(node) }
        case 24...25: giveBack(node)
        case 26: retire(node)
        case 27: retireFlows(node)
        case 28: try heal()
        case 29...31: node.command(WorkerCommand(.rejectParked, id: UInt32(number(0...20))))
        case 32: node.command(WorkerCommand(.probeLink, id: UInt32(number(0...20))))
        case 33: node.command(WorkerCommand(.removeLink, id: UInt32(number(0...9))))
        case 34: node.command(WorkerCommand(.removePeer, id: UInt32(number(0...9))))
        case 35: if chance(3) { reroute(node) }
        case 36:
            let slot = UInt32(number(0...15))
            node.command(WorkerCommand(chance(2) ? .confirmLinkSession : .confirmFlowSession, slot: slot))
        case 37...38: inject(node)
        case 39...41: injectLarge(node)
        case 42...43: injectStock(node)
        case 44: introduce(node)
        case 45...47: answerRoute(node)
        default: setLimits(node)
        }
    }

    /// A read of the TUN: good, or with every field of the virtio header random.
    private func tunRead(_ node: TestNode) -> [UInt8] {
        let targets = [
            a.address, b.address, a.address, b.address, r.address, IPv6Address(high: 0x0401 << 48, low: 1),
            IPv6Address(high: 0x0402 << 48 | UInt64(number(0...20)), low: 1),
        ]
        let to = pick(targets)
        let from = chance(10) ? pick(targets) : node.address
        let payload = network.bytes(chance(3) ? number(0...20_000) : number(0...1_400))
        var fields = Inner.TCPFields()
        fields.sequence = network.random.next32()
        fields.flags = UInt8(number(0...255))
        switch number(0...9) {
        case 0...2: return Inner.read(Inner.udp(from: from, to: to, payload: Array(payload.prefix(1_330))))
        case 3: return Inner.read(Inner.tcp(from: from, to: to, fields, payload: Array(payload.prefix(1_300))))
        case 4:
            return SuperPacket.tcp(from: from, to: to, fields, payload: payload + [1], size: number(1...1_330))
                .read
        case 5: return SuperPacket.udp(from: from, to: to, payload: payload + [1], size: number(8...1_330)).read
        case 6: return network.bytes(number(0...300))
        default:
            let packet = Inner.tcp(
                from: from, to: to, fields, payload: payload, hopLimit: UInt8(number(0...66)))
            let near = { self.chance(2) ? self.number(0...70) : self.number(0...65_535) }
            return Inner.virtio(
                flags: UInt8(number(0...3)), type: UInt8(pick([0, 1, 3, 4, 5, 0x84, number(0...255)])),
                headers: near(), size: near(), start: near(), offset: pick([6, 16, near()])) + packet
        }
    }

    /// A datagram from nowhere.
    private func datagram() -> [UInt8] {
        var bytes = network.bytes(number(0...600))
        if !bytes.isEmpty, chance(2) { bytes[0] = UInt8(number(1...9)) }
        if bytes.count > 8, chance(2) { bytes.replaceSubrange(2..<4, with: [0, 0]) }
        return bytes
    }

    private func takeAway(_ node: TestNode) {
        for _ in 0..<number(1...40) {
            guard let buffer = chance(2) ? node.pool.takeSlab() : node.pool.takeSlot() else { return }
            held.append((node, buffer))
        }
    }

    private func giveBack(_ node: TestNode?) {
        held.removeAll { entry in
            guard node == nil || entry.node === node else { return false }
            entry.node.pool.release(entry.buffer)
            return true
        }
    }

    private func retire(_ node: TestNode) {
        let id = ObjectIdentifier(node)
        if chance(2), let slot = linkSlots[id, default: []].randomElement(using: &network.random) {
            linkSlots[id]?.removeAll { $0 == slot }
            node.command(WorkerCommand(.retireLinkSession, slot: slot))
        } else if let slot = flowSlots[id, default: []].randomElement(using: &network.random) {
            flowSlots[id]?.removeAll { $0 == slot }
            node.command(WorkerCommand(.retireFlowSession, slot: slot))
        }
    }

    /// All end-to-end sessions: packets wait from here on.
    private func retireFlows(_ node: TestNode) {
        for slot in flowSlots[ObjectIdentifier(node), default: []] {
            node.command(WorkerCommand(.retireFlowSession, slot: slot))
        }
        flowSlots[ObjectIdentifier(node)] = []
    }

    private func takeNotices(_ node: TestNode) {
        for notice in node.notices {
            switch notice.kind {
            case .linkSessionRetired: node.linkAllocator.release(notice.slot)
            case .flowSessionRetired: node.flowAllocator.release(notice.slot)
            default: break
            }
        }
        node.forget()
    }

    private func reroute(_ node: TestNode) {
        let hops: [NextHop] = [
            NextHop(kind: .local), NextHop(kind: .unreachable), NextHop(kind: .none), NextHop(kind: .link, link: 9),
            NextHop(kind: .link, link: .max, peer: .max), NextHop(kind: .link, link: 0, peer: 0),
            NextHop(kind: .link, link: 1, peer: 0),
        ]
        node.routes.insert(Prefix(pick([a, b, r]).address, length: 64), pick(hops))
        _ = node.publishRoutes()
    }

    private func inject(_ node: TestNode) {
        switch number(0...2) {
        case 0:
            let bytes = network.bytes(number(1...1_400))
            node.inject(
                InjectedPacket(kind: .datagram, length: bytes.count, destination: pick([a, b, r]).endpoint), bytes)
        case 1:
            let bytes = network.bytes(number(1...1_400))
            node.inject(InjectedPacket(kind: .linkControl, length: bytes.count, link: UInt32(number(0...4))), bytes)
        default:
            let route = Seal.route(
                kind: UInt8(number(0...5)), hopLimit: 64, source: node.address.bytes,
                destination: pick([a, b, r]).address.bytes)
            let bytes = route + network.bytes(number(0...1_300))
            node.inject(InjectedPacket(kind: .overlay, length: bytes.count), bytes)
        }
    }

    /// Stock bodies that leave in pieces where datagrams are small.
    private func injectLarge(_ node: TestNode) {
        let to = node === a ? b : a
        let route = Seal.route(
            kind: 4, hopLimit: 64, source: node.address.bytes, destination: to.address.bytes)
        for _ in 0..<number(1...3) {
            let bytes = route + network.bytes(number(800...1_352))
            node.inject(InjectedPacket(kind: .overlay, length: bytes.count), bytes)
        }
    }

    /// A stock body of one node for another, with any content, under a nonce that may come again.
    private func injectStock(_ node: TestNode) {
        let target = pick([a, r, b])
        guard target !== node, let one = identities[ObjectIdentifier(node)],
            let other = identities[ObjectIdentifier(target)]
        else { return }
        let kind = UInt8(pick([0, 0, 1, 2, 3]))
        let inner = Inner.udp(from: node.address, to: target.address, payload: network.bytes(number(0...900)))
        let content =
            switch number(0...3) {
            case 0: network.bytes(number(0...300))
            case 1: target.address.bytes + inner
            default: inner
            }
        let nonce = [UInt8(number(0...40))] + [UInt8](repeating: 9, count: 11)
        let mark: [UInt8] = chance(3) ? [0x48, 0] : [0, 0]
        var payload = StockPeer.seal(one.shared(other.key), nonce, [1, kind] + mark + content)
        if chance(6) { payload = [0x48, 0x45, 0x31, 0x01] + network.bytes(number(0...300)) }
        if chance(8) { payload = network.bytes(number(0...40)) }
        let source = chance(8) ? IPv6Address(high: 0x0403 << 48 | UInt64(number(0...9)), low: 1) : node.address
        let route = Seal.route(
            kind: 4, hopLimit: UInt8(chance(4) ? number(0...4) : 64), source: source.bytes,
            destination: target.address.bytes)
        let bytes = route + payload
        node.inject(InjectedPacket(kind: .overlay, length: bytes.count), bytes)
    }

    private func setPeer(_ node: TestNode, _ id: UInt32, _ other: TestNode, bits: UInt32 = 0) {
        node.setPeer(id, other.address, key: identities[ObjectIdentifier(other)]?.key ?? [], bits: bits)
    }

    /// Control knows more, or less, of a peer than before.
    private func introduce(_ node: TestNode) {
        guard let pair = known.filter({ $0.at === node }).randomElement(using: &network.random) else { return }
        setPeer(node, pair.id, pair.of, bits: pick([0, WorkerCommand.nativeHintBit, WorkerCommand.nativeProofBit]))
    }

    /// What control says of routes that packets wait for, and of nonces.
    private func answerRoute(_ node: TestNode) {
        let high = pick([
            a.address.high, b.address.high, r.address.high, 0x0401 << 48, 0x0402 << 48 | UInt64(number(0...20)),
            0x0403 << 48 | UInt64(number(0...9)),
        ])
        let operation: WorkerCommand.Operation = pick([.routeResolved, .routeResolved, .routeFailed, .setStockPrefix])
        node.command(
            WorkerCommand(operation, endpoint: SocketAddress(address: IPv6Address(high: high, low: 1), port: 0)))
    }

    private func setLimits(_ node: TestNode) {
        let link = UInt32(number(0...1))
        node.command(
            WorkerCommand(
                .setLink, id: link, value: UInt32(number(0...2_000)) | UInt32(number(0...1)) << 16,
                endpoint: pick([a, b, r]).endpoint))
    }

    /// Links, sessions, peers and routes as they should be.
    func heal() throws {
        for link in links {
            link.one.setLink(link.idOne, to: link.two.endpoint, mtu: pick([1_452, 1_000]))
            link.two.setLink(link.idTwo, to: link.one.endpoint, mtu: pick([1_452, 1_000]))
            makeRoom(link.one, &linkSlots, .retireLinkSession)
            makeRoom(link.two, &linkSlots, .retireLinkSession)
            guard link.one.linkAllocator.available > 0, link.two.linkAllocator.available > 0 else { continue }
            let slots = try network.renewLink(
                link.one, link.idOne, link.two, link.idTwo, suite: UInt8(number(1...2)), lanes: number(1...16),
                modes: UInt8(pick([1, 3, 3])))
            linkSlots[ObjectIdentifier(link.one), default: []].append(slots.a)
            linkSlots[ObjectIdentifier(link.two), default: []].append(slots.b)
        }
        for pair in known { setPeer(pair.at, pair.id, pair.of) }
        for node in [a, b] { makeRoom(node, &flowSlots, .retireFlowSession) }
        if a.flowAllocator.available > 0, b.flowAllocator.available > 0 {
            let slots = try network.renewFlow(a, peers.a, b, peers.b, suite: UInt8(number(1...2)))
            flowSlots[ObjectIdentifier(a), default: []].append(slots.a)
            flowSlots[ObjectIdentifier(b), default: []].append(slots.b)
        }
        a.routes.insert(Prefix(b.address, length: 64), NextHop(kind: .link, link: links[0].idOne, peer: peers.a))
        b.routes.insert(Prefix(a.address, length: 64), NextHop(kind: .link, link: links[1].idTwo, peer: peers.b))
        a.routes.insert(Prefix(r.address, length: 64), NextHop(kind: .link, link: links[0].idOne, peer: known[2].id))
        b.routes.insert(Prefix(r.address, length: 64), NextHop(kind: .link, link: links[1].idTwo, peer: known[3].id))
        r.routes.insert(Prefix(a.address, length: 64), NextHop(kind: .link, link: links[0].idTwo, peer: known[4].id))
        r.routes.insert(Prefix(b.address, length: 64), NextHop(kind: .link, link: links[1].idOne, peer: known[5].id))
        for node in network.nodes {
            node.routes.insert(Prefix(node.address, length: 64), NextHop(kind: .local))
            _ = node.publishRoutes()
        }
    }

    private func makeRoom(_ node: TestNode, _ slots: inout [ObjectIdentifier: [UInt32]], _ how: WorkerCommand.Operation)
    {
        let id = ObjectIdentifier(node)
        while slots[id, default: []].count > 3, let slot = slots[id]?.removeFirst() {
            node.command(WorkerCommand(how, slot: slot))
        }
    }

    // MARK: what must hold

    /// Every reference is somebody's: in flight, waiting, taken away, or the two slabs under construction.
    private func checkReferences() {
        for node in network.nodes {
            var references = 0
            for buffer in 0..<node.pool.slabCount + node.pool.slotCount {
                references += node.pool.holders(UInt32(buffer))
            }
            let known = node.io.heldReferences + node.parkedSlots + held.count { $0.node === node }
            if references < known || references > known + 2 {
                Issue.record("seed \(seed), \(node.name): \(references) references, \(known) known")
            }
            if node.parkedSlots > 0, node.worker.nextDeadline == .distantFuture {
                Issue.record("seed \(seed), \(node.name): something waits and nothing is due")
            }
        }
    }

    /// Everything is put right; then packets pass, and all nodes drain without a trace.
    func finish() throws {
        giveBack(nil)
        network.tamper = nil
        for node in network.nodes {
            node.io.isFull = false
            node.io.hasTun = true
        }
        // Whatever waits may go to wherever it can.
        for _ in 0..<4 {
            try heal()
            network.advance(milliseconds: 3_000)
            network.settle()
            for node in network.nodes { takeNotices(node) }
        }
        for (from, to) in [(a, b), (b, a)] {
            network.forget()
            let packet = PathTests.message(from, to, length: 700, network)
            from.io.arriveFromTun(Inner.read(packet))
            network.settle()
            #expect(to.packets == [Inner.withHopLimit(packet, 61)], "seed \(seed), to \(to.name)")
        }
        for node in network.nodes { node.command(WorkerCommand(.drain)) }
        network.settle()
        network.step()
        for node in network.nodes {
            #expect(node.worker.isDrained == true, "seed \(seed)")
            #expect(node.worker.waiting == 0, "seed \(seed)")
            #expect(node.pool.freeSlotCount == node.pool.slotCount, "seed \(seed)")
            node.expectNoLeak("seed \(seed), \(node.name)")
        }
    }
}
