import HyphaBase
import HyphaControl
import HyphaFIB
import HyphaIdentity
import HyphaInterchange
import HyphaSession
import HyphaWire
import Testing

/// Two leaves, 1 and 3, and a relay, 2, between them.
private func makeRelayed(
    seed: UInt64 = 1, maxSessions: Int = 32
) -> (SimulatedNetwork, a: SimulatedNode, relay: SimulatedNode, b: SimulatedNode) {
    let network = SimulatedNetwork(seed: seed)
    let key = { (number: UInt8) in SimulatedNetwork.identity(number).publicKey }
    let relay = network.addNode(2)
    let a = network.addNode(1, dialling([2], routes: [ConfiguredRoute(key: key(3), via: key(2))]))
    let b = network.addNode(3, dialling([2], routes: [ConfiguredRoute(key: key(1), via: key(2))]))
    network.run(seconds: 1)
    return (network, a, relay, b)
}

/// True when the flow sessions in use are the two halves of one.
private func flowsAgree(_ a: SimulatedNode, _ b: SimulatedNode) -> Bool {
    guard let here = a.flowSession(b), let there = b.flowSession(a) else { return false }
    return here.local == there.remote && here.remote == there.local
}

extension SimulatedNode {
    fileprivate func flowID(_ other: SimulatedNode) -> UInt32? { peerStatus.first { $0.key == other.key }?.id }

    fileprivate func flowSession(_ other: SimulatedNode) -> (local: UInt32, remote: UInt32)? {
        guard let id = flowID(other), let slot = worker.peerStates[id]?.slot else { return nil }
        let record = worker.flows.table.record(slot).pointee
        return (record.localIndex, record.remoteIndex)
    }

    fileprivate func send(to other: IPv6Address, _ network: SimulatedNetwork) {
        network.act(on: self) { node, now in node.worker.sendFromHost(to: other, now: now) }
    }
}

@Suite struct FlowTests {
    @Test func establishesThroughARelay() throws {
        let (network, a, relay, b) = makeRelayed()
        #expect(a.worker.lookup(b.address).kind == .link && a.flowSession(b) == nil)
        a.send(to: b.address, network)
        #expect(network.run(seconds: 0.3) { flowsAgree(a, b) })
        network.run(seconds: 1)
        let slot = try #require(a.flowID(b).flatMap { a.worker.peerStates[$0]?.slot })
        let record = a.worker.flows.table.record(slot)
        #expect(record.pointee.lanes == 16 && record.pointee.isInitiator == 1)
        #expect(a.loop.counters.flow.initSent == 1 && b.loop.counters.flow.answeredConfirmed == 1)
        #expect(a.loop.counters.flow.initiatedConfirmed == 1)
        #expect(a.worker.rejected.isEmpty)
        // The relay has no session with either for that.
        #expect(relay.loop.counters.flow.initReceived == 0)
        a.send(to: b.address, network)
        b.send(to: a.address, network)
        network.run(seconds: 0.1)
        #expect(b.worker.received == [a.address] && a.worker.received == [b.address])
        #expect(a.peerStatus.first { $0.key == b.key }?.roundTripNanoseconds == 40_000_000)
    }

    @Test func worksWithADirectNeighbour() {
        let (network, leaf, hub) = makePair()
        network.run(seconds: 1)
        hub.send(to: leaf.address, network)
        #expect(network.run(seconds: 0.3) { flowsAgree(leaf, hub) })
    }

    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func survivesLossAndCrossing(seed: UInt64) {
        let (network, a, _, b) = makeRelayed(seed: seed)
        network.loss = 20
        network.delay = 1...60
        // Both begin at once and go on sending.
        let done = { flowsAgree(a, b) }
        for _ in 0..<60 where !done() {
            a.send(to: b.address, network)
            b.send(to: a.address, network)
            network.run(seconds: 0.5)
        }
        #expect(done())
    }

    @Test func renewsOnlyWithData() {
        let (network, a, _, b) = makeRelayed()
        a.send(to: b.address, network)
        network.run(seconds: 100)
        let first = a.flowSession(b)?.local
        #expect(flowsAgree(a, b))
        network.run(seconds: 25)
        #expect(a.flowSession(b)?.local == first)
        a.send(to: b.address, network)
        network.run(seconds: 1)
        #expect(a.flowSession(b)?.local != first && flowsAgree(a, b))
        // Without data it ends 180 s after it was made.
        network.run(seconds: 176)
        #expect(flowsAgree(a, b))
        network.run(seconds: 5)
        #expect(a.flowSession(b) == nil && b.flowSession(a) == nil)
        #expect(a.worker.commands(.installFlowSession).count == a.worker.commands(.retireFlowSession).count)
        #expect(a.worker.received.isEmpty && b.worker.received == [a.address])
    }

