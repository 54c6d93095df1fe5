import CAllocHook
import Glibc
import HyphaBase
import HyphaPacket
import Testing

@testable import HyphaRim

/// TCP connections of a worker that carry bytes.
@Suite(.serialized) struct StreamTests {
    /// Bytes `position ..< position + count` of the stream with this seed.
    static func content(_ seed: Int, _ position: Int, _ count: Int) -> [UInt8] {
        let start = (position + seed * 4_099) % period
        return Array(pattern[start..<start + count])
    }

    /// A prime length: no buffer's size divides it.
    private static let period = 65_521
    private static let pattern = (0..<period + (2 << 20)).map { (place: Int) -> UInt8 in
        let place = place % period
        return UInt8(truncatingIfNeeded: place &* 31 &+ (place >> 8) &* 7)
    }

    /// Whether `bytes` are the bytes of that stream from `position` on.
    static func matches(_ bytes: UnsafeRawBufferPointer, _ seed: Int, _ position: Int) -> Bool {
        content(seed, position, bytes.count).withUnsafeBytes {
            bytes.count == 0 || memcmp($0.baseAddress!, bytes.baseAddress!, bytes.count) == 0
        }
    }

    @Test func bothEndsLearnOfEachOther() throws {
        let rig = try StreamRig([Rig.loopback, Rig.loopback4])
        for (i, listener) in rig.listeners.enumerated() {
            let (client, server) = rig.pair(listener: i)
            guard case .connected(let local, let remote)? = rig.events[client]?.first,
                case .accepted(let number, let serverLocal, let serverRemote)? = rig.events[server]?.first
            else {
                Issue.record("no connection: \(rig.events)")
                return
            }
            #expect(remote == listener.localAddress)
            #expect(Int(number) == i)
            #expect(serverLocal == remote)
            #expect(serverRemote == local)
            #expect(rig.roundTripTime(client) ?? .max < 1_000_000)
            #expect(rig.leastRoundTripTime(client) ?? .max <= rig.roundTripTime(client) ?? 0)
        }
        #expect(rig.roundTripTime(77) == nil && rig.leastRoundTripTime(77) == nil)
    }

    @Test func aDualStackListenerTakesBoth() throws {
        let rig = try StreamRig([Rig.any])
        let port = rig.address.port
        for host in [Rig.loopback, Rig.loopback4] {
            let before = rig.accepted.count
            _ = rig.connect(SocketAddress(address: host.address, port: port))
            rig.run { rig.accepted.count > before }
            guard case .accepted(_, _, let remote)? = rig.accepted.last.flatMap({ rig.events[$0] })?.first else {
                Issue.record("not accepted")
                return
            }
            #expect(remote.address == host.address)
        }
    }

    /// One receive into several buffers brings the bytes in order, with other connections between.
    @Test func muchAtOnceComesInOrder() throws {
        let rig = try StreamRig()
        let senders = (0..<3).map { _ in PlainSocket(connectedTo: rig.address) }
        rig.run { rig.accepted.count == senders.count }
        rig.idle()
        for sender in senders { _ = fcntl(sender.descriptor, F_SETFL, O_NONBLOCK) }
        var sent = [0, 0, 0]
        for round in 0..<40 {
            // One alone, then all.
            for i in 0..<(round % 2 == 0 ? 1 : 3) {
                let count = senders[i].send(Self.content(i, sent[i], [7, 300_000, 65_536, 900_000][(round + i) % 4]))
                #expect(count > 0)
                sent[i] += max(0, count)
            }
            rig.run { rig.receivedBytes == sent.reduce(0, +) }
        }
        // Each connection carries the stream of one sender.
        var seeds: Set<Int> = []
        for connection in rig.accepted {
            let bytes = rig.received[connection] ?? []
            for seed in 0..<3 where bytes.count == sent[seed] {
                var place = 0
                var isSame = true
                while place < bytes.count {
                    let end = min(bytes.count, place + (1 << 20))
                    isSame = isSame && bytes[place..<end].withUnsafeBytes { Self.matches($0, seed, place) }
                    place = end
                }
                if isSame { seeds.insert(seed) }
            }
        }
        #expect(seeds == [0, 1, 2])
        #expect(rig.pool.freeSlabCount > 40)
    }

