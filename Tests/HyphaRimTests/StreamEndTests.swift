import Glibc
import HyphaBase
import HyphaPacket
import Testing

@testable import HyphaRim

/// How TCP connections of a worker end, and what does not become one.
@Suite(.serialized) struct StreamEndTests {
    @Test func aRefusedDialEnds() throws {
        let port = PlainSocket(backlog: 1).port
        let rig = try StreamRig()
        let client = rig.connect(SocketAddress(address: Rig.loopback.address, port: port))
        #expect(rig.run { rig.end(client) == ECONNREFUSED })
        #expect(rig.events[client]?.count == 1)
        // A family that cannot be reached from here.
        let nowhere = SocketAddress(address: IPv6Address(high: 0xFE80_0000_0000_0000, low: 1), port: 9)
        let other = rig.connect(nowhere)
        #expect(rig.run { rig.end(other) ?? 0 > 0 })
        #expect(other != client)
    }

    @Test func aDialWithoutAnswerEndsInTime() throws {
        let full = PlainSocket(backlog: 0)
        let address = SocketAddress(address: Rig.loopback.address, port: full.port)
        // Two fill its queue; what comes then gets no answer.
        let rig = try StreamRig(connectMilliseconds: 300)
        let dials = (0..<6).map { _ in rig.connect(address) }
        #expect(rig.run { dials.count { rig.end($0) == ETIMEDOUT } >= 3 })
        #expect(dials.allSatisfy { rig.end($0) == nil || rig.end($0) == ETIMEDOUT })
        // One that is given up before.
        let early = rig.connect(address)
        rig.idle(milliseconds: 20)
        rig.close(early)
        #expect(rig.run { rig.end(early) == 0 })
    }

    @Test func theCapHoldsAndIsCounted() throws {
        let rig = try StreamRig(maxConnections: 3)
        let sockets = (0..<3).map { _ in PlainSocket(connectedTo: rig.address) }
        #expect(rig.run { rig.accepted.count == 3 })
        #expect(rig.io.connect(to: rig.address) == nil)
        let refused = PlainSocket(connectedTo: rig.address)
        #expect(rig.run { refused.receive() == -Int(ECONNRESET) })
        #expect(rig.counters[.connectionsRefused] == 1)
        #expect(rig.accepted.count == 3)
        // A place that is free again has another id.
        let first = rig.accepted[0]
        rig.close(first)
        rig.run { rig.end(first) != nil }
        let next = PlainSocket(connectedTo: rig.address)
        #expect(rig.run { rig.accepted.count == 4 })
        #expect(rig.accepted[3] != first)
        #expect(WorkerIO.place(of: rig.accepted[3]) == WorkerIO.place(of: first))
        // The old id does nothing any more.
        rig.close(first, reset: true)
        rig.pause(first)
        #expect(!rig.write(first, [1]))
        #expect(next.send([7]) == 1)
        #expect(rig.run { rig.received[rig.accepted[3]] == [7] })
        #expect(sockets[1].receive() == -Int(EAGAIN))
    }

    @Test func anOfferToABrokenConnectionEndsIt() throws {
        let rig = try StreamRig()
        let peer = PlainSocket(connectedTo: rig.address)
        rig.run { rig.accepted.count == 1 }
        let connection = rig.accepted.first ?? .max
        // Nothing of it is under way that could tell of the end.
        rig.pause(connection)
        rig.idle()
        #expect(rig.offer(connection, [1, 2, 3]) == 3)
        var reset = linger(l_onoff: 1, l_linger: 0)
        setsockopt(peer.descriptor, SOL_SOCKET, SO_LINGER, &reset, socklen_t(MemoryLayout<linger>.size))
        shutdown(peer.descriptor, Int32(SHUT_RDWR))
        #expect(rig.run { rig.offer(connection, [4]) == 0 })
        #expect(rig.run { rig.end(connection) ?? 0 > 0 })
        #expect(rig.offer(connection, [5]) == 0)
        #expect(rig.offer(99, [5]) == 0)
    }

    @Test func finComesBehindEverythingWritten() throws {
        let rig = try StreamRig()
        let peer = PlainSocket(connectedTo: rig.address)
        rig.run { rig.accepted.count == 1 }
        let connection = rig.accepted.first ?? .max
        // What the peer has sent and nobody read must not turn the FIN into an RST.
        rig.pause(connection)
        rig.idle()
        #expect(peer.send(StreamTests.content(1, 0, 9_000)) == 9_000)
        #expect(rig.write(connection, StreamTests.content(2, 0, 50_000)))
        rig.run { rig.writes(connection) == 1 }
        rig.close(connection)
        #expect(rig.run { rig.end(connection) == 0 })
        var read = 0
        while true {
            let count = peer.receive()
            guard count > 0 else {
                #expect(count == 0)
                break
            }
            read += count
        }
        #expect(read == 50_000)
    }