    @Test func givesUpPacketsAfterThreeSeconds() throws {
        let (network, a, _, b) = makeRelayed()
        b.isRunning = false
        let id = try #require(a.flowID(b))
        a.send(to: b.address, network)
        network.run(seconds: 2.9)
        #expect(a.worker.rejected.isEmpty)
        network.run(seconds: 0.2)
        #expect(a.worker.rejected == [id])
        // As long as packets ask, INITs go on, and the packets are given up once a second.
        for _ in 0..<50 {
            a.send(to: b.address, network)
            network.run(seconds: 0.2)
        }
        #expect((9...11).contains(a.worker.rejected.count))
        let sent = a.loop.counters.flow.initSent
        #expect((6...8).contains(sent))
        // Nobody asks any more: it ends by itself.
        network.run(seconds: 80)
        #expect(a.loop.counters.flow.initSent <= sent + 3 && a.loop.counters.flow.gaveUp == 0)
        network.restart(b)
        network.run(seconds: 3)
        a.send(to: b.address, network)
        #expect(network.run(seconds: 2) { flowsAgree(a, b) })
    }

    @Test func findsARestartedPeer() throws {
        let (network, a, _, b) = makeRelayed()
        a.send(to: b.address, network)
        network.run(seconds: 10)
        network.restart(b)
        network.run(seconds: 3)
        let old = a.flowSession(b)?.local
        // Data into the void: silence, then a new session.
        for _ in 0..<4 {
            a.send(to: b.address, network)
            network.run(seconds: 0.5)
        }
        #expect(network.run(seconds: 1) { flowsAgree(a, b) })
        #expect(a.flowSession(b)?.local != old)
    }

    /// Whoever has the lower key: a session that the peer made a moment before its end does not stand in the way of the one
    /// with its next run.
    @Test(arguments: [true, false])
    func findsAPeerThatRestartedRightAfterItsHandshake(isOneRestarted: Bool) throws {
        let (network, one, _, three) = makeRelayed()
        let (a, b) = isOneRestarted ? (three, one) : (one, three)
        b.send(to: a.address, network)
        #expect(network.run(seconds: 0.5) { flowsAgree(a, b) })
        network.restart(b)
        for _ in 0..<4 {
            network.run(seconds: 0.5)
            a.send(to: b.address, network)
        }
        network.run(seconds: 0.1)
        #expect(flowsAgree(a, b) && b.worker.received.contains(a.address))
    }

    @Test func anErrorOfUnknownSessionStartsOneHandshake() throws {
        let (network, a, relay, b) = makeRelayed()
        a.send(to: b.address, network)
        network.run(seconds: 10)
        let session = try #require(a.flowSession(b))
        let before = a.loop.counters
        let good = errorPacket(
            from: relay, to: a, code: .unknownSession, quoting: session.remote, destination: b.address)
        // About another session, about packets of somebody else, too short: nothing.
        for bad in [
            errorPacket(
                from: relay, to: a, code: .unknownSession, quoting: session.remote &+ 1, destination: b.address),
            errorPacket(
                from: relay, to: a, code: .unknownSession, quoting: session.remote, source: relay.address,
                destination: b.address),
            Array(good.dropLast()),
        ] {
            network.act(on: a) { node, now in bad.withUnsafeBytes { node.loop.handleOverlay($0, link: 0, now: now) } }
        }
        #expect(a.loop.counters.errorRefused == 3 && a.loop.counters.flow.initSent == before.flow.initSent)
        network.act(on: a) { node, now in good.withUnsafeBytes { node.loop.handleOverlay($0, link: 0, now: now) } }
        #expect(a.loop.counters.flow.initSent == before.flow.initSent + 1)
        network.run(seconds: 0.5)
        #expect(flowsAgree(a, b) && a.flowSession(b)?.local != session.local)
        for code in [ErrorBody.Code.noRoute, .hopLimit, .tooBig] {
            let packet = errorPacket(from: relay, to: a, code: code, quoting: session.remote, destination: b.address)
            network.act(on: a) { node, now in packet.withUnsafeBytes { node.loop.handleOverlay($0, link: 0, now: now) }
            }
        }
        let after = a.loop.counters
        #expect(after.errorNoRoute == 1 && after.errorHopLimit == 1 && after.errorTooBig == 1)
        #expect(after.flow.initSent == before.flow.initSent + 1)
    }