    @Test(arguments: [OffloadSettings.Mode.auto, .off]) func manyMegabytesBothWays(
        bundles: OffloadSettings.Mode
    ) throws {
        let rig = try StreamRig(offload: OffloadSettings(receiveBundles: bundles))
        let (a, b) = rig.pair()
        let total = 24 << 20
        var sent = [a: 0, b: 0]
        var checked = [a: 0, b: 0]
        var isRight = true
        let size = 150_000
        rig.run(
            milliseconds: 60_000,
            take: { arrival in
                // What `a` receives was sent by `b`, and the other way round.
                let place = checked[arrival.connection] ?? 0
                let bytes = UnsafeRawBufferPointer(
                    start: rig.pool.base(arrival.buffer) + Int(arrival.offset), count: Int(arrival.length))
                isRight = isRight && Self.matches(bytes, arrival.connection == a ? 2 : 1, place)
                checked[arrival.connection] = place + Int(arrival.length)
                rig.pool.release(arrival.buffer)
            },
            until: {
                for (connection, seed) in [(a, 1), (b, 2)] {
                    let done = rig.written(connection)
                    rig.events[connection] = [.written(done)]
                    sent[connection] = done
                    if done < total {
                        _ = rig.write(connection, Self.content(seed, done, min(size, total - done)))
                    }
                }
                return checked[a] == total && checked[b] == total
            })
        #expect(checked == [a: total, b: total])
        #expect(isRight)
        rig.idle()
        #expect(rig.counters[.sentBytes] == UInt64(2 * total))
        #expect(rig.end(a) == nil)
        #expect(rig.end(b) == nil)
    }

    @Test func anOfferIsTakenAtOnceAsFarAsThereIsRoom() throws {
        let rig = try StreamRig()
        let (a, b) = rig.pair()
        rig.pause(b)
        rig.idle()
        var sent = 0
        while let taken = rig.offer(a, Self.content(5, sent, 150_000)), taken > 0 { sent += taken }
        #expect(sent > 150_000 && sent < 64 << 20)
        // The kernel takes more when it may hold more.
        rig.limitUnsent(a, 1 << 20)
        rig.limitUnsent(99, 1 << 20)
        let before = sent
        while let taken = rig.offer(a, Self.content(5, sent, 150_000)), taken > 0 { sent += taken }
        #expect(sent > before)
        #expect(rig.counters[.sentBytes] == UInt64(sent))
        // What is asked for then waits for room, and is told once.
        #expect(rig.write(a, Self.content(5, sent, 1_000)))
        #expect(rig.offer(a, [0]) == 0)
        rig.idle()
        #expect(rig.writes(a) == 0)
        rig.resume(b)
        #expect(rig.run { rig.received[b]?.count == sent + 1_000 })
        #expect(rig.run { rig.written(a) == 1_000 })
        let bytes = rig.received[b] ?? []
        var place = 0
        while place < bytes.count {
            let part = min(1 << 20, bytes.count - place)
            #expect(bytes[place..<place + part].withUnsafeBytes { Self.matches($0, 5, place) })
            place += part
        }
        #expect(rig.pool.freeSlabCount > 40)
    }

    @Test func manyConnections() throws {
        let count = 300
        let rig = try StreamRig(maxConnections: 2 * count)
        let clients = (0..<count).map { _ in rig.connect(rig.address) }
        #expect(Set(clients).count == count)
        #expect(rig.run { rig.accepted.count == count && clients.allSatisfy { rig.events[$0] != nil } })
        for (i, client) in clients.enumerated() {
            while !rig.write(client, Self.content(i, 0, 900)) { rig.idle(milliseconds: 1) }
        }
        #expect(rig.run { rig.receivedBytes == count * 900 })
        // Every stream arrived whole, each on another connection.
        let streams = Set(rig.accepted.map { rig.received[$0] ?? [] })
        #expect(streams == Set((0..<count).map { Self.content($0, 0, 900) }))
        #expect(rig.accepted.allSatisfy { rig.received[$0]?.count == 900 })
        for client in clients { rig.close(client) }
        #expect(rig.run { rig.accepted.allSatisfy { rig.end($0) == 0 } && clients.allSatisfy { rig.end($0) == 0 } })
    }

