import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire
import Testing

@testable import HyphaDataplane

/// The limits of keys: when a new one is asked for, and when the old one ends, on the way out and on the way in.
struct LimitTests {
    struct Bench {
        let network: TestNetwork
        let node: TestNode
        let link: Neighbour
        let peer: RemotePeer
        let suite: UInt8

        init(suite: UInt8, isInitiator: Bool = true) throws {
            self.suite = suite
            network = TestNetwork(seed: 61)
            node = try network.add("N")
            link = try Neighbour(
                network, node, number: 1, Neighbour.Options(suite: suite, isInitiator: isInitiator))
            peer = try RemotePeer(
                network, node, address: IPv6Address(high: 0x0500_0000_0000_0033, low: 0x44), suite: suite,
                withSession: false)
            try peer.agree(network, isInitiator: isInitiator)
            node.route(peer.address, NextHop(kind: .link, link: link.link, peer: peer.id))
            node.turn(network.now)
            node.forget()
        }

        /// A packet from the TUN to the peer; true when it went out.
        func send() -> Bool {
            let before = node.sent.count
            node.io.arriveFromTun(
                Inner.read(Inner.udp(from: node.address, to: peer.address, payload: network.bytes(64))))
            node.turn(network.now)
            node.turn(network.now)
            return node.sent.count > before
        }

        /// A packet of the peer under given counters; true when it was delivered.
        func receive(link counter: UInt64? = nil, flow: UInt64? = nil) -> Bool {
            let before = node.delivered.count
            let packet = Inner.udp(from: peer.address, to: node.address, payload: network.bytes(64))
            link.send(link.full(peer.carry(packet, counter: flow), counter: counter))
            node.turn(network.now)
            node.turn(network.now)
            return node.delivered.count > before
        }

        func newLinkSession(isInitiator: Bool = true) throws {
            try link.agree(network, Neighbour.Options(suite: suite, isInitiator: isInitiator))
        }

        func count(_ kind: Notice.Kind) -> Int { node.notices.filter { $0.kind == kind }.count }

        /// Sets the next counter of all lanes that packets to the peer may take.
        func setFlowCounters(_ value: UInt64) {
            for lane in 0..<16 { node.port.flowSessions.sendCounter(peer.slot, lane: lane).pointee = value }
        }

        func setLinkCounter(_ value: UInt64) {
            node.port.linkSessions.sendCounter(link.slot, lane: 1).pointee = value
        }
    }

    static func rekeyCounter(_ suite: UInt8) -> UInt64 { suite == 2 ? 268_435_456 : 281_474_976_710_656 }
    static func rejectCounter(_ suite: UInt8) -> UInt64 { suite == 2 ? 4_294_967_296 : 1_125_899_906_842_624 }

