import HyphaPacket

/// Stock frames on their way past the queues of their TCP links: collected while packets are sent, offered to the kernel
/// together. Frames that lie behind each other become one piece, so what came in one receive mostly leaves in one piece.
///
/// Each piece holds one reference on its buffer. Nothing stays here between turns.
struct StreamOffers {
    /// Connections with an open offer at the same time.
    static let maxOpen = 8
    /// Bytes that close an offer.
    static let maxBytes = 128 * 1_024

    struct Offer {
        var connection: UInt32 = .max
        var frames = 0
        var bytes = 0
        var pieceCount = 0
    }

    private let pool: PacketPool
    private let offers: UnsafeMutablePointer<Offer>
    private let pieces: UnsafeMutablePointer<Train.Piece>
    private(set) var openCount = 0
    /// The one that was looked for last.
    private var recent = 0

    init(pool: PacketPool) {
        self.pool = pool
        offers = .allocate(capacity: StreamOffers.maxOpen)
        offers.initialize(repeating: Offer(), count: StreamOffers.maxOpen)
        pieces = .allocate(capacity: StreamOffers.maxOpen * Streams.writePieces)
        pieces.initialize(
            repeating: Train.Piece(buffer: 0, offset: 0, length: 0), count: StreamOffers.maxOpen * Streams.writePieces)
    }

    func deallocate() {
        offers.deallocate()
        pieces.deallocate()
    }

    var isFull: Bool { openCount == StreamOffers.maxOpen }

    /// The open offer of a connection.
    @inline(__always)
    mutating func find(_ connection: UInt32) -> Int? {
        if recent < openCount, offers[recent].connection == connection { return recent }
        for i in 0..<openCount where offers[i].connection == connection {
            recent = i
            return i
        }
        return nil
    }

    /// A new offer, while not all are open.
    mutating func open(_ connection: UInt32) -> Int {
        recent = openCount
        openCount &+= 1
        offers[recent] = Offer(connection: connection)
        return recent
    }

    /// Adds a whole frame. True when the offer is full now.
    @inline(__always)
    mutating func append(buffer: UInt32, offset: UInt32, length: Int, to number: Int) -> Bool {
        let offer = offers + number
        let last = pieces + (number &* Streams.writePieces &+ offer.pointee.pieceCount &- 1)
        if offer.pointee.pieceCount > 0, last.pointee.buffer == buffer,
            last.pointee.offset &+ last.pointee.length == offset
        {
            last.pointee.length &+= UInt32(truncatingIfNeeded: length)
        } else {
            pool.retain(buffer)
            (last + 1).pointee = Train.Piece(
                buffer: buffer, offset: offset, length: UInt32(truncatingIfNeeded: length))
            offer.pointee.pieceCount &+= 1
        }
        offer.pointee.frames &+= 1
        offer.pointee.bytes &+= length
        return offer.pointee.pieceCount == Streams.writePieces || offer.pointee.bytes >= StreamOffers.maxBytes
    }

    /// An open offer and its pieces.
    func look(_ number: Int) -> (offer: Offer, pieces: UnsafeBufferPointer<Train.Piece>) {
        let start = pieces + number &* Streams.writePieces
        return (offers[number], UnsafeBufferPointer(start: start, count: offers[number].pieceCount))
    }

    /// Ends an offer and releases its buffers; the last open one takes its number.
    mutating func close(_ number: Int) {
        let own = pieces + number &* Streams.writePieces
        for i in 0..<offers[number].pieceCount { pool.release(own[i].buffer) }
        openCount &-= 1
        guard number < openCount else { return }
        offers[number] = offers[openCount]
        own.update(from: pieces + openCount &* Streams.writePieces, count: offers[number].pieceCount)
    }
}