    /// A handshake that has waited in vain for a while is not left waiting when a sign of the peer comes in.
    @Test func anErrorOfUnknownSessionHastensAnOpenHandshake() throws {
        let (network, a, relay, b) = makeRelayed()
        a.send(to: b.address, network)
        network.run(seconds: 10)
        let session = try #require(a.flowSession(b))
        let hint = errorPacket(
            from: relay, to: a, code: .unknownSession, quoting: session.remote, destination: b.address)
        func send() {
            network.act(on: a) { node, now in hint.withUnsafeBytes { node.loop.handleOverlay($0, link: 0, now: now) } }
        }
        // Nothing passes: the pauses between the INITs grow to 5 s.
        network.cuts = { _, _ in true }
        send()
        network.run(seconds: 6)
        let tries = a.loop.counters.flow.initSent
        send()
        network.run(seconds: 0.3)
        #expect(a.loop.counters.flow.initSent == tries + 1)
    }

    @Test func answersOnlyWhoseAddressIsThatOfTheKey() throws {
        let (network, a, _, b) = makeRelayed()
        a.send(to: b.address, network)
        network.run(seconds: 1)
        let initiation = try #require(overlayPackets(network, to: b).first { $0[0] >> 4 == 1 })
        network.restart(b)
        network.run(seconds: 1)
        let before = b.peerStatus.map(\.id)
        func hand(_ packet: [UInt8]) {
            network.act(on: b) { node, now in packet.withUnsafeBytes { node.loop.handleOverlay($0, link: 0, now: now) }
            }
        }
        // Another source: the prologue differs; another source of the same /64 too.
        var wrong = initiation
        wrong[31] ^= 1
        hand(wrong)
        #expect(b.loop.counters.flow.refusedInit == 1)
        // Another destination: not for us at all.
        wrong = initiation
        wrong[47] ^= 1
        hand(wrong)
        #expect(b.loop.counters.overlayRefused == 1)
        // A routing type that is not the body's.
        wrong = initiation
        wrong[0] = 0x20
        hand(wrong)
        #expect(b.loop.counters.overlayRefused == 2)
        #expect(b.loop.counters.flow.respSent == 0 && b.peerStatus.map(\.id) == before)
        // The packet itself is fine.
        hand(initiation)
        #expect(b.loop.counters.flow.respSent == 1)
        // It was a replay: nothing comes in under it, and nothing of it stays.
        network.run(seconds: 6)
        #expect(b.flowSession(a) == nil && b.loop.counters.flow.answeredDropped == 1)
    }

    @Test func anInitFromAStrangerLeavesNoTrace() throws {
        let network = SimulatedNetwork(seed: 3)
        let relay = network.addNode(2)
        let key = SimulatedNetwork.identity(3).publicKey
        let a = network.addNode(1, dialling([2], routes: [ConfiguredRoute(key: key, via: relay.key)]))
        // No route back to the stranger.
        let b = network.addNode(3, dialling([2]))
        network.run(seconds: 1)
        a.send(to: b.address, network)
        network.run(seconds: 0.2)
        #expect(b.loop.counters.flow.respSent == 1)
        #expect(b.peerStatus.contains { $0.key == a.key })
        network.run(seconds: 20)
        #expect(!b.peerStatus.contains { $0.key == a.key })
        #expect(b.worker.peerStates.values.allSatisfy { $0.address != a.address })
    }

    @Test func evictsTheIdlestAndRefusesWhenAllAreInUse() {
        let network = SimulatedNetwork(seed: 3)
        // Room for its neighbour, the relay, and two more.
        let server = network.addNode(
            9,
            {
                var c = dialling([2])
                c.maxSessions = 3
                return c
            }())
        let numbers: [UInt8] = [1, 3, 4]
        let relay = network.addNode(2)
        let clients = numbers.map { number in
            network.addNode(number, dialling([2], routes: [ConfiguredRoute(key: server.key, via: relay.key)]))
        }
        network.run(seconds: 1)
        // The server has no routes back: none of their sessions is ever confirmed.
        for client in clients {
            client.send(to: server.address, network)
            network.run(seconds: 0.5)
        }
        #expect(server.loop.counters.flow.respSent >= 3)
        #expect(server.peerStatus.count == 3)
        #expect(server.loop.counters.peersEvicted >= 1)
        #expect(server.peerStatus.contains { $0.key == relay.key })
    }

