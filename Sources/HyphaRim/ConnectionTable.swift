internal import CKernel
internal import Glibc
internal import HyphaBase
internal import HyphaPacket

/// The TCP connections of one worker, by place. Memory is reserved once and touched when a place is first used.
///
/// | per place | bytes |
/// |---|---|
/// | record | 96 |
/// | native address, `sockaddr_in6` | 28 |
/// | message header | 56 |
/// | stretches of a write, 64 x `iovec` | 1,024 |
/// | buffers of a write, 64 x number | 256 |
struct ConnectionTable {
    static let maxPieces = 64

    let capacity: Int
    let records: UnsafeMutablePointer<ConnectionRecord>
    /// What the kernel reads when a request is handed over: native address of a dial, message header of a write.
    let names: UnsafeMutablePointer<sockaddr_in6>
    let headers: UnsafeMutablePointer<msghdr>
    private let vectors: UnsafeMutablePointer<iovec>
    private let buffers: UnsafeMutablePointer<UInt32>
    private let free: UnsafeMutablePointer<UInt16>
    private var freeCount = 0
    /// Places from here on were never used.
    private(set) var usedCount = 0
    /// Places that are not free.
    private(set) var count = 0
    /// Places with events to be taken.
    private(set) var eventLine: PlaceLine
    /// Places that may need a receive.
    private(set) var receiveLine: PlaceLine

    init(capacity: Int) {
        let room = max(1, capacity)
        self.capacity = capacity
        records = .allocate(capacity: room)
        names = .allocate(capacity: room)
        headers = .allocate(capacity: room)
        vectors = .allocate(capacity: room * ConnectionTable.maxPieces)
        buffers = .allocate(capacity: room * ConnectionTable.maxPieces)
        free = .allocate(capacity: room)
        eventLine = PlaceLine(capacity: room)
        receiveLine = PlaceLine(capacity: room)
    }

    func deallocate() {
        records.deallocate()
        names.deallocate()
        headers.deallocate()
        vectors.deallocate()
        buffers.deallocate()
        free.deallocate()
        eventLine.deallocate()
        receiveLine.deallocate()
    }

    // MARK: Places

    /// The place of an id; nil when the id is stale.
    func find(_ id: UInt32) -> Int? {
        let place = Int(id & 0xFFFF)
        guard place < usedCount, records[place].id == id, records[place].state != .free else { return nil }
        return place
    }

    /// A free place; nil when all are taken.
    mutating func take(_ state: ConnectionRecord.State) -> Int? {
        let place: Int
        if freeCount > 0 {
            freeCount -= 1
            place = Int(free[freeCount])
        } else {
            guard usedCount < capacity else { return nil }
            place = usedCount
            usedCount += 1
            (records + place).initialize(to: ConnectionRecord(id: UInt32(place)))
        }
        count += 1
        records[place].state = state
        return place
    }

    /// Frees a place: ids of its next use differ in the high half.
    mutating func giveBack(_ place: Int) {
        var next = ConnectionRecord(id: records[place].id &+ 0x1_0000)
        next.isInReceiveLine = records[place].isInReceiveLine
        next.isInEventLine = records[place].isInEventLine
        records[place] = next
        free[freeCount] = UInt16(truncatingIfNeeded: place)
        freeCount += 1
        count -= 1
    }

    // MARK: Lines

    /// Notes something to be told.
    mutating func note(_ event: ConnectionRecord.Events, _ place: Int) {
        records[place].events.insert(event)
        guard !records[place].isInEventLine else { return }
        records[place].isInEventLine = true
        eventLine.append(place)
    }

    /// The next event, nil when there is none.
    mutating func nextEvent() -> ConnectionEvent? {
        while !eventLine.isEmpty {
            let place = eventLine.first
            let record = records[place]
            if record.events.contains(.opened) {
                records[place].events.remove(.opened)
                records[place].wantsBytes = true
                wantReceive(place)
                let kind: ConnectionEvent.Kind =
                    record.listener < 0
                    ? .connected(local: record.local, remote: record.remote)
                    : .accepted(
                        listener: UInt8(truncatingIfNeeded: record.listener), local: record.local,
                        remote: record.remote)
                return ConnectionEvent(connection: record.id, kind: kind)
            }
            if record.events.contains(.written) {
                records[place].events.remove(.written)
                return ConnectionEvent(connection: record.id, kind: .written(record.written))
            }
            eventLine.removeFirst()
            records[place].isInEventLine = false
            if record.events.contains(.closed) {
                giveBack(place)
                return ConnectionEvent(connection: record.id, kind: .closed(record.error))
            }
        }
        return nil
    }

    /// Puts a connection that needs a receive into the line for it.
    mutating func wantReceive(_ place: Int) {
        let record = records[place]
        guard needsReceive(record), !record.isInReceiveLine else { return }
        records[place].isInReceiveLine = true
        receiveLine.append(place)
    }

    /// The next connection that needs a receive, nil when there is none.
    mutating func nextReceiver() -> Int? {
        while !receiveLine.isEmpty {
            let place = receiveLine.first
            receiveLine.removeFirst()
            records[place].isInReceiveLine = false
            if needsReceive(records[place]) { return place }
        }
        return nil
    }

    private func needsReceive(_ record: ConnectionRecord) -> Bool {
        record.state == .open && record.wantsBytes && !record.isPaused && !record.isReceiving
    }

    // MARK: Writes

    /// Takes the pieces' bytes and references for a write; of several references on one buffer in a row one is kept.
    func fill(_ place: Int, _ pieces: UnsafeBufferPointer<Train.Piece>, pool: PacketPool) {
        describe(place, pieces, pool: pool)
        let buffers = buffers + place &* ConnectionTable.maxPieces
        var count = 0
        for piece in pieces {
            if count > 0, buffers[count &- 1] == piece.buffer {
                pool.release(piece.buffer)
            } else {
                buffers[count] = piece.buffer
                count &+= 1
            }
        }
        records[place].bufferCount = Int32(truncatingIfNeeded: count)
    }

    /// Describes the pieces' bytes to the kernel. Adjacent pieces become one stretch.
    func describe(_ place: Int, _ pieces: UnsafeBufferPointer<Train.Piece>, pool: PacketPool) {
        let vectors = vectors + place &* ConnectionTable.maxPieces
        var count = 0
        var last: UInt32 = .max
        var end: UInt32 = 0
        for piece in pieces {
            if piece.buffer == last && piece.offset == end {
                vectors[count &- 1].iov_len &+= Int(piece.length)
            } else {
                let start = pool.base(piece.buffer) + Int(piece.offset)
                vectors[count] = iovec(iov_base: start, iov_len: Int(piece.length))
                count &+= 1
            }
            last = piece.buffer
            end = piece.offset &+ piece.length
        }
        (headers + place).initialize(to: msghdr())
        headers[place].msg_iov = vectors
        headers[place].msg_iovlen = count
    }

    /// Releases the buffers of a write.
    func releaseBuffers(_ place: Int, pool: PacketPool) {
        let buffers = buffers + place &* ConnectionTable.maxPieces
        for i in 0..<Int(records[place].bufferCount) { pool.release(buffers[i]) }
        records[place].bufferCount = 0
    }
}
