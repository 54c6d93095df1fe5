import HyphaBase
import HyphaPacket
import Testing

@testable import HyphaRim

@Suite struct WorkerIOTests {
    @Test(arguments: [1, 2, 3, 45, 63, 64, 65, 100, 127, 128])
    func trainsArriveWhole(count: Int) throws {
        let a = try Rig()
        let b = try Rig()
        let frames = (0..<count).map { Rig.frame($0, $0 == count - 1 && count > 1 ? 111 : 500) }
        let (datagrams, arrivals) = exchange(frames, from: a, to: b)
        #expect(datagrams == frames)
        #expect(arrivals.allSatisfy { $0.sender == a.address && $0.socket == 0 && $0.source == .udp })
        #expect(arrivals.allSatisfy { Int($0.offset) == PacketPool.slabHeadroom })
        #expect(a.counters[.sent] == UInt64(count))
        #expect(a.counters[.sentBytes] == UInt64(frames.reduce(0) { $0 + $1.count }))
        #expect(a.inFlight == 0)
        if a.segmentLimit >= count {
            #expect(a.counters[.trainsSent] == 1)
            if b.sockets[0].hasGRO {
                #expect(arrivals.count == 1)
                #expect(arrivals.first?.segmentSize == (count > 1 ? 500 : 0))
            }
        }
    }

    @Test func largestTrainAndLargestDatagram() throws {
        let a = try Rig()
        let b = try Rig()
        let train = (0..<46).map { Rig.frame($0, 1_400) }
        #expect(exchange(train, from: a, to: b).datagrams == train)
        let datagram = [Rig.frame(3, 65_000)]
        #expect(exchange(datagram, from: a, to: b).datagrams == datagram)
    }

    @Test func withoutSegmentationDatagramsLeaveSingly() throws {
        let a = try Rig(offload: OffloadSettings(udpGSO: .off))
        let b = try Rig()
        #expect(a.segmentLimit == 1)
        let before = a.pool.freeSlabCount
        let frames = (0..<128).map { Rig.frame($0, $0 == 127 ? 9 : 400) }
        // Three slabs of up to 50 frames: cuts fall inside stretches.
        #expect(exchange(frames, from: a, to: b, perSlab: 50).datagrams == frames)
        #expect(a.counters[.sent] == 128)
        #expect(a.counters[.trainsSent] == 128)
        #expect(a.inFlight == 0)
        #expect(a.pool.freeSlabCount == before)
    }

    @Test func withoutCoalescingDatagramsArriveSingly() throws {
        let a = try Rig()
        let b = try Rig(offload: OffloadSettings(udpGRO: .off))
        #expect(!b.sockets[0].hasGRO)
        let frames = (0..<20).map { Rig.frame($0, 300) }
        let (datagrams, arrivals) = exchange(frames, from: a, to: b)
        #expect(datagrams == frames)
        #expect(arrivals.count == 20)
        #expect(arrivals.allSatisfy { $0.segmentSize == 0 })
    }

    @Test(arguments: [1, 3, 7])
    func piecesOfSeveralBuffersAreGathered(perSlab: Int) throws {
        let a = try Rig()
        let b = try Rig()
        let before = a.pool.freeSlabCount
        let frames = (0..<21).map { Rig.frame($0, 700) }
        #expect(exchange(frames, from: a, to: b, perSlab: perSlab).datagrams == frames)
        #expect(a.counters[.trainsSent] == (a.segmentLimit > 1 ? 1 : 21))
        #expect(a.pool.freeSlabCount == before)
    }

    @Test func aSlabOfOnePieceIsHeldUntilItIsSent() throws {
        let a = try Rig()
        let b = try Rig()
        a.build([Rig.frame(1, 100), Rig.frame(2, 100)], to: b.address)
        let slab = a.train.pieces[0].buffer
        a.pool.retain(slab)
        #expect(a.transmit())
        #expect(a.inFlight == 2)
        a.io.submit()
        a.settle()
        // The test's own reference is the only one left.
        #expect(a.pool.holders(slab) == 1)
        a.pool.release(slab)
    }

    @Test func ipv4PeersAreMapped() throws {
        let dual = try Rig([Rig.any])
        let v4 = try Rig([Rig.loopback4])
        #expect(v4.sockets[0].isIPv4)
        #expect(!dual.sockets[0].isIPv4)
        let toDual = SocketAddress(address: .mapped(ipv4: 0x7F00_0001), port: dual.address.port)
        let frames = (0..<5).map { Rig.frame($0, 200) }
        let there = exchange(frames, from: v4, to: dual, destination: toDual)
        #expect(there.datagrams == frames)
        #expect(there.arrivals.first?.sender == v4.address)
        let back = exchange(frames, from: dual, to: v4)
        #expect(back.datagrams == frames)
        #expect(back.arrivals.first?.sender == toDual)
    }

