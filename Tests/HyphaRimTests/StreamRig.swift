import Glibc
import HyphaBase
import HyphaPacket

@testable import HyphaRim

/// One worker's connections with everything around them, for one test thread.
final class StreamRig {
    let pool: PacketPool
    let counters = WorkerCounters()
    let listeners: [TCPListener]
    var io: WorkerIO
    private let arrivals = UnsafeMutableBufferPointer<Arrival>.allocate(capacity: 16)
    private let batch = UnsafeMutableBufferPointer<ConnectionEvent>.allocate(capacity: 8)

    /// By connection, in order.
    var events: [UInt32: [ConnectionEvent.Kind]] = [:]
    /// In the order of their openings.
    var accepted: [UInt32] = []
    /// Bytes received, by connection.
    var received: [UInt32: [UInt8]] = [:]
    var receivedBytes = 0
    var keepsBytes = true

    init(
        _ addresses: [SocketAddress] = [Rig.loopback], slabs: Int = 62, maxConnections: Int = 64,
        connectMilliseconds: UInt64 = 5_000, sockets: [UDPSocket] = [], offload: OffloadSettings = OffloadSettings()
    ) throws {
        pool = PacketPool(slabs: slabs, slots: 16)
        listeners = try addresses.map { try TCPListener.bind($0) }
        var options = WorkerIO.Options(
            sockets: sockets, pool: pool, counters: counters, wake: try Wake(),
            offload: try OffloadStatus.probe(offload))
        options.listeners = listeners
        options.maxConnections = maxConnections
        options.connectMilliseconds = connectMilliseconds
        io = try WorkerIO.open(options)
        try io.start()
        arrivals.initialize(repeating: Arrival(source: .stream, buffer: 0, offset: 0, length: 0))
        batch.initialize(repeating: ConnectionEvent(connection: 0, kind: .written(0)))
    }

    deinit {
        io.shutdown()
        arrivals.deallocate()
        batch.deallocate()
        counters.deallocate()
        pool.deallocate()
    }

    var address: SocketAddress { listeners[0].localAddress }

    /// One turn; what arrives is kept in `received` unless `take` has it, which then owns the reference.
    func turn(take: ((Arrival) -> Void)? = nil) -> Bool {
        let count = io.receive(into: arrivals)
        for arrival in arrivals[..<count] {
            receivedBytes += Int(arrival.length)
            if let take {
                take(arrival)
                continue
            }
            if keepsBytes {
                received[arrival.connection, default: []] += UnsafeRawBufferPointer(
                    start: pool.base(arrival.buffer) + Int(arrival.offset), count: Int(arrival.length))
            }
            pool.release(arrival.buffer)
        }
        var any = count > 0
        while true {
            let count = io.takeConnectionEvents(into: batch)
            if count == 0 { break }
            any = true
            for event in batch[..<count] {
                if case .accepted = event.kind { accepted.append(event.connection) }
                events[event.connection, default: []].append(event.kind)
            }
        }
        return any
    }

    /// Turns until `done` says so or the time is over; returns what `done` says.
    @discardableResult
    func run(
        milliseconds: UInt64 = 10_000, take: ((Arrival) -> Void)? = nil, until done: () -> Bool
    ) -> Bool {
        let limit = SystemClock.now().advanced(byMilliseconds: milliseconds)
        while SystemClock.now() < limit {
            if done() { return true }
            if !turn(take: take) {
                if done() { return true }
                io.wait(until: min(limit, SystemClock.now().advanced(byMilliseconds: 20)))
            }
        }
        return false
    }

    /// Turns for a while.
    func idle(milliseconds: UInt64 = 50) { run(milliseconds: milliseconds) { false } }

    func connect(_ address: SocketAddress) -> UInt32 { io.connect(to: address) ?? .max }

    /// Both ends of a new connection of this rig to itself, open.
    func pair(listener: Int = 0) -> (client: UInt32, server: UInt32) {
        let before = accepted.count
        let client = connect(listeners[listener].localAddress)
        run { accepted.count > before && events[client] != nil }
        return (client, accepted.last ?? .max)
    }