    @Test func manyFastSendersShareTheBuffers() throws {
        let rig = try StreamRig(slabs: 24)
        rig.keepsBytes = false
        let senders = (0..<12).map { _ in PlainSocket(connectedTo: rig.address) }
        rig.run { rig.accepted.count == senders.count }
        let bytes = Self.content(3, 0, 400_000)
        // What the kernel takes at once on both sides lies there when the worker looks.
        for sender in senders {
            _ = fcntl(sender.descriptor, F_SETFL, O_NONBLOCK)
            #expect(sender.send(bytes) > 65_536)
        }
        var first: [UInt32: Int] = [:]
        var arrivals = 0
        rig.run(
            milliseconds: 5_000,
            take: { arrival in
                if first[arrival.connection] == nil { first[arrival.connection] = arrivals }
                arrivals += 1
                rig.pool.release(arrival.buffer)
            }, until: { first.count == senders.count })
        #expect(first.count == senders.count)
    }

    @Test func slabsAreSharedOut() throws {
        // Too few for all: streams get some although the sockets ask first.
        let rig = try StreamRig(slabs: 12, sockets: [UDPSocket.bind(Rig.loopback)])
        let (a, b) = rig.pair()
        #expect(rig.write(a, [1, 2, 3]))
        #expect(rig.run { rig.received[b] == [1, 2, 3] })
    }

