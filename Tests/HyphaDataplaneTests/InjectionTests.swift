import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaWire
import Testing

@testable import HyphaDataplane

/// What control gives a worker to send, and how the two wake each other.
struct InjectionTests {
    struct Bench {
        let network: TestNetwork
        let node: TestNode
        let link: Neighbour
        static let target = IPv6Address(high: 0x0500_0000_0000_0033, low: 0x44)

        init(slots: Int = 64) throws {
            network = TestNetwork(seed: 101)
            node = try network.add("N", TestNode.Options(entryMode: .header, slots: slots))
            link = try Neighbour(network, node, number: 1)
            node.route(Bench.target, NextHop(kind: .link, link: link.link))
            node.turn(network.now)
            node.forget()
        }

        func overlay(kind: UInt8 = 1, to destination: IPv6Address = target, _ count: Int) -> [UInt8] {
            Seal.route(kind: kind, hopLimit: 64, source: node.address.bytes, destination: destination.bytes)
                + network.bytes(count)
        }

        func injectOverlay(_ bytes: [UInt8]) {
            node.inject(InjectedPacket(kind: .overlay, length: bytes.count), bytes)
        }
    }

    @Test func datagrams() throws {
        let bench = try Bench()
        let sizes = [1, 64, 148, 168, 1_400]
        let datagrams = sizes.map { bench.network.bytes($0) }
        for (i, datagram) in datagrams.enumerated() {
            let head = InjectedPacket(
                kind: .datagram, length: datagram.count, socket: UInt8(i),
                destination: SocketAddress(address: IPv6Address(high: 1, low: UInt64(i)), port: UInt16(i)))
            bench.node.inject(head, datagram)
        }
        bench.node.turn(bench.network.now)
        #expect(bench.node.sent.map(\.bytes) == datagrams)
        #expect(bench.node.sent.map(\.socket) == [0, 1, 2, 3, 4])
        #expect(bench.node.sent.map(\.destination.address.low) == [0, 1, 2, 3, 4])
        #expect(bench.node.sent.map(\.segmentSize) == sizes)
        #expect(bench.node.counters[.injected] == 5)
        bench.node.turn(bench.network.now)
        bench.node.expectNoLeak()
    }

    /// Handshakes and errors for others: always fully sealed, on the control lane, hop limit taken once.
    @Test func overlayPackets() throws {
        let bench = try Bench()
        let packets = [0, 52, 64, 148, 168, 1_352].map { bench.overlay($0) }
        for packet in packets { bench.injectOverlay(packet) }
        bench.node.turn(bench.network.now)
        #expect(bench.link.received.map(\.inner) == packets.map { [$0[0], 63] + $0[2...] })
        #expect(bench.link.received.allSatisfy { $0.datagram[0] == 4 && $0.datagram[1] == 0 })
    }

    /// Without a way out they end, and no error is made about them.
    @Test func overlayWithoutRoute() throws {
        let bench = try Bench()
        bench.injectOverlay(bench.overlay(to: IPv6Address(high: 0x0401 << 48, low: 1), 168))
        bench.injectOverlay(bench.overlay(to: bench.node.address, 168))
        bench.injectOverlay(bench.overlay(to: Bench.target, 1_352))
        bench.node.setLink(bench.link.link, to: bench.link.endpoint, mtu: 1_232)
        bench.node.turn(bench.network.now)
        #expect(bench.node.sent.isEmpty && bench.node.punts.isEmpty && bench.node.delivered.isEmpty)
        #expect(bench.node.drops == ["no_route": 1, "no_listener": 1, "too_big": 1])
    }

    @Test func linkControl() throws {
        let bench = try Bench()
        let messages = [
            [0x80, 0, 0], [0xA1, 8, 0] + bench.network.bytes(8), [0x80, 0x50, 5] + bench.network.bytes(1_360),
        ]
        for message in messages {
            bench.node.inject(
                InjectedPacket(kind: .linkControl, length: message.count, link: bench.link.link), message)
        }
        bench.node.inject(InjectedPacket(kind: .linkControl, length: 3, link: 77), [0x80, 0, 0])
        bench.node.turn(bench.network.now)
        #expect(bench.link.received.map(\.inner) == messages)
        #expect(bench.link.received.allSatisfy { $0.datagram[1] == 0 }, "control lane")
        #expect(bench.node.drops == ["link_down": 1])
    }