    @Test func resetsAreSeenAsResets() throws {
        let rig = try StreamRig()
        let peer = PlainSocket(connectedTo: rig.address)
        rig.run { rig.accepted.count == 1 }
        let connection = rig.accepted.first ?? .max
        rig.close(connection, reset: true)
        #expect(rig.run { rig.end(connection) == 0 })
        #expect(peer.receive() == -Int(ECONNRESET))
    }

    @Test(arguments: [false, true])
    func thePeersEndIsSeen(reset: Bool) throws {
        let rig = try StreamRig()
        do {
            let peer = PlainSocket(connectedTo: rig.address)
            rig.run { rig.accepted.count == 1 }
            #expect(peer.send([1, 2, 3]) == 3)
            rig.run { rig.receivedBytes == 3 }
            if reset {
                var linger = linger(l_onoff: 1, l_linger: 0)
                setsockopt(peer.descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
            }
        }
        let connection = rig.accepted.first ?? .max
        #expect(rig.run { rig.end(connection) != nil })
        #expect(rig.end(connection) == (reset ? ECONNRESET : 0))
        #expect(rig.received[connection] == [1, 2, 3])
        #expect(!rig.write(connection, [1]))
    }

    @Test(arguments: [false, true])
    func aWriteUnderWayEndsWithItsConnection(reset: Bool) throws {
        let rig = try StreamRig()
        let peer = PlainSocket(connectedTo: rig.address)
        rig.run { rig.accepted.count == 1 }
        let connection = rig.accepted.first ?? .max
        let bytes = StreamTests.content(1, 0, 262_144)
        var writes = 0
        while rig.run(milliseconds: 300, until: { rig.writes(connection) == writes }), writes < 2_000 {
            writes += 1
            #expect(rig.write(connection, bytes))
        }
        #expect(rig.writes(connection) == writes - 1)
        rig.close(connection, reset: reset)
        #expect(rig.run { rig.end(connection) == 0 })
        #expect(rig.writes(connection) == writes)
        #expect(rig.events[connection]?.suffix(2).first == .written(0))
        // What lies at the peer already may still be read.
        var last = peer.receive()
        while last > 0 { last = peer.receive() }
        #expect(reset ? last == -Int(ECONNRESET) : last == 0 || last == -Int(EAGAIN))
    }

    @Test func anEndWithBytesOnTheirWayLeaksNothing() throws {
        let rig = try StreamRig(slabs: 30)
        let bytes = StreamTests.content(1, 0, 131_072)
        for i in 0..<60 {
            let (a, b) = rig.pair()
            #expect(rig.write(a, bytes))
            #expect(rig.write(b, bytes))
            for _ in 0..<i % 5 { _ = rig.turn() }
            rig.close(i % 2 == 0 ? a : b, reset: i % 3 == 0)
            if i % 4 == 0 { rig.close(i % 2 == 0 ? b : a, reset: i % 8 == 0) }
            #expect(rig.run { rig.end(a) != nil && rig.end(b) != nil })
            #expect(rig.writes(a) == 1)
            #expect(rig.writes(b) == 1)
        }
        rig.io.shutdown()
        #expect(rig.pool.freeSlabCount == 30)
    }

    @Test func shutdownWithEverythingOutstanding() throws {
        let full = PlainSocket(backlog: 0)
        let rig = try StreamRig()
        let stuck = PlainSocket(connectedTo: rig.address)
        let sender = PlainSocket(connectedTo: rig.address)
        rig.run { rig.accepted.count == 2 }
        let bytes = StreamTests.content(1, 0, 262_144)
        var writes = 0
        while rig.run(milliseconds: 300, until: { rig.writes(rig.accepted[0]) == writes }), writes < 2_000 {
            writes += 1
            #expect(rig.write(rig.accepted[0], bytes))
        }
        // A write that waits, bytes that nobody took yet, dials without answer, connections that nobody took.
        #expect(sender.send(bytes) == bytes.count)
        for _ in 0..<5 { _ = rig.connect(SocketAddress(address: Rig.loopback.address, port: full.port)) }
        let fresh = (0..<3).map { _ in PlainSocket(connectedTo: rig.address) }
        rig.io.submit()
        rig.io.shutdown()
        #expect(rig.pool.freeSlabCount == rig.pool.slabCount)
        #expect(rig.pool.freeSlotCount == rig.pool.slotCount)
        // The others hear of it.
        #expect(stuck.receive() > 0)
        #expect([0, -Int(ECONNRESET)].contains(sender.receive()))
        for socket in fresh { #expect([0, -Int(ECONNRESET), -Int(EAGAIN)].contains(socket.receive())) }
        #expect(rig.io.connect(to: rig.address) == nil)
    }
}
