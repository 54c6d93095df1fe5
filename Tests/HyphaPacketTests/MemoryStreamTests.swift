import HyphaBase
import HyphaPacket
import Testing

/// Connections in memory behave as those of the kernel.
@Suite struct MemoryStreamTests {
    private static let peer = SocketAddress(address: IPv6Address(high: 0xFD, low: 2), port: 9_651)

    private static func take(_ io: inout MemoryIO) -> [ConnectionEvent] {
        let room = UnsafeMutableBufferPointer<ConnectionEvent>.allocate(capacity: 16)
        room.initialize(repeating: ConnectionEvent(connection: 0, kind: .written(0)))
        defer { room.deallocate() }
        let count = io.takeConnectionEvents(into: room)
        return Array(room[..<count])
    }

    private static func receive(_ io: inout MemoryIO, _ pool: PacketPool) -> [(UInt32, [UInt8])] {
        let room = UnsafeMutableBufferPointer<Arrival>.allocate(capacity: 16)
        room.initialize(repeating: Arrival(source: .udp, buffer: 0, offset: 0, length: 0))
        defer { room.deallocate() }
        let count = io.receive(into: room)
        return room[..<count].map { arrival in
            let start = pool.base(arrival.buffer) + Int(arrival.offset)
            defer { pool.release(arrival.buffer) }
            #expect(arrival.source == .stream)
            return (
                arrival.connection, Array(UnsafeRawBufferPointer(start: start, count: Int(arrival.length)))
            )
        }
    }

    private static func write(_ io: inout MemoryIO, _ pool: PacketPool, _ connection: UInt32, _ bytes: [UInt8]) -> Bool
    {
        guard let slot = pool.takeSlot() else { return false }
        bytes.withUnsafeBytes { pool.base(slot).copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
        let piece = Train.Piece(buffer: slot, offset: 0, length: UInt32(bytes.count))
        let isTaken = withUnsafePointer(to: piece) {
            io.write(connection, UnsafeBufferPointer(start: $0, count: 1))
        }
        if !isTaken { pool.release(slot) }
        return isTaken
    }

    @Test func aLife() {
        let pool = PacketPool(slabs: 4, slots: 4)
        let counters = WorkerCounters()
        defer {
            pool.deallocate()
            counters.deallocate()
        }
        var io = MemoryIO(pool: pool, counters: counters, hasTun: false)
        let id = io.connect(to: Self.peer) ?? .max
        let dials = io.dialled.map(\.connection)
        #expect(dials == [id])
        let early = Self.write(&io, pool, id, [1])
        #expect(!early)
        io.answer(id, remote: Self.peer)
        io.arrive([1, 2, 3], on: id)
        // Not before its opening was taken.
        let unknown = Self.receive(&io, pool)
        #expect(unknown.isEmpty)
        let opening = Self.take(&io)
        #expect(opening.count == 1)
        guard case .connected(_, Self.peer)? = opening.first?.kind else {
            Issue.record("not connected")
            return
        }
        io.pauseReceive(id)
        let paused = Self.receive(&io, pool)
        #expect(paused.isEmpty)
        io.resumeReceive(id)
        let bytes = Self.receive(&io, pool)
        #expect(bytes.map(\.0) == [id])
        #expect(bytes.map(\.1) == [[1, 2, 3]])

        io.setWriteLimit(id, 2)
        let first = Self.write(&io, pool, id, [4, 5, 6])
        let second = Self.write(&io, pool, id, [6])
        #expect(first)
        #expect(!second)
        _ = Self.receive(&io, pool)
        let events1 = Self.take(&io)
        #expect(events1.map(\.kind) == [.written(2)])
        io.setStalled(id, true)
        let third = Self.write(&io, pool, id, [6])
        #expect(third)
        _ = Self.receive(&io, pool)
        let events2 = Self.take(&io)
        #expect(events2.isEmpty)
        io.close(id, reset: true)
        let wasReset = io.wasReset(id)
        let written = io.written(id)
        #expect(wasReset == true)
        #expect(written == [4, 5])
        // Also after the end, and once.
        let taken = io.takeWritten(id)
        #expect(taken == [4, 5])
        let again = io.takeWritten(id)
        #expect(again.isEmpty)
        let events3 = Self.take(&io)
        #expect(events3.map(\.kind) == [.written(0), .closed(0)])
        let late = Self.write(&io, pool, id, [1])
        #expect(!late)
        #expect(pool.freeSlabCount == 4)
        #expect(pool.freeSlotCount == 4)
        #expect(counters[.sentBytes] == 2)
    }

    private static func offer(_ io: inout MemoryIO, _ pool: PacketPool, _ connection: UInt32, _ bytes: [UInt8]) -> Int {
        guard let slot = pool.takeSlot() else { return -1 }
        defer { pool.release(slot) }
        bytes.withUnsafeBytes { pool.base(slot).copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
        let piece = Train.Piece(buffer: slot, offset: 0, length: UInt32(bytes.count))
        return withUnsafePointer(to: piece) { io.offer(connection, UnsafeBufferPointer(start: $0, count: 1)) }
    }

    @Test func offersAreTakenAtOnceOrNotAtAll() {
        let pool = PacketPool(slabs: 4, slots: 4)
        let counters = WorkerCounters()
        defer {
            pool.deallocate()
            counters.deallocate()
        }
        var io = MemoryIO(pool: pool, counters: counters, hasTun: false)
        let id = io.accept(from: Self.peer) ?? .max
        var taken = [Self.offer(&io, pool, id, [1])]
        _ = Self.take(&io)
        taken.append(Self.offer(&io, pool, id, [1, 2, 3]))
        io.setWriteLimit(id, 2)
        taken.append(Self.offer(&io, pool, id, [4, 5, 6]))
        io.setStalled(id, true)
        taken.append(Self.offer(&io, pool, id, [6]))
        let isWriting = Self.write(&io, pool, id, [6])
        io.setStalled(id, false)
        taken.append(Self.offer(&io, pool, id, [7]))
        io.endByPeer(id)
        taken.append(Self.offer(&io, pool, id, [8]))
        #expect(isWriting && taken == [0, 3, 2, 0, 0, 0])
        let written = io.written(id)
        #expect(written == [1, 2, 3, 4, 5])
        let events = Self.take(&io)
        #expect(events.map(\.kind) == [.written(0), .closed(0)])
        #expect(pool.freeSlotCount == 4 && counters[.sentBytes] == 5)
    }

    @Test func placesAreUsedAgainUnderAnotherId() {
        let pool = PacketPool(slabs: 4, slots: 4)
        let counters = WorkerCounters()
        defer {
            pool.deallocate()
            counters.deallocate()
        }
        var io = MemoryIO(pool: pool, counters: counters, hasTun: false)
        io.maxConnections = 1
        let first = io.accept(from: Self.peer) ?? .max
        let refused = io.accept(from: Self.peer)
        #expect(refused == nil)
        #expect(counters[.connectionsRefused] == 1)
        _ = Self.take(&io)
        io.endByPeer(first, error: 104)
        let events4 = Self.take(&io)
        #expect(events4.map(\.kind) == [.closed(104)])
        let second = io.accept(listener: 3, from: Self.peer) ?? .max
        #expect(second != first)
        #expect(MemoryIO.place(of: second) == MemoryIO.place(of: first))
        guard case .accepted(3, _, Self.peer)? = Self.take(&io).first?.kind else {
            Issue.record("not accepted")
            return
        }
    }
}