    /// With no free slot they are counted as dropped, not lost.
    @Test func noSlot() throws {
        let bench = try Bench(slots: 2)
        for _ in 0..<3 { bench.injectOverlay(bench.overlay(168)) }
        bench.node.inject(InjectedPacket(kind: .linkControl, length: 3, link: bench.link.link), [0x80, 0, 0])
        bench.node.turn(bench.network.now)
        bench.node.turn(bench.network.now)
        #expect(bench.link.received.count == 2)
        #expect(bench.node.counters[.injected] == 4)
        #expect(bench.node.drops == ["no_buffer": 2])
        for _ in 0..<3 {
            bench.node.inject(InjectedPacket(kind: .datagram, length: 3, destination: bench.link.endpoint), [1, 2, 3])
        }
        bench.node.turn(bench.network.now)
        bench.node.turn(bench.network.now)
        #expect(bench.node.drops == ["no_buffer": 3])
        bench.node.expectNoLeak()
    }

    /// A turn takes a bounded number; nothing of the rest is lost.
    @Test func many() throws {
        let bench = try Bench(slots: 1_024)
        for i in 0..<600 {
            bench.injectOverlay(bench.overlay(100 + i % 2))
        }
        var turns = 0
        while bench.link.received.count < 600, turns < 20 {
            bench.node.turn(bench.network.now)
            turns += 1
        }
        #expect(bench.link.received.count == 600)
        #expect(turns > 1 && turns < 10)
        #expect(bench.node.drops == [:])
    }

    /// The queue of the kernel is full: the packet ends here.
    @Test func queueFull() throws {
        let bench = try Bench()
        bench.node.io.isFull = true
        bench.injectOverlay(bench.overlay(100))
        bench.node.inject(InjectedPacket(kind: .datagram, length: 3, destination: bench.link.endpoint), [1, 2, 3])
        bench.node.turn(bench.network.now)
        #expect(bench.node.drops == ["queue_full": 2])
        bench.node.expectNoLeak()
    }

    // MARK: sleeping and waking

    @Test func busyAndIdle() throws {
        let bench = try Bench()
        #expect(bench.node.turn(bench.network.now).isBusy == false)
        bench.link.send(bench.link.full([]))
        #expect(bench.node.turn(bench.network.now).isBusy == true)
        #expect(bench.node.turn(bench.network.now).isBusy == false)
        bench.injectOverlay(bench.overlay(100))
        #expect(bench.node.turn(bench.network.now).isBusy == true)
        bench.node.command(WorkerCommand(.probeLink, id: 0))
        #expect(bench.node.turn(bench.network.now).isBusy == true)
    }

    /// Who sleeps is woken by whoever gives it something, once.
    @Test func wakesControl() throws {
        let bench = try Bench()
        let port = bench.node.port
        bench.link.send(bench.link.full([0x80, 0, 0]))
        #expect(bench.node.turn(bench.network.now).mustWakeControl == false)
        port.controlGoesToSleep()
        #expect(bench.node.turn(bench.network.now).mustWakeControl == false)
        bench.link.send(bench.link.full([0x80, 0, 0]))
        #expect(bench.node.turn(bench.network.now).mustWakeControl == true)
        bench.link.send(bench.link.full([0x80, 0, 0]))
        #expect(bench.node.turn(bench.network.now).mustWakeControl == false)
    }

    @Test func workerSleeps() throws {
        let bench = try Bench()
        let port = bench.node.port
        #expect(port.takeWorkerSleep() == false)
        var sleeps = bench.node.worker.prepareToSleep()
        #expect(sleeps)
        #expect(port.takeWorkerSleep() == true)
        #expect(port.takeWorkerSleep() == false)
        bench.node.worker.wakeUp()
        // Something came between the last turn and the wish to sleep: no sleep.
        bench.injectOverlay(bench.overlay(100))
        sleeps = bench.node.worker.prepareToSleep()
        #expect(!sleeps && port.takeWorkerSleep() == false)
        bench.node.turn(bench.network.now)
        bench.node.command(WorkerCommand(.probeLink, id: 0))
        sleeps = bench.node.worker.prepareToSleep()
        #expect(!sleeps)
        bench.node.turn(bench.network.now)
        sleeps = bench.node.worker.prepareToSleep()
        #expect(sleeps)
        bench.node.worker.wakeUp()
        #expect(port.takeWorkerSleep() == false)
    }

