import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire
import Synchronization
import Testing

@testable import HyphaDataplane

/// A worker on a thread of its own, while control changes everything that they share.
struct TwoThreadTests {
    private final class Shared: @unchecked Sendable {
        let node: TestNode
        let left: SocketAddress
        let train: [UInt8]
        let segmentSize: Int
        let stop = Atomic(false)
        let turns = Atomic(0)

        init(_ node: TestNode, left: SocketAddress, train: [UInt8], segmentSize: Int) {
            self.node = node
            self.left = left
            self.train = train
            self.segmentSize = segmentSize
        }

        /// The loop around a worker, with a kernel that plays the same receives again and again.
        func run() {
            var io = ReplayIO(
                pool: node.pool, counters: node.counters, sender: left, bytes: 1 << 20, inputs: 64)
            let own = Inner.udp(
                from: node.address, to: IPv6Address(high: 0x0500_0000_0000_0033, low: 0x44), payload: [1, 2, 3])
            for _ in 0..<8 { io.add(.udp, train, segmentSize: segmentSize) }
            for _ in 0..<8 { io.add(.tun, Inner.read(own)) }
            var now = Instant(nanoseconds: 1_000_000_000_000)
            while !stop.load(ordering: .relaxed) {
                if io.left == 0 { io.rewind() }
                now = now.advanced(byMilliseconds: 1)
                let result = node.worker.turn(&io, now: now)
                let turn = turns.add(1, ordering: .relaxed).newValue
                if !result.isBusy || turn % 16 == 0, node.worker.prepareToSleep() { node.worker.wakeUp() }
            }
            // Until nothing is in flight.
            repeat { _ = node.worker.turn(&io, now: now) } while io.left > 0 || io.inFlight > 0
        }
    }

    @Test func controlAndWorker() throws {
        let network = TestNetwork(seed: 121)
        let node = try network.add("N")
        let left = try Neighbour(network, node, number: 1)
        let right = try Neighbour(network, node, number: 2)
        let peer = try RemotePeer(network, node, address: IPv6Address(high: 0x0500_0000_0000_0033, low: 0x44))
        let hop = NextHop(kind: .link, link: right.link, peer: peer.id)
        node.route(peer.address, hop)
        let route = Seal.route(
            kind: 0, hopLimit: 9, source: IPv6Address(high: 0x04F0 << 48, low: 1).bytes,
            destination: peer.address.bytes)
        let datagrams = (0..<16).map { _ in left.full(route + network.bytes(100)) }
        let shared = Shared(
            node, left: left.endpoint, train: datagrams.flatMap { $0 }, segmentSize: datagrams[0].count)
        let thread = OtherThread { shared.run() }

        var retired = 0
        var linkSlots = [right.slot]
        var flowSlots = [peer.slot]
        var rounds = 0
        while rounds < 400 || shared.turns.load(ordering: .relaxed) < 400 {
            rounds += 1
            node.routes.insert(Prefix(peer.address, length: 64 + rounds % 60), hop)
            if !node.publishRoutes() { continue }
            if rounds % 8 == 0, node.linkAllocator.available > 2, node.flowAllocator.available > 2 {
                try right.agree(network)
                linkSlots.append(right.slot)
                try peer.agree(network)
                flowSlots.append(peer.slot)
                if linkSlots.count > 3 {
                    node.command(WorkerCommand(.retireLinkSession, slot: linkSlots.removeFirst()))
                    node.command(WorkerCommand(.retireFlowSession, slot: flowSlots.removeFirst()))
                }
            }
            if rounds % 4 == 0 {
                node.command(WorkerCommand(.probeLink, id: right.link))
                let packet =
                    Seal.route(
                        kind: 1, source: node.address.bytes, destination: peer.address.bytes) + network.bytes(168)
                node.inject(InjectedPacket(kind: .overlay, length: packet.count), packet)
            }
            if rounds % 64 == 0 { node.port.controlGoesToSleep() }
            node.takeRings()
            for notice in node.notices {
                switch notice.kind {
                case .linkSessionRetired:
                    node.linkAllocator.release(notice.slot)
                    retired += 1
                case .flowSessionRetired:
                    node.flowAllocator.release(notice.slot)
                    retired += 1
                default: break
                }
            }
            node.forget()
            let row = node.port.counters.snapshot()
            let gone = row[.sent] + row[.delivered] + row[.punted] + row.dropped + row.waiting
            if row[.received] + row[.injected] != gone { Issue.record("the law fails in a whole row") }
        }
        shared.stop.store(true, ordering: .relaxed)
        thread.join()
        let counters = node.counters
        #expect(
            counters[.received] + counters[.injected]
                == counters[.sent] + counters[.delivered] + counters[.punted] + counters.dropped
                + UInt64(node.worker.waiting))
        #expect(counters[.sent] > 1_000 && retired > 10)
    }
}
