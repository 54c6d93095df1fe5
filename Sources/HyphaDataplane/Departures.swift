import HyphaBase
import HyphaPacket

/// The last stage: packets grouped into trains, one open train per link, and one for the TUN. Stock frames go into the
/// queues of their TCP links.
///
/// A train takes a packet when it is as long as those before it, or shorter, which closes it. Trains go out when they
/// are full, when a longer packet comes, and at the end of the turn: nothing is held across waits.
struct Departures {
    /// Links with an open train at the same time; one more sends the oldest.
    static let maxOpen = 64

    private let pool: PacketPool
    private let counters: WorkerCounters
    private let trains: UnsafeMutablePointer<Train>
    /// The link of each open train.
    private let owners: UnsafeMutablePointer<UInt32>
    /// Next train to take when all are open.
    private var oldest = 0
    private var openCount = 0
    private var merge: TunMerge
    private var single = Train()

    init(pool: PacketPool, counters: WorkerCounters) {
        self.pool = pool
        self.counters = counters
        trains = .allocate(capacity: Departures.maxOpen)
        for i in 0..<Departures.maxOpen { (trains + i).initialize(to: Train()) }
        owners = .allocate(capacity: Departures.maxOpen)
        owners.initialize(repeating: .max, count: Departures.maxOpen)
        merge = TunMerge(pool: pool, counters: counters)
    }

    func deallocate() {
        for i in 0..<Departures.maxOpen { trains[i].deallocate() }
        trains.deallocate()
        owners.deallocate()
        merge.deallocate()
        single.deallocate()
    }

    /// Sends every packet of a finished vector where its disposition says, and counts those that end.
    mutating func send<IO: StreamIO & ~Copyable>(
        _ vector: PacketVector, _ context: borrowing StageContext, _ streams: inout Streams, _ io: inout IO
    ) {
        var punted = 0
        var forwarded = 0
        var forwardedBytes = 0
        for i in 0..<vector.count {
            let packet = vector.packets + i
            switch packet.pointee.disposition {
            case .forward:
                forwarded &+= 1
                forwardedBytes &+= Int(packet.pointee.length)
                if packet.pointee.mode == .stock {
                    streams.append(packet.pointee, context, &io)
                } else {
                    append(packet.pointee, context, &io)
                }
            case .deliver: merge.append(packet.pointee, &io)
            case .punted: punted &+= 1
            case .parked: break
            case .drop: counters.drop(DropReason(rawValue: packet.pointee.reason) ?? .badPacket)
            case .undecided: counters.drop(.badPacket)
            }
        }
        if punted > 0 { counters.add(.punted, punted) }
        if forwarded > 0 {
            counters.add(.forwarded, forwarded)
            counters.add(.forwardedBytes, forwardedBytes)
        }
    }

    /// Sends one ready datagram from a slot, whose reference it takes over.
    mutating func sendDatagram<IO: PacketIO & ~Copyable>(
        _ slot: UInt32, offset: Int, length: Int, to destination: SocketAddress, socket: UInt8, _ io: inout IO
    ) {
        single.destination = destination
        single.socket = socket
        single.segmentSize = length
        single.totalLength = length
        single.packetCount = 1
        single.pieceCount = 1
        single.pieces[0] = Train.Piece(buffer: slot, offset: UInt32(offset), length: UInt32(length))
        if !io.transmit(single) {
            counters.drop(.queueFull)
            pool.release(slot)
        }
        single.clear()
    }

    /// Sends all open trains.
    mutating func flush<IO: PacketIO & ~Copyable>(_ context: borrowing StageContext, _ io: inout IO) {
        merge.flush(&io)
        guard openCount > 0 else { return }
        for i in 0..<Departures.maxOpen where owners[i] != .max { flush(i, context, &io) }
    }

    @inline(__always)
    private mutating func append<IO: PacketIO & ~Copyable>(
        _ packet: Descriptor, _ context: borrowing StageContext, _ io: inout IO
    ) {
        guard let link = context.links[packet.link] else {
            counters.drop(.linkDown)
            return
        }
        let length = Int(packet.length)
        var number = Int(link.pointee.train)
        if number < Departures.maxOpen {
            let train = trains + number
            if length > train.pointee.segmentSize || train.pointee.packetCount == Train.maxPackets
                || train.pointee.totalLength &+ length > Train.maxBytes
            {
                flush(number, context, &io)
                number = 0xFF
            }
        }
        if number >= Departures.maxOpen {
            number = open(packet.link, link, length, context, &io)
        }
        let train = trains + number
        let last = train.pointee.pieces + (train.pointee.pieceCount &- 1)
        if train.pointee.pieceCount > 0, last.pointee.buffer == packet.buffer,
            last.pointee.offset &+ last.pointee.length == packet.offset
        {
            last.pointee.length &+= packet.length
        } else {
            pool.retain(packet.buffer)
            train.pointee.pieces[train.pointee.pieceCount] = Train.Piece(
                buffer: packet.buffer, offset: packet.offset, length: packet.length)
            train.pointee.pieceCount &+= 1
        }
        train.pointee.packetCount &+= 1
        train.pointee.totalLength &+= length
        // A shorter packet can only be the last.
        if length < train.pointee.segmentSize { flush(number, context, &io) }
    }

    @inline(never)
    private mutating func open<IO: PacketIO & ~Copyable>(
        _ id: UInt32, _ link: UnsafeMutablePointer<LinkRecord>, _ length: Int, _ context: borrowing StageContext,
        _ io: inout IO
    ) -> Int {
        var number = 0
        while number < Departures.maxOpen, owners[number] != .max { number += 1 }
        if number == Departures.maxOpen {
            number = oldest
            oldest = (oldest + 1) % Departures.maxOpen
            flush(number, context, &io)
        }
        owners[number] = id
        openCount += 1
        link.pointee.train = UInt8(truncatingIfNeeded: number)
        trains[number].destination = link.pointee.endpoint
        trains[number].socket = link.pointee.socket
        trains[number].segmentSize = length
        return number
    }

    private mutating func flush<IO: PacketIO & ~Copyable>(
        _ number: Int, _ context: borrowing StageContext, _ io: inout IO
    ) {
        let id = owners[number]
        guard id != .max else { return }
        if let link = context.links[id] { link.pointee.train = 0xFF }
        owners[number] = .max
        openCount -= 1
        let train = trains + number
        if !io.transmit(train.pointee) {
            counters.drop(.queueFull, train.pointee.packetCount)
            for i in 0..<train.pointee.pieceCount { pool.release(train.pointee.pieces[i].buffer) }
        }
        train.pointee.clear()
    }
}