    @Test func anIPv4SocketRefusesIPv6Destinations() throws {
        let a = try Rig([Rig.loopback4])
        let before = a.pool.freeSlabCount
        a.build([Rig.frame(0, 50), Rig.frame(1, 50)], to: Rig.loopback)
        #expect(a.transmit())
        #expect(a.counters[.sendFailed] == 2)
        a.build([Rig.frame(0, 50)], to: Rig.loopback4, socket: 9)
        #expect(a.transmit())
        #expect(a.counters[.sendFailed] == 3)
        #expect(a.inFlight == 0)
        #expect(a.pool.freeSlabCount == before)
    }

    @Test func severalSocketsKeepTheirNumbers() throws {
        let a = try Rig([Rig.loopback, Rig.loopback4, Rig.loopback])
        let b = try Rig([Rig.any])
        let v4 = SocketAddress(address: .mapped(ipv4: 0x7F00_0001), port: b.address.port)
        let v6 = SocketAddress(address: IPv6Address(high: 0, low: 1), port: b.address.port)
        var senders: [SocketAddress] = []
        for socket in 0..<3 {
            a.build([Rig.frame(socket, 80)], to: socket == 1 ? v4 : v6, socket: UInt8(socket))
            #expect(a.transmit())
        }
        a.io.submit()
        b.turn(until: senders.count == 3) {
            senders.append($0.sender)
            b.pool.release($0.buffer)
        }
        #expect(Set(senders) == Set(a.sockets.map(\.localAddress)))
        for (i, socket) in a.sockets.enumerated() {
            b.build([Rig.frame(i, 60)], to: socket.localAddress)
            #expect(b.transmit())
            b.io.submit()
            var number: UInt8?
            a.turn(until: number != nil) {
                number = $0.socket
                a.pool.release($0.buffer)
            }
            #expect(number == UInt8(i))
        }
    }

    @Test func arrivalsThatDoNotFitStay() throws {
        let a = try Rig()
        let b = try Rig()
        for i in 0..<10 {
            a.build([Rig.frame(i, 64)], to: b.address)
            #expect(a.transmit())
            a.io.submit()
        }
        a.settle()
        #expect(b.receive(limit: 0).isEmpty)
        var seen: [[UInt8]] = []
        let limit = SystemClock.now().advanced(byMilliseconds: 5_000)
        while seen.count < 10 && SystemClock.now() < limit {
            let taken = b.receive(limit: 3)
            #expect(taken.count <= 3)
            for arrival in taken {
                seen += b.datagrams(arrival)
                b.pool.release(arrival.buffer)
            }
        }
        #expect(seen == (0..<10).map { Rig.frame($0, 64) })
    }

    @Test func aRefusedSendIsCountedAndReleased() throws {
        let a = try Rig()
        let before = a.pool.freeSlabCount
        // Port 0 is no destination: EINVAL.
        a.build((0..<3).map { Rig.frame($0, 90) }, to: Rig.loopback)
        #expect(a.transmit())
        a.io.submit()
        a.settle()
        #expect(a.counters[.sendFailed] == 3)
        #expect(a.counters[.sent] == 0)
        #expect(a.lastSendError != 0)
        #expect(a.pool.freeSlabCount == before)
    }

    @Test func withoutFreeSlotsNothingIsTaken() throws {
        let a = try Rig(sends: 4)
        let b = try Rig()
        for i in 0..<4 {
            a.build([Rig.frame(i, 100)], to: b.address)
            #expect(a.transmit())
        }
        a.build([Rig.frame(9, 100)], to: b.address)
        let slab = a.train.pieces[0].buffer
        #expect(!a.transmit())
        #expect(a.pool.holders(slab) == 1)
        #expect(a.inFlight == 4)
        a.io.submit()
        a.settle()
        #expect(a.transmit())
        a.io.submit()
        a.settle()
        #expect(a.counters[.sent] == 5)
    }

    @Test func aTrainInPartsNeedsAllItsSlots() throws {
        let a = try Rig(sends: 8, offload: OffloadSettings(udpGSO: .off))
        let b = try Rig()
        a.build((0..<8).map { Rig.frame($0, 100) }, to: b.address)
        #expect(!a.transmit())
        #expect(a.inFlight == 0)
        for i in 0..<8 { a.pool.release(a.train.pieces[i].buffer) }
        let frames = (0..<7).map { Rig.frame($0, 100) }
        #expect(exchange(frames, from: a, to: b).datagrams == frames)
    }

