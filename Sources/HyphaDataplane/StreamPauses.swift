import HyphaPacket
import HyphaStreams
import HyphaWire

/// TCP connections of which nothing more is received, because control has not taken what they said before: stock nodes
/// say nothing twice. Of each, the control frame at hand waits here, and the bytes behind it, in order.
///
/// | what | where | at most |
/// |---|---|---|
/// | the frame at hand | a slot | one for each connection |
/// | bytes behind it | slots of 1,856 bytes | one for each connection on average, and 256 |
///
/// When there is no room, `keep` and `append` refuse. Whoever pauses goes to the end of a line. A frame can share a slot
/// with the bytes behind it. Single-threaded, allocates nothing after its beginning.
struct StreamPauses {
    private static let none: UInt32 = .max

    private struct Place {
        var connection: UInt32 = 0
        var isPaused = false
        /// Its buffer is `none` when there is no frame at hand.
        var frame = StreamFrame(kind: .control, buffer: none, offset: 0, length: 0)
        /// Bytes behind it: first and last node.
        var first = none
        var last = none
    }

    private struct Node {
        var piece: Train.Piece
        var next: UInt32
    }

    private let pool: PacketPool
    private let places: UnsafeMutablePointer<Place>
    private let capacity: Int
    /// Places in the order in which they paused, a ring of `capacity`.
    private let line: UnsafeMutablePointer<UInt32>
    private var lineStart = 0
    /// Connections that pause.
    private(set) var count = 0
    private let nodes: UnsafeMutablePointer<Node>
    private var freeNode: UInt32
    /// Slots that more bytes may have.
    private var slotsLeft: Int
    /// Frames at hand.
    private(set) var frames = 0

    /// Slots of the pool that so many connections may hold.
    static func slots(connections: Int) -> Int { connections > 0 ? 2 * connections + spareSlots : 0 }

    private static let spareSlots = 256

    /// Places for `capacity` connections.
    init(pool: PacketPool, capacity: Int) {
        self.pool = pool
        self.capacity = max(1, capacity)
        places = .allocate(capacity: self.capacity)
        places.initialize(repeating: Place(), count: self.capacity)
        line = .allocate(capacity: self.capacity)
        line.initialize(repeating: 0, count: self.capacity)
        slotsLeft = capacity + StreamPauses.spareSlots
        nodes = .allocate(capacity: slotsLeft)
        for i in 0..<slotsLeft {
            let next = i + 1 < slotsLeft ? UInt32(i + 1) : StreamPauses.none
            (nodes + i).initialize(to: Node(piece: Train.Piece(buffer: 0, offset: 0, length: 0), next: next))
        }
        freeNode = 0
    }

    func deallocate() {
        places.deallocate()
        line.deallocate()
        nodes.deallocate()
    }

    @inline(__always)
    private func place(_ connection: UInt32) -> UnsafeMutablePointer<Place>? {
        let number = Int(connection & 0xFFFF)
        return number < capacity ? places + number : nil
    }

    /// Whether a connection pauses.
    @inline(__always)
    func contains(_ connection: UInt32) -> Bool {
        guard count > 0, let place = place(connection) else { return false }
        return place.pointee.isPaused && place.pointee.connection == connection
    }

    /// The connection that has waited for longest; nil when none does.
    var first: UInt32? { count > 0 ? places[Int(line[lineStart])].connection : nil }

    // MARK: In

    /// A connection pauses, or pauses again, at a frame; `rest` is behind it and before all that it has here. Takes over
    /// the references of both; false when there is no room: then of neither.
    @inline(never)
    mutating func keep(_ frame: StreamFrame, _ rest: Train.Piece, of connection: UInt32) -> Bool {
        guard let place = place(connection), hasRoom(for: rest, besides: 1), let kept = move(frame) else {
            return false
        }
        if !contains(connection) {
            place.initialize(to: Place(connection: connection, isPaused: true))
            line[(lineStart &+ count) % capacity] = connection & 0xFFFF
            count &+= 1
        }
        place.pointee.frame = kept
        frames &+= 1
        guard let (first, last) = store(rest) else { return true }
        nodes[Int(last)].next = place.pointee.first
        place.pointee.first = first
        if place.pointee.last == StreamPauses.none { place.pointee.last = last }
        return true
    }

    /// More bytes of a connection that pauses. Takes over their reference; false when there is no room: then not.
    @inline(never)
    mutating func append(_ piece: Train.Piece, of connection: UInt32) -> Bool {
        guard let place = place(connection), contains(connection) else { return false }
        if place.pointee.last != StreamPauses.none {
            let last = nodes + Int(place.pointee.last)
            let end = Int(last.pointee.piece.offset &+ last.pointee.piece.length)
            if end &+ Int(piece.length) <= StreamPauses.slotEnd {
                copy(piece, to: pool.base(last.pointee.piece.buffer) + end)
                last.pointee.piece.length &+= piece.length
                pool.release(piece.buffer)
                return true
            }
        }
        guard hasRoom(for: piece, besides: 0) else { return false }
        guard let (first, last) = store(piece) else { return true }
        if place.pointee.last == StreamPauses.none {
            place.pointee.first = first
        } else {
            nodes[Int(place.pointee.last)].next = first
        }
        place.pointee.last = last
        return true
    }

    // MARK: Out