    @Test func aSlowReaderStallsOnlyItself() throws {
        let rig = try StreamRig()
        let slow = PlainSocket(connectedTo: rig.address)
        rig.run { rig.accepted.count == 1 }
        let stuck = rig.accepted.first ?? .max
        let bytes = Self.content(1, 0, 262_144)
        // Writes until the kernel takes nothing more.
        var writes = 0
        while rig.run(milliseconds: 500, until: { rig.writes(stuck) == writes }), writes < 2_000 {
            writes += 1
            #expect(rig.write(stuck, bytes))
        }
        let taken = rig.written(stuck)
        #expect(rig.writes(stuck) == writes - 1, "the last write must wait for the reader")
        #expect(writes < 2_000)
        #expect(!rig.write(stuck, [1]))
        // The others go on meanwhile.
        let (a, b) = rig.pair()
        for _ in 0..<20 {
            let before = rig.writes(a)
            #expect(rig.write(a, bytes))
            #expect(rig.run { rig.writes(a) > before })
        }
        let sent = rig.written(a)
        #expect(rig.run { rig.received[b]?.count == sent })
        #expect(rig.writes(stuck) == writes - 1)
        // The reader wakes up.
        var read = 0
        #expect(
            rig.run {
                while true {
                    let count = slow.receive()
                    guard count > 0 else { break }
                    read += count
                }
                return rig.writes(stuck) == writes && read == rig.written(stuck)
            })
        #expect(rig.written(stuck) > taken)
    }

    @Test func partialWritesContinueInOrder() throws {
        let rig = try StreamRig()
        let reader = PlainSocket(connectedTo: rig.address)
        rig.run { rig.accepted.count == 1 }
        let connection = rig.accepted.first ?? .max
        let total = 4 << 20
        let size = 1 << 20
        var read = 0
        var partial = 0
        var offered = 0
        var isRight = true
        let room = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 100_000)
        defer { room.deallocate() }
        rig.run(milliseconds: 30_000) {
            let done = rig.written(connection)
            if rig.writes(connection) > 0, done < offered { partial += 1 }
            if done < total {
                let count = min(size, total - done)
                if rig.write(connection, Self.content(4, done, count)) { offered = done + count }
            }
            let count = recv(reader.descriptor, room.baseAddress, room.count, Int32(MSG_DONTWAIT))
            if count > 0 {
                isRight =
                    isRight && Self.matches(UnsafeRawBufferPointer(start: room.baseAddress, count: count), 4, read)
                read += count
            }
            return read == total
        }
        #expect(read == total)
        #expect(isRight)
        #expect(partial > 0)
    }

    @Test func pausedConnectionsLeaveBytesInTheKernel() throws {
        let rig = try StreamRig()
        let (a, b) = rig.pair()
        rig.pause(b)
        rig.idle()
        #expect(rig.write(a, Self.content(5, 0, 5_000)))
        rig.run { rig.writes(a) == 1 }
        rig.idle()
        #expect(rig.received[b] == nil)
        rig.resume(b)
        #expect(rig.run { rig.received[b]?.count == 5_000 })
        // In the same turn, any number of times: nothing is lost and nothing stays paused.
        for i in 1...20 {
            rig.pause(b)
            if i % 2 == 0 { rig.idle(milliseconds: 1) }
            rig.resume(b)
            rig.pause(b)
            rig.resume(b)
            #expect(rig.write(a, Self.content(5, i * 5_000, 5_000)))
            #expect(rig.run { rig.received[b]?.count == (i + 1) * 5_000 })
        }
        #expect(rig.received[b] == Self.content(5, 0, 21 * 5_000))
        #expect(rig.end(b) == nil)
    }

    @Test func acceptedAndDialledConnectionsHaveTheirOptions() throws {
        let rig = try StreamRig()
        _ = rig.pair()
        let sockets = PlainSocket.connected(to: rig.address.port)
        #expect(sockets.count == 2)
        for socket in sockets {
            #expect(socket.option(Int32(TCP_NODELAY)) == 1)
            #expect(socket.option(18) == 12_000)
            #expect(socket.option(25) == 131_072)
        }
    }

    @Test(.enabled(if: AllocationTests.isCounting))
    func turnsAllocateNothing() throws {
        let rig = try StreamRig()
        let (a, b) = rig.pair()
        let arrivals = UnsafeMutableBufferPointer<Arrival>.allocate(capacity: 16)
        arrivals.initialize(repeating: Arrival(source: .stream, buffer: 0, offset: 0, length: 0))
        let events = UnsafeMutableBufferPointer<ConnectionEvent>.allocate(capacity: 16)
        events.initialize(repeating: ConnectionEvent(connection: 0, kind: .written(0)))
        let piece = UnsafeMutableBufferPointer<Train.Piece>.allocate(capacity: 1)
        piece.initialize(repeating: Train.Piece(buffer: 0, offset: 0, length: 0))
        defer {
            arrivals.deallocate()
            events.deallocate()
            piece.deallocate()
        }
        var received = 0
        // `a` says something, `b` sends the same slab back; now and then a connection opens and closes.
        func turn(_ i: Int) {
            if let slab = rig.pool.takeSlab() {
                piece[0] = Train.Piece(buffer: slab, offset: 0, length: 1_400)
                if !rig.io.write(a, UnsafeBufferPointer(piece)) { rig.pool.release(slab) }
            }
            if i % 16 == 0, let extra = rig.io.connect(to: rig.address), i % 32 == 0 {
                rig.io.close(extra, reset: true)
            }
            rig.io.wait(until: SystemClock.now().advanced(byMilliseconds: 100))
            let count = rig.io.receive(into: arrivals)
            for n in 0..<count {
                let arrival = arrivals[n]
                received += 1
                piece[0] = Train.Piece(buffer: arrival.buffer, offset: arrival.offset, length: arrival.length)
                let isTaken = arrival.connection == b && rig.io.write(b, UnsafeBufferPointer(piece))
                if !isTaken { rig.pool.release(arrival.buffer) }
            }
            while true {
                let count = rig.io.takeConnectionEvents(into: events)
                if count == 0 { break }
                for n in 0..<count {
                    switch events[n].kind {
                    case .connected, .accepted: rig.io.close(events[n].connection, reset: i % 3 == 0)
                    default: break
                    }
                }
            }
        }
        for i in 0..<200 { turn(i) }
        let before = chy_alloc_hook_count()
        for i in 0..<2_000 { turn(i) }
        #expect(chy_alloc_hook_count() == before)
        #expect(received > 1_000)
    }
}