    @Test(arguments: [true, false]) func rekeyByAge(isInitiator: Bool) throws {
        let age: UInt64 = isInitiator ? 120_000 : 130_000
        let bench = try Bench(suite: 1, isInitiator: isInitiator)
        bench.network.advance(milliseconds: age - 1)
        #expect(bench.send())
        #expect(bench.count(.linkRekeyDue) == 0 && bench.count(.flowRekeyDue) == 0)
        bench.network.advance(milliseconds: 1)
        for _ in 0..<3 { #expect(bench.send()) }
        #expect(bench.count(.linkRekeyDue) == 1 && bench.count(.flowRekeyDue) == 1)
        let notices = bench.node.notices.filter { $0.kind == .linkRekeyDue || $0.kind == .flowRekeyDue }
        #expect(notices.map(\.slot) == [bench.peer.slot, bench.link.slot])
        #expect(notices.map(\.id) == [bench.peer.id, bench.link.link])
        // Nothing is asked without something to send.
        try bench.newLinkSession(isInitiator: isInitiator)
        bench.node.forget()
        bench.network.advance(milliseconds: 200_000)
        bench.node.turn(bench.network.now)
        #expect(bench.count(.linkRekeyDue) == 0)
    }

    @Test(arguments: [1, 2] as [UInt8]) func rekeyByCounter(suite: UInt8) throws {
        let bench = try Bench(suite: suite)
        bench.setLinkCounter(LimitTests.rekeyCounter(suite) - 1)
        bench.setFlowCounters(LimitTests.rekeyCounter(suite) - 1)
        #expect(bench.send())
        #expect(bench.count(.linkRekeyDue) == 0 && bench.count(.flowRekeyDue) == 0)
        for _ in 0..<3 { #expect(bench.send()) }
        #expect(bench.count(.linkRekeyDue) == 1 && bench.count(.flowRekeyDue) == 1)
    }

    @Test(arguments: [1, 2] as [UInt8]) func rekeyByFailures(suite: UInt8) throws {
        let limit: UInt64 = suite == 2 ? 268_435_456 : 4_294_967_296
        let bench = try Bench(suite: suite)
        let uses = (
            bench.node.port.linkSessions.use(bench.link.slot), bench.node.port.flowSessions.use(bench.peer.slot)
        )
        uses.0.pointee.failures = limit - 1
        uses.1.pointee.failures = limit - 1
        #expect(bench.send())
        #expect(bench.count(.linkRekeyDue) == 0 && bench.count(.flowRekeyDue) == 0)
        // One more each: a link packet and an end-to-end body that do not open.
        var damaged = bench.link.full([])
        damaged[20] ^= 1
        bench.link.send(damaged)
        var packet = bench.peer.carry(Inner.udp(from: bench.peer.address, to: bench.node.address, payload: [1]))
        packet[60] ^= 1
        bench.link.send(bench.link.full(packet))
        bench.node.turn(bench.network.now)
        #expect(uses.0.pointee.failures == limit && uses.1.pointee.failures == limit)
        #expect(bench.send())
        #expect(bench.count(.linkRekeyDue) == 1 && bench.count(.flowRekeyDue) == 1)
    }

    /// The last counter is sealed, the limit never: not once, and not later.
    @Test(arguments: [1, 2] as [UInt8]) func sendsNothingAtTheLimit(suite: UInt8) throws {
        let bench = try Bench(suite: suite)
        let limit = LimitTests.rejectCounter(suite)
        bench.setLinkCounter(limit - 1)
        #expect(bench.send())
        for _ in 0..<3 { #expect(!bench.send()) }
        #expect(bench.node.drops == ["key_expired": 3])
        #expect(bench.node.port.linkSessions.sendCounter(bench.link.slot, lane: 1).pointee == limit)
        // Other lanes go on: here the control lane.
        bench.node.command(WorkerCommand(.probeLink, id: bench.link.link))
        bench.node.turn(bench.network.now)
        #expect(bench.node.datagrams.last?[1] == 0)

        try bench.newLinkSession()
        bench.setFlowCounters(limit - 1)
        #expect(bench.send())
        for _ in 0..<3 { #expect(!bench.send()) }
        #expect(bench.node.drops == ["key_expired": 3, "flow_expired": 3])
        #expect(
            (0..<16).allSatisfy { bench.node.port.flowSessions.sendCounter(bench.peer.slot, lane: $0).pointee <= limit }
        )
        bench.setFlowCounters(.max)
        #expect(!bench.send())
    }

    @Test(arguments: [1, 2] as [UInt8]) func takesNothingAtTheLimit(suite: UInt8) throws {
        let bench = try Bench(suite: suite)
        let limit = LimitTests.rejectCounter(suite)
        #expect(bench.receive(flow: limit - 1))
        #expect(!bench.receive(flow: limit))
        #expect(!bench.receive(flow: .max))
        #expect(bench.node.drops == ["flow_expired": 2])
        #expect(bench.receive(link: limit - 1, flow: limit - 2))
        #expect(!bench.receive(link: limit, flow: limit - 3))
        #expect(!bench.receive(link: .max, flow: limit - 3))
        #expect(bench.node.drops == ["flow_expired": 2, "key_expired": 2])
    }

    @Test func endsAfter180Seconds() throws {
        let bench = try Bench(suite: 1)
        bench.network.advance(milliseconds: 179_999)
        #expect(bench.send() && bench.receive())
        bench.network.advance(milliseconds: 1)
        #expect(!bench.send() && !bench.receive())
        // The end-to-end key is looked at first on the way out, the link's on the way in.
        #expect(bench.node.drops == ["flow_expired": 1, "key_expired": 1])
        try bench.newLinkSession()
        #expect(!bench.send() && !bench.receive())
        #expect(bench.node.drops == ["flow_expired": 3, "key_expired": 1])
        try bench.peer.agree(bench.network)
        #expect(bench.send() && bench.receive())
    }

    @Test func endsAfterTooManyForgeries() throws {
        let bench = try Bench(suite: 1)
        let use = bench.node.port.linkSessions.use(bench.link.slot)
        use.pointee.failures = 68_719_476_735
        #expect(bench.receive())
        use.pointee.failures = 68_719_476_736
        #expect(!bench.receive())
        use.pointee.failures = 0
        let flow = bench.node.port.flowSessions.use(bench.peer.slot)
        flow.pointee.failures = 68_719_476_735
        #expect(bench.receive())
        flow.pointee.failures = 68_719_476_736
        #expect(!bench.receive())
        #expect(bench.node.drops == ["key_expired": 1, "flow_expired": 1])
    }

    /// A packet that does not open changes nothing but the count of failures.
    @Test func damageLeavesTheWindow() throws {
        let bench = try Bench(suite: 2)
        let packet = bench.peer.carry(Inner.udp(from: bench.peer.address, to: bench.node.address, payload: [1, 2, 3]))
        let datagram = bench.link.full(packet, counter: 5)
        var forged = bench.link.full(packet, counter: 4_000_000)
        forged[40] ^= 0x80
        for _ in 0..<3 {
            bench.link.send(forged)
            bench.node.turn(bench.network.now)
        }
        #expect(bench.node.drops == ["bad_auth": 3])
        #expect(bench.node.port.linkSessions.use(bench.link.slot).pointee.failures == 3)
        #expect(bench.node.notices.isEmpty)
        bench.link.send(datagram)
        bench.node.turn(bench.network.now)
        #expect(bench.node.delivered.count == 1)
        #expect(bench.node.port.linkSessions.window(bench.link.slot, lane: 1).pointee.next == 6)
    }

    /// Retiring ends a session at once and wipes its keys; the notice says which.
    @Test func retired() throws {
        let bench = try Bench(suite: 1)
        #expect(bench.send() && bench.receive())
        bench.node.forget()
        bench.node.command(WorkerCommand(.retireFlowSession, slot: bench.peer.slot))
        #expect(!bench.receive())
        #expect(
            bench.node.notices.contains {
                $0.kind == .flowSessionRetired && $0.id == bench.peer.id && $0.slot == bench.peer.slot
            })
        #expect(bench.node.drops == ["unknown_session": 1])
        // Packets from the TUN wait for the next one.
        bench.node.forget()
        #expect(!bench.send())
        #expect(bench.count(.flowNeeded) == 1 && bench.node.worker.waiting == 1)
        bench.node.command(WorkerCommand(.retireLinkSession, slot: bench.link.slot))
        #expect(!bench.receive())
        #expect(
            bench.node.notices.contains {
                $0.kind == .linkSessionRetired && $0.id == bench.link.link && $0.slot == bench.link.slot
            })
        #expect(bench.node.drops == ["unknown_session": 1, "unknown_index": 1])
    }

    /// The previous session is received on until it is retired; sends go under the new one at once.
    @Test func previousSession() throws {
        let bench = try Bench(suite: 1)
        let packet = bench.peer.carry(Inner.udp(from: bench.peer.address, to: bench.node.address, payload: [1, 2, 3]))
        let old = bench.link.full(packet)
        let oldSlot = bench.link.slot
        try bench.newLinkSession()
        bench.link.send(old)
        bench.node.turn(bench.network.now)
        bench.node.turn(bench.network.now)
        #expect(bench.node.delivered.count == 1)
        #expect(bench.send())
        #expect(bench.link.received.allSatisfy { $0.inner != nil })
        // Retiring the old one leaves the new one in use.
        bench.node.command(WorkerCommand(.retireLinkSession, slot: oldSlot))
        #expect(bench.send() && bench.receive())
    }
}
