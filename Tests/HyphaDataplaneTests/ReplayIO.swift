import HyphaBase
import HyphaPacket
import Testing

/// A `PacketIO` that allocates nothing while it runs: it plays receives from memory that was filled before, and counts
/// what it is given to send.
struct ReplayIO: PacketIO, ~Copyable {
    private struct Input {
        var source: Arrival.Source
        var offset: Int
        var length: Int
        var segmentSize: Int
    }

    private let pool: PacketPool
    private let counters: WorkerCounters
    private let sender: SocketAddress
    private let memory: UnsafeMutableRawPointer
    private let memorySize: Int
    private var used = 0
    private let inputs: UnsafeMutablePointer<Input>
    private let maxInputs: Int
    private var inputCount = 0
    private var next = 0
    /// Buffers in flight, with what they count when done.
    private let pending: UnsafeMutablePointer<UInt32>
    private static let maxPending = 8_192
    private var pendingCount = 0
    private var sentInFlight = 0
    private var deliveredInFlight = 0
    /// Receives of one turn.
    var batch = 8
    var hasTun = true

    init(pool: PacketPool, counters: WorkerCounters, sender: SocketAddress, bytes: Int, inputs maxInputs: Int) {
        self.pool = pool
        self.counters = counters
        self.sender = sender
        self.maxInputs = maxInputs
        memorySize = bytes
        memory = .allocate(byteCount: bytes, alignment: 64)
        inputs = .allocate(capacity: maxInputs)
        pending = .allocate(capacity: ReplayIO.maxPending)
    }

    deinit {
        memory.deallocate()
        inputs.deallocate()
        pending.deallocate()
    }

    /// Adds a receive to play.
    mutating func add(_ source: Arrival.Source, _ bytes: [UInt8], segmentSize: Int = 0) {
        guard inputCount < maxInputs, used + bytes.count <= memorySize, bytes.count <= PacketPool.slabCapacity else {
            Issue.record("no room for more input")
            return
        }
        bytes.withUnsafeBytes { from in
            if let base = from.baseAddress { (memory + used).copyMemory(from: base, byteCount: bytes.count) }
        }
        inputs[inputCount] = Input(source: source, offset: used, length: bytes.count, segmentSize: segmentSize)
        inputCount += 1
        used += bytes.count
    }

    /// Receives not yet played.
    var left: Int { inputCount - next }

    /// Plays everything again.
    mutating func rewind() { next = 0 }

    var inFlight: Int { sentInFlight + deliveredInFlight }

    mutating func receive(into arrivals: UnsafeMutableBufferPointer<Arrival>) -> Int {
        for i in 0..<pendingCount { pool.release(pending[i]) }
        counters.add(.sent, sentInFlight)
        counters.add(.delivered, deliveredInFlight)
        pendingCount = 0
        sentInFlight = 0
        deliveredInFlight = 0
        var count = 0
        while count < min(batch, arrivals.count), next < inputCount, let slab = pool.takeSlab() {
            let input = inputs[next]
            next += 1
            let offset = PacketPool.slabHeadroom
            (pool.base(slab) + offset).copyMemory(from: memory + input.offset, byteCount: input.length)
            arrivals[count] = Arrival(
                source: input.source, buffer: slab, offset: UInt32(offset), length: UInt32(input.length),
                segmentSize: UInt16(input.segmentSize), sender: sender)
            count += 1
        }
        return count
    }

    private mutating func hold(_ train: borrowing Train) -> Bool {
        guard pendingCount + train.pieceCount <= ReplayIO.maxPending else { return false }
        for i in 0..<train.pieceCount { pending[pendingCount + i] = train.pieces[i].buffer }
        pendingCount += train.pieceCount
        return true
    }

    mutating func transmit(_ train: borrowing Train) -> Bool {
        guard hold(train) else { return false }
        sentInFlight += train.packetCount
        return true
    }

    mutating func deliver(_ train: borrowing Train) -> Bool {
        guard hasTun, hold(train) else { return false }
        deliveredInFlight += train.packetCount
        return true
    }

    mutating func submit() {}
}

/// Without connections.
extension ReplayIO: StreamIO {
    mutating func takeConnectionEvents(into events: UnsafeMutableBufferPointer<ConnectionEvent>) -> Int { 0 }
    mutating func connect(to address: SocketAddress) -> UInt32? { nil }
    mutating func write(_ connection: UInt32, _ pieces: UnsafeBufferPointer<Train.Piece>) -> Bool { false }
    mutating func pauseReceive(_ connection: UInt32) {}
    mutating func resumeReceive(_ connection: UInt32) {}
    mutating func close(_ connection: UInt32, reset: Bool) {}
    func roundTripTime(_ connection: UInt32) -> UInt32? { nil }
    func leastRoundTripTime(_ connection: UInt32) -> UInt32? { nil }
}
