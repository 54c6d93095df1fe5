import HyphaBase
import HyphaPacket

@testable import HyphaRim

/// One worker's I/O with everything around it, for one test thread.
final class Rig {
    let pool: PacketPool
    let counters = WorkerCounters()
    let wake: Wake
    let changes = OffloadChanges()
    let sockets: [UDPSocket]
    var io: WorkerIO
    var train = Train()
    private let arrivals = UnsafeMutableBufferPointer<Arrival>.allocate(capacity: 64)

    static let loopback = SocketAddress(address: IPv6Address(high: 0, low: 1), port: 0)
    static let loopback4 = SocketAddress(address: .mapped(ipv4: 0x7F00_0001), port: 0)
    static let any = SocketAddress(address: IPv6Address(high: 0, low: 0), port: 0)

    /// A started worker with one socket for each address.
    init(
        _ addresses: [SocketAddress] = [loopback], slabs: Int = 62, slots: Int = 16, sends: Int = 512,
        offload: OffloadSettings = OffloadSettings(), tun: TunDevice? = nil
    ) throws {
        pool = PacketPool(slabs: slabs, slots: slots)
        wake = try Wake()
        var options = UDPSocket.Options()
        options.gro = offload.udpGRO
        sockets = try addresses.map { try UDPSocket.bind($0, options: options) }
        var settings = WorkerIO.Options(
            sockets: sockets, tun: tun, pool: pool, counters: counters, wake: wake,
            offload: try OffloadStatus.probe(offload), changes: changes)
        settings.sendSlots = sends
        io = try WorkerIO.open(settings)
        try io.start()
        arrivals.initialize(repeating: Arrival(source: .udp, buffer: 0, offset: 0, length: 0))
    }

    deinit {
        io.shutdown()
        train.deallocate()
        arrivals.deallocate()
        counters.deallocate()
        pool.deallocate()
    }

    var address: SocketAddress { sockets[0].localAddress }

    /// Free slabs and slots together.
    var freeBuffers: Int { pool.freeSlabCount + pool.freeSlotCount }

    /// One turn: what arrived, at most `limit`.
    func receive(limit: Int = 64) -> [Arrival] {
        let count = io.receive(into: UnsafeMutableBufferPointer(rebasing: arrivals[..<limit]))
        return Array(arrivals[..<count])
    }

    /// Turns until `done` says so or `milliseconds` have passed; what arrived goes to `take`.
    func turn(
        milliseconds: UInt64 = 5_000, until done: @autoclosure () -> Bool, take: (Arrival) -> Void = { _ in }
    ) {
        let limit = SystemClock.now().advanced(byMilliseconds: milliseconds)
        while !done() && SystemClock.now() < limit {
            let taken = receive()
            for arrival in taken { take(arrival) }
            if taken.isEmpty && !done() { io.wait(until: min(limit, SystemClock.now().advanced(byMilliseconds: 20))) }
        }
    }

    // `#expect` cannot look into a noncopyable value itself.
    var inFlight: Int { io.inFlight }
    var segmentLimit: Int { io.segmentLimit }
    var lastSendError: Int32 { io.lastSendError }
    func transmit() -> Bool { io.transmit(train) }
    func deliver() -> Bool { io.deliver(train) }

    /// Turns until nothing is under way.
    func settle() { turn(until: io.inFlight == 0) }

    /// The bytes of an arrival, datagram by datagram.
    func datagrams(_ arrival: Arrival) -> [[UInt8]] {
        let bytes = UnsafeRawBufferPointer(
            start: pool.base(arrival.buffer) + Int(arrival.offset), count: Int(arrival.length))
        let size = arrival.segmentSize == 0 ? max(1, bytes.count) : Int(arrival.segmentSize)
        if bytes.isEmpty { return [[]] }
        return stride(from: 0, to: bytes.count, by: size).map { Array(bytes[$0..<min($0 + size, bytes.count)]) }
    }

    /// Frame `i` of a test: `length` bytes that tell frame and place.
    static func frame(_ i: Int, _ length: Int) -> [UInt8] {
        (0..<length).map { UInt8(truncatingIfNeeded: i &* 31 &+ $0 &* 7 &+ ($0 >> 8)) }
    }

    /// Fills `train` with frames that lie back to back in as many slabs as `perSlab` asks for, one piece per frame.
    func build(_ frames: [[UInt8]], to destination: SocketAddress, socket: UInt8 = 0, perSlab: Int = .max) {
        train.clear()
        train.socket = socket
        train.destination = destination
        train.segmentSize = frames.first?.count ?? 0
        var slab: UInt32 = 0
        var offset = 0
        for (i, frame) in frames.enumerated() {
            if i % perSlab == 0 {
                guard let fresh = pool.takeSlab() else { fatalError("no slab for the test's own train") }
                // The first frame keeps the reference of `takeSlab`.
                slab = fresh
                offset = PacketPool.slabHeadroom
            } else {
                pool.retain(slab)
            }
            frame.withUnsafeBytes { (pool.base(slab) + offset).copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
            train.pieces[train.pieceCount] = Train.Piece(
                buffer: slab, offset: UInt32(offset), length: UInt32(frame.count))
            train.pieceCount += 1
            train.packetCount += 1
            train.totalLength += frame.count
            offset += frame.count
        }
    }
}

/// Sends frames as one train from `a` to `b` and returns what came out, with the arrivals; all buffers are back then.
func exchange(
    _ frames: [[UInt8]], from a: Rig, to b: Rig, destination: SocketAddress? = nil, perSlab: Int = .max
) -> (datagrams: [[UInt8]], arrivals: [Arrival]) {
    a.build(frames, to: destination ?? b.address, perSlab: perSlab)
    var datagrams: [[UInt8]] = []
    var arrivals: [Arrival] = []
    guard a.io.transmit(a.train) else { return ([], []) }
    a.io.submit()
    a.settle()
    b.turn(until: datagrams.count >= frames.count) { arrival in
        datagrams += b.datagrams(arrival)
        arrivals.append(arrival)
        b.pool.release(arrival.buffer)
    }
    return (datagrams, arrivals)
}
