public import HyphaBase

/// The in-memory twin of the rim: packets are arrays, nothing touches the kernel. Drives a worker in tests and
/// simulations.
///
/// Sends complete in the `receive` after they were submitted, as they do in the kernel.
public struct MemoryIO: PacketIO, ~Copyable {
    /// A UDP train that was sent.
    public struct SentTrain: Sendable {
        public let destination: SocketAddress
        public let socket: UInt8
        public let segmentSize: Int
        public let bytes: [UInt8]

        /// The train cut into datagrams.
        public var datagrams: [[UInt8]] {
            stride(from: 0, to: bytes.count, by: max(1, segmentSize)).map {
                Array(bytes[$0..<min($0 + segmentSize, bytes.count)])
            }
        }
    }

    struct Input {
        let source: Arrival.Source
        let bytes: [UInt8]
        let segmentSize: Int
        let sender: SocketAddress
        var connection: UInt32 = 0
    }

    let pool: PacketPool
    let counters: WorkerCounters
    var input: [Input] = []
    private var pending: [(pieces: [Train.Piece], packets: Int, bytes: Int, isUDP: Bool)] = []
    /// Trains that the worker sent, oldest first.
    public private(set) var sent: [SentTrain] = []
    /// Writes to the TUN, virtio header in front, oldest first.
    public private(set) var delivered: [[UInt8]] = []
    public var hasTun: Bool
    /// Sends and writes are refused while true, as when the kernel's queue is full.
    public var isFull = false
    public private(set) var inFlight = 0
    /// TCP connections at most.
    public var maxConnections = 4_096
    /// Connections by place.
    var connections: [MemoryConnection] = []
    var events: [ConnectionEvent] = []
    /// Dials of the worker, oldest first. They stay without answer until `answer` or `endByPeer`.
    public internal(set) var dialled: [(connection: UInt32, address: SocketAddress)] = []

    public init(pool: PacketPool, counters: WorkerCounters, hasTun: Bool) {
        self.pool = pool
        self.counters = counters
        self.hasTun = hasTun
    }

    /// A datagram, or a train of datagrams of `segmentSize` bytes each, to arrive.
    public mutating func arrive(_ bytes: [UInt8], segmentSize: Int = 0, from sender: SocketAddress) {
        input.append(Input(source: .udp, bytes: bytes, segmentSize: segmentSize, sender: sender))
    }

    /// A read of the TUN to arrive, virtio header in front.
    public mutating func arriveFromTun(_ bytes: [UInt8]) {
        input.append(
            Input(
                source: .tun, bytes: bytes, segmentSize: 0,
                sender: SocketAddress(address: IPv6Address(high: 0, low: 0), port: 0)))
    }

    /// References on buffers that packets in flight hold.
    public var heldReferences: Int { pending.reduce(0) { $0 + $1.pieces.count } }

    /// Receives that wait.
    public var waiting: Int { input.count }

    /// Forgets what was sent and delivered; keeps the room.
    public mutating func clearOutput() {
        sent.removeAll(keepingCapacity: true)
        delivered.removeAll(keepingCapacity: true)
    }

    public mutating func receive(into arrivals: UnsafeMutableBufferPointer<Arrival>) -> Int {
        complete()
        var count = 0
        while count < arrivals.count, let index = nextInput(), let slab = pool.takeSlab() {
            let next = input.remove(at: index)
            let length = min(next.bytes.count, PacketPool.slabCapacity)
            let place = pool.base(slab) + PacketPool.slabHeadroom
            next.bytes.withUnsafeBytes { bytes in
                if let base = bytes.baseAddress { place.copyMemory(from: base, byteCount: length) }
            }
            arrivals[count] = Arrival(
                source: next.source, buffer: slab, offset: UInt32(PacketPool.slabHeadroom), length: UInt32(length),
                segmentSize: UInt16(clamping: next.segmentSize), sender: next.sender, connection: next.connection)
            count += 1
        }
        return count
    }

    private mutating func complete() {
        completeWrites()
        for train in pending {
            for piece in train.pieces { pool.release(piece.buffer) }
            counters.add(train.isUDP ? .sent : .delivered, train.packets)
            counters.add(train.isUDP ? .sentBytes : .deliveredBytes, train.bytes)
        }
        pending.removeAll(keepingCapacity: true)
        inFlight = 0
    }

    private func gather(_ train: borrowing Train) -> [UInt8] {
        var bytes: [UInt8] = []
        for i in 0..<train.pieceCount {
            let piece = train.pieces[i]
            bytes += UnsafeRawBufferPointer(
                start: pool.base(piece.buffer) + Int(piece.offset), count: Int(piece.length))
        }
        return bytes
    }

    private mutating func hold(_ train: borrowing Train, _ bytes: Int, isUDP: Bool) {
        var pieces: [Train.Piece] = []
        for i in 0..<train.pieceCount { pieces.append(train.pieces[i]) }
        pending.append((pieces, train.packetCount, bytes, isUDP))
        inFlight += train.packetCount
    }

    public mutating func transmit(_ train: borrowing Train) -> Bool {
        guard !isFull else { return false }
        let bytes = gather(train)
        sent.append(
            SentTrain(
                destination: train.destination, socket: train.socket, segmentSize: train.segmentSize, bytes: bytes))
        hold(train, bytes.count, isUDP: true)
        return true
    }

    public mutating func deliver(_ train: borrowing Train) -> Bool {
        guard hasTun, !isFull else { return false }
        let bytes = gather(train)
        delivered.append(bytes)
        hold(train, bytes.count, isUDP: false)
        return true
    }

    public mutating func submit() {}
}