    /// The frame at hand of a connection that pauses, nil when it was taken.
    func frame(_ connection: UInt32) -> StreamFrame? {
        guard let place = place(connection), contains(connection), place.pointee.frame.buffer != StreamPauses.none
        else { return nil }
        return place.pointee.frame
    }

    /// The frame at hand is done with: gives back its memory.
    mutating func dropFrame(_ connection: UInt32) {
        guard let frame = frame(connection), let place = place(connection) else { return }
        place.pointee.frame.buffer = StreamPauses.none
        pool.release(frame.buffer)
        frames &-= 1
    }

    /// The next bytes of a connection with their reference; nil when there are no more.
    mutating func takePiece(_ connection: UInt32) -> Train.Piece? {
        guard let place = place(connection), contains(connection), place.pointee.first != StreamPauses.none else {
            return nil
        }
        let number = place.pointee.first
        let piece = nodes[Int(number)].piece
        place.pointee.first = nodes[Int(number)].next
        if place.pointee.first == StreamPauses.none { place.pointee.last = StreamPauses.none }
        nodes[Int(number)].next = freeNode
        freeNode = number
        slotsLeft &+= 1
        return piece
    }

    /// The connection at the front goes to the end of the line.
    mutating func rotate() {
        guard count > 0 else { return }
        let number = line[lineStart]
        lineStart = (lineStart &+ 1) % capacity
        line[(lineStart &+ count &- 1) % capacity] = number
    }

    /// A connection does not pause any more; what it has here is given back. True when a frame was at hand.
    @discardableResult
    mutating func end(_ connection: UInt32) -> Bool {
        guard let place = place(connection), contains(connection) else { return false }
        let hadFrame = place.pointee.frame.buffer != StreamPauses.none
        dropFrame(connection)
        while let piece = takePiece(connection) { pool.release(piece.buffer) }
        place.pointee.isPaused = false
        // Nearly always the first in the line.
        var found = 0
        while found < count, line[(lineStart &+ found) % capacity] != connection & 0xFFFF { found &+= 1 }
        while found > 0 {
            line[(lineStart &+ found) % capacity] = line[(lineStart &+ found &- 1) % capacity]
            found &-= 1
        }
        lineStart = (lineStart &+ 1) % capacity
        count &-= 1
        return hadFrame
    }

    // MARK: Memory

    /// Bytes of a stream stand in a slot as in a slab, behind headroom and with room for tags behind them.
    private static let slotEnd = PacketPool.slotSize - 64
    private static let slotRoom = slotEnd - PacketPool.slabHeadroom

    @inline(__always)
    private func isSlot(_ buffer: UInt32) -> Bool { Int(buffer) >= pool.slabCount }

    /// Slots that bytes need in which they do not lie yet.
    private func slots(for piece: Train.Piece) -> Int {
        isSlot(piece.buffer) ? 0 : (Int(piece.length) &+ StreamPauses.slotRoom &- 1) / StreamPauses.slotRoom
    }

    /// Whether `piece` can be stored when so many slots are taken before.
    private func hasRoom(for piece: Train.Piece, besides taken: Int) -> Bool {
        let needed = slots(for: piece)
        return max(needed, 1) <= slotsLeft && needed &+ taken <= pool.freeSlotCount
    }

    /// Stores bytes, in slots of their own unless they lie in one, and gives back their reference. Only after `hasRoom`.
    /// First and last node; nil for no bytes.
    private mutating func store(_ piece: Train.Piece) -> (first: UInt32, last: UInt32)? {
        if isSlot(piece.buffer), piece.length > 0 {
            let number = takeNode(piece)
            return (number, number)
        }
        var left = piece
        var ends: (first: UInt32, last: UInt32)?
        while left.length > 0, let slot = pool.takeSlot() {
            let length = min(left.length, UInt32(StreamPauses.slotRoom))
            copy(
                Train.Piece(buffer: left.buffer, offset: left.offset, length: length),
                to: pool.base(slot) + PacketPool.slabHeadroom)
            let number = takeNode(
                Train.Piece(buffer: slot, offset: UInt32(PacketPool.slabHeadroom), length: length))
            if let first = ends?.first, let last = ends?.last {
                nodes[Int(last)].next = number
                ends = (first, number)
            } else {
                ends = (number, number)
            }
            left.offset &+= length
            left.length &-= length
        }
        pool.release(piece.buffer)
        return ends
    }

    /// A frame in a slot stays there; one in a slab moves to a slot. Nil when there is none, or it is too long for one.
    private func move(_ frame: StreamFrame) -> StreamFrame? {
        if isSlot(frame.buffer) { return frame }
        guard frame.length <= PacketPool.slotSize, let slot = pool.takeSlot() else { return nil }
        let bytes = frame.bytes(in: pool)
        if let base = bytes.baseAddress { pool.base(slot).copyMemory(from: base, byteCount: bytes.count) }
        pool.release(frame.buffer)
        return StreamFrame(kind: frame.kind, buffer: slot, offset: 0, length: frame.length)
    }

    private func copy(_ piece: Train.Piece, to target: UnsafeMutableRawPointer) {
        target.copyMemory(from: pool.base(piece.buffer) + Int(piece.offset), byteCount: Int(piece.length))
    }

    /// There are as many nodes as slots may be held.
    private mutating func takeNode(_ piece: Train.Piece) -> UInt32 {
        slotsLeft &-= 1
        let number = freeNode
        freeNode = nodes[Int(number)].next
        nodes[Int(number)] = Node(piece: piece, next: StreamPauses.none)
        return number
    }
}