    @Test func aDryPoolRecovers() throws {
        let a = try Rig()
        let b = try Rig(slabs: 4, slots: 2)
        let capacity = 6
        var held: [Arrival] = []
        // More messages than slabs: the rest waits in the socket.
        for i in 0..<12 {
            a.build([Rig.frame(i, 64)], to: b.address)
            #expect(a.transmit())
            a.io.submit()
        }
        a.settle()
        b.turn(milliseconds: 200, until: false) { held.append($0) }
        #expect(held.count == 4)
        #expect(b.pool.freeSlabCount == 0)
        var seen = held.flatMap { b.datagrams($0) }
        for arrival in held { b.pool.release(arrival.buffer) }
        b.turn(until: seen.count == 12) {
            seen += b.datagrams($0)
            b.pool.release($0.buffer)
        }
        #expect(seen == (0..<12).map { Rig.frame($0, 64) })
        #expect(b.counters.dropped == 0)
        b.io.shutdown()
        #expect(b.freeBuffers == capacity)
    }

    @Test func shutdownReturnsEveryBuffer() throws {
        let a = try Rig()
        let b = try Rig()
        for i in 0..<5 {
            a.build((0..<10).map { Rig.frame($0 + i, 120) }, to: b.address, perSlab: 3)
            #expect(a.transmit())
        }
        // Not submitted: the requests are still in the queue.
        #expect(a.inFlight == 50)
        a.io.shutdown()
        #expect(a.inFlight == 0)
        #expect(a.freeBuffers == 62 + 16)
        #expect(a.counters[.sent] + a.counters[.shutdown] == 50)
        // Some of it lies unread in b's socket and ring.
        b.io.wait(until: SystemClock.now().advanced(byMilliseconds: 20))
        b.io.shutdown()
        #expect(b.freeBuffers == 62 + 16)
        // A closed worker does nothing and does not trap.
        #expect(b.receive().isEmpty)
        b.io.submit()
        b.io.wait(until: nil)
        b.io.shutdown()
        b.build([Rig.frame(0, 10)], to: a.address)
        #expect(!b.transmit())
    }

    @Test func anUnstartedWorkerCloses() throws {
        let pool = PacketPool(slabs: 8, slots: 0)
        defer { pool.deallocate() }
        let counters = WorkerCounters()
        defer { counters.deallocate() }
        do {
            var io = try WorkerIO.open(
                WorkerIO.Options(
                    sockets: [try UDPSocket.bind(Rig.loopback)], pool: pool, counters: counters, wake: try Wake(),
                    offload: try OffloadStatus.probe(OffloadSettings())))
            let hasTun = io.hasTun
            #expect(!hasTun)
            io.submit()
        }
        #expect(pool.freeSlabCount == 8)
    }

    @Test func anotherThreadWakesIt() throws {
        let a = try Rig()
        for _ in 0..<3 {
            let wake = a.wake
            let thread = try Threads.spawn(name: "waker", state: wake) { wake in wake.signal() }
            // Without the wake this would sleep for ever.
            a.io.wait(until: nil)
            thread.join()
            #expect(a.receive().isEmpty)
        }
        // Signals before the sleep count too.
        a.wake.signal()
        a.io.wait(until: nil)
        #expect(a.receive().isEmpty)
    }

    @Test func theDeadlineEndsASleep() throws {
        let a = try Rig()
        let deadline = SystemClock.now().advanced(byMilliseconds: 30)
        while SystemClock.now() < deadline { a.io.wait(until: deadline) }
        #expect(a.counters[.waits] > 0)
        let waits = a.counters[.waits]
        a.io.wait(until: .zero)
        #expect(a.counters[.waits] == waits)
        #expect(a.receive().isEmpty)
    }

    @Test func emptyDatagramsDoNotStopReceiving() throws {
        let a = try Rig()
        let b = try Rig()
        for length in [0, 0, 40, 0, 41] {
            a.build([Rig.frame(1, 1)], to: b.address)
            a.train.pieces[0].length = UInt32(length)
            if length > 0 {
                a.train.totalLength = length
                a.train.segmentSize = length
            }
            #expect(a.transmit())
            a.io.submit()
            a.settle()
        }
        var lengths: [Int] = []
        b.turn(until: lengths.contains(41)) {
            lengths.append(Int($0.length))
            b.pool.release($0.buffer)
        }
        #expect(lengths.filter { $0 > 0 } == [40, 41])
    }
}