    /// The board shows the counters at the latest when the worker goes idle.
    @Test func counterBoard() throws {
        let bench = try Bench()
        bench.link.send(bench.link.full([]))
        bench.node.turn(bench.network.now)
        bench.node.turn(bench.network.now)
        #expect(bench.node.port.counters.snapshot()[.received] == 1)
        #expect(bench.node.port.counters.snapshot()[.punted] == 1)
        // Busy all the time: every 100 ms.
        for i in 2..<12 as Range<UInt64> {
            bench.link.send(bench.link.full([]))
            bench.network.advance(milliseconds: 50)
            bench.node.turn(bench.network.now)
            #expect(bench.node.port.counters.snapshot()[.received] + 2 > i)
        }
    }

    // MARK: commands

    /// Ids and slots out of range change nothing.
    @Test func commandsOutOfRange() throws {
        let bench = try Bench()
        for id in [16, 1_000, UInt32.max - 1, .max] {
            for operation: WorkerCommand.Operation in [
                .setLink, .removeLink, .sendWithLinkSession, .probeLink, .setPeer, .removePeer, .sendWithFlowSession,
                .rejectParked,
            ] {
                bench.node.command(WorkerCommand(operation, id: id, slot: 0, value: 1))
            }
        }
        // Slots are taken modulo the table: these two are one that no session has.
        for slot in [bench.link.slot ^ 1, bench.link.slot ^ 1 | 0xFFFF_FFF0] {
            for operation: WorkerCommand.Operation in [.confirmLinkSession, .confirmFlowSession] {
                bench.node.command(WorkerCommand(operation, slot: slot))
            }
        }
        bench.node.turn(bench.network.now)
        bench.node.turn(bench.network.now)
        #expect(bench.node.sent.isEmpty)
        #expect(bench.node.drops == ["link_down": 2])
        bench.injectOverlay(bench.overlay(100))
        bench.node.turn(bench.network.now)
        #expect(bench.link.received.count == 1)
    }

    /// Control that reads no notices loses none of the answers to its commands: these wait in their ring.
    @Test func noticesAreNotLost() throws {
        let bench = try Bench()
        bench.node.readsRings = false
        let slot = bench.link.slot ^ 1
        for _ in 0..<8 {
            for _ in 0..<2_000 { bench.node.command(WorkerCommand(.retireLinkSession, slot: slot)) }
            bench.node.turn(bench.network.now)
        }
        for _ in 0..<1_000 { bench.node.command(WorkerCommand(.retireLinkSession, slot: slot)) }
        bench.node.command(WorkerCommand(.drain))
        for _ in 0..<3 { bench.node.turn(bench.network.now) }
        #expect(bench.node.worker.isDrained == false)
        bench.node.readsRings = true
        for _ in 0..<3 { bench.node.turn(bench.network.now) }
        let retired = bench.node.notices.filter { $0.kind == .linkSessionRetired }.count
        #expect(retired == 17_000)
        #expect(bench.node.notices.last?.kind == .drained && bench.node.worker.isDrained == true)
    }

    /// A link's new endpoint takes effect with the next packet.
    @Test func endpointMoves() throws {
        let bench = try Bench()
        let elsewhere = SocketAddress(address: IPv6Address(high: 7, low: 7), port: 77)
        bench.injectOverlay(bench.overlay(100))
        bench.node.turn(bench.network.now)
        bench.node.setLink(bench.link.link, to: elsewhere)
        bench.injectOverlay(bench.overlay(100))
        bench.node.turn(bench.network.now)
        #expect(bench.node.sent.map(\.destination) == [bench.link.endpoint, elsewhere])
        bench.node.command(WorkerCommand(.removeLink, id: bench.link.link))
        bench.injectOverlay(bench.overlay(100))
        bench.node.turn(bench.network.now)
        #expect(bench.node.sent.count == 2 && bench.node.drops == ["link_down": 1])
    }
}