    /// Writes bytes out of slabs of their own; nil when there is no slab or the write is refused.
    func write(_ connection: UInt32, _ bytes: [UInt8]) -> Bool {
        var pieces: [Train.Piece] = []
        for start in stride(from: 0, to: bytes.count, by: PacketPool.slabCapacity) {
            let part = bytes[start..<min(bytes.count, start + PacketPool.slabCapacity)]
            guard let slab = pool.takeSlab() else { break }
            part.withUnsafeBytes { pool.base(slab).copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
            pieces.append(Train.Piece(buffer: slab, offset: 0, length: UInt32(part.count)))
        }
        let isTaken = pieces.withUnsafeBufferPointer { io.write(connection, $0) }
        if !isTaken { for piece in pieces { pool.release(piece.buffer) } }
        return isTaken
    }

    /// Offers bytes out of slabs of their own; how many were taken, nil when there is no slab.
    func offer(_ connection: UInt32, _ bytes: [UInt8]) -> Int? {
        var pieces: [Train.Piece] = []
        defer { for piece in pieces { pool.release(piece.buffer) } }
        for start in stride(from: 0, to: bytes.count, by: PacketPool.slabCapacity) {
            let part = bytes[start..<min(bytes.count, start + PacketPool.slabCapacity)]
            guard let slab = pool.takeSlab() else { return nil }
            part.withUnsafeBytes { pool.base(slab).copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
            // Two halves side by side are one stretch.
            let half = UInt32(part.count / 2)
            pool.retain(slab)
            pieces.append(Train.Piece(buffer: slab, offset: 0, length: half))
            pieces.append(Train.Piece(buffer: slab, offset: half, length: UInt32(part.count) - half))
        }
        return pieces.withUnsafeBufferPointer { io.offer(connection, $0) }
    }

    /// Bytes of all writes of a connection that ended.
    func written(_ connection: UInt32) -> Int {
        (events[connection] ?? []).reduce(0) {
            if case .written(let count) = $1 { $0 + count } else { $0 }
        }
    }

    /// Writes of a connection that ended.
    func writes(_ connection: UInt32) -> Int {
        (events[connection] ?? []).count { if case .written = $0 { true } else { false } }
    }

    /// The errno value that ended a connection, 0 for an orderly end; nil while it is open.
    func end(_ connection: UInt32) -> Int32? {
        guard case .closed(let error)? = events[connection]?.last else { return nil }
        return error
    }

    // `#expect` cannot look into a noncopyable value itself.
    func close(_ connection: UInt32, reset: Bool = false) { io.close(connection, reset: reset) }
    func pause(_ connection: UInt32) { io.pauseReceive(connection) }
    func resume(_ connection: UInt32) { io.resumeReceive(connection) }
    func limitUnsent(_ connection: UInt32, _ bytes: Int) { io.limitUnsent(connection, bytes) }
    func roundTripTime(_ connection: UInt32) -> UInt32? { io.roundTripTime(connection) }
    func leastRoundTripTime(_ connection: UInt32) -> UInt32? { io.leastRoundTripTime(connection) }
}

/// A plain blocking TCP socket: the other side as others see it.
final class PlainSocket {
    let descriptor: Int32

    init(_ descriptor: Int32) { self.descriptor = descriptor }
    deinit { Glibc.close(descriptor) }

    /// Connected to a port of ::1.
    init(connectedTo address: SocketAddress) {
        descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
        var name = PlainSocket.loopback(address.port)
        withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = Glibc.connect(descriptor, $0, 28) }
        }
    }

    /// Listening on any port of ::1 with room for one connection, which it never takes unless asked.
    init(backlog: Int32) {
        descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
        var name = PlainSocket.loopback(0)
        withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = Glibc.bind(descriptor, $0, 28) }
        }
        _ = Glibc.listen(descriptor, backlog)
    }

    var port: UInt16 { PlainSocket.port(descriptor, getsockname) ?? 0 }

    /// The port of an end of a socket, nil when it has none.
    static func port(
        _ descriptor: Int32,
        _ end: (Int32, UnsafeMutablePointer<sockaddr>?, UnsafeMutablePointer<socklen_t>?) -> Int32
    ) -> UInt16? {
        var name = sockaddr_in6()
        var length: socklen_t = 28
        let code = withUnsafeMutablePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { end(descriptor, $0, &length) }
        }
        return code == 0 ? UInt16(bigEndian: name.sin6_port) : nil
    }

    /// Connected sockets of this process with an end at the port.
    static func connected(to port: UInt16) -> [PlainSocket] {
        (3..<Int32(4_096)).filter { descriptor in
            guard let remote = Self.port(descriptor, getpeername) else { return false }
            return remote == port || Self.port(descriptor, getsockname) == port
        }.map { PlainSocket(dup($0)) }
    }

    func accept() -> PlainSocket { PlainSocket(Glibc.accept(descriptor, nil, nil)) }

    /// What `recv` says: bytes, 0 at the end, or -errno. Does not block.
    func receive(_ room: Int = 65_536) -> Int {
        let bytes = UnsafeMutableRawPointer.allocate(byteCount: room, alignment: 1)
        defer { bytes.deallocate() }
        let count = recv(descriptor, bytes, room, Int32(MSG_DONTWAIT))
        return count < 0 ? -Int(errno) : count
    }

    func send(_ bytes: [UInt8]) -> Int { Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }

    func option(_ name: Int32) -> Int32 {
        var value: Int32 = -1
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, Int32(IPPROTO_TCP), name, &value, &length)
        return value
    }

    private static func loopback(_ port: UInt16) -> sockaddr_in6 {
        var name = sockaddr_in6()
        name.sin6_family = sa_family_t(AF_INET6)
        name.sin6_port = port.bigEndian
        name.sin6_addr = in6addr_loopback
        return name
    }
}