    @Test(arguments: 1...5 as ClosedRange<UInt64>)
    func anyBytesAreSafe(seed: UInt64) {
        let (network, a, _, b) = makeRelayed(seed: seed)
        a.send(to: b.address, network)
        network.run(seconds: 1)
        let before = b.flowSession(a)?.local
        let real = overlayPackets(network, to: b).filter { $0[0] >> 4 >= 1 && $0[0] >> 4 <= 3 }
        #expect(!real.isEmpty)
        var chance = Seed(seed)
        for _ in 0..<400 {
            var bytes: [UInt8]
            switch chance.next() % 3 {
            case 0:
                bytes = (0..<Int(chance.next() % 260)).map { _ in UInt8(truncatingIfNeeded: chance.next()) }
                if bytes.count > 48, chance.next() % 2 == 0 {
                    bytes[0] = UInt8(chance.next() % 6) << 4
                    bytes.replaceSubrange(32..<48, with: b.address.bytes)
                }
            case 1:
                bytes = real[Int(chance.next() % UInt64(real.count))]
                // Neither in the flags, the hop limit and the other parts that say nothing here, nor in mac2.
                let range = UInt64(16)..<UInt64(bytes.count - 16)
                bytes[Int(UInt64.random(in: range, using: &chance))] ^= 1 << UInt8(chance.next() % 8)
            default:
                bytes = real[Int(chance.next() % UInt64(real.count))]
                bytes.removeLast(Int(chance.next() % UInt64(bytes.count)) + 1)
            }
            network.act(on: b) { node, now in
                bytes.withUnsafeBytes { raw in
                    node.loop.handleOverlay(raw, link: 0, now: now)
                    node.loop.handleLinkControl(raw, link: UInt32(truncatingIfNeeded: chance.next() % 3), now: now)
                    node.loop.handleFlowControl(raw)
                }
                let kinds: [Notice.Kind] = [
                    .linkSessionConfirmed, .linkRekeyDue, .linkSessionRetired, .flowSessionConfirmed, .flowRekeyDue,
                    .flowSessionRetired, .drained,
                ]
                let kind = kinds[Int(chance.next() % UInt64(kinds.count))]
                node.loop.handle(Notice(kind, id: UInt32(truncatingIfNeeded: chance.next()), slot: .max), now: now)
                node.loop.resolved(
                    link: UInt32(truncatingIfNeeded: chance.next()), host: "", port: 0, addresses: [], now: now)
            }
        }
        #expect(b.flowSession(a)?.local == before && flowsAgree(a, b))
        #expect(b.loop.counters.flow.respSent == 1)
        network.run(seconds: 1)
        a.send(to: b.address, network)
        network.run(seconds: 1)
        #expect(b.worker.received.last == a.address)
    }

    // MARK: - Packets

    /// Overlay packets that reached `node` as fake link messages.
    private func overlayPackets(_ network: SimulatedNetwork, to node: SimulatedNode) -> [[UInt8]] {
        network.sent.filter { $0.to == node.endpoint && $0.bytes.first == 4 && $0.bytes.count >= 96 }
            .map { Array($0.bytes[48...]) }
    }

    private func errorPacket(
        from node: SimulatedNode, to: SimulatedNode, code: ErrorBody.Code, quoting index: UInt32,
        source: IPv6Address? = nil, destination: IPv6Address
    ) -> [UInt8] {
        var quoted = [UInt8](repeating: 0, count: RoutingHeader.size)
        var packet = [UInt8](repeating: 0, count: RoutingHeader.size + ErrorBody.size)
        quoted.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            RoutingHeader.write(
                base, kind: .data, hopLimit: 60, flowHash: 7, index: index, counter: 5, source: source ?? to.address,
                destination: destination)
        }
        packet.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            RoutingHeader.write(
                base, kind: .error, hopLimit: 64, flowHash: 7, source: node.address, destination: to.address)
            quoted.withUnsafeBytes { quote in
                guard let failed = quote.baseAddress else { return }
                ErrorBody.write(base + RoutingHeader.size, code: code, value: 0, failed: failed)
            }
        }
        return packet
    }
}
