public import HyphaBase

/// The peers' side of connections in memory, for tests.
extension MemoryIO {
    /// A connection comes in; nil when there are as many as there may be.
    public mutating func accept(listener: UInt8 = 0, from remote: SocketAddress) -> UInt32? {
        guard let place = takePlace() else {
            counters.add(.connectionsRefused)
            return nil
        }
        connections[place].isOpen = true
        let id = connections[place].id
        events.append(
            ConnectionEvent(
                connection: id, kind: .accepted(listener: listener, local: MemoryIO.here, remote: remote)))
        return id
    }

    /// The other side answers a dial to `remote`.
    public mutating func answer(_ connection: UInt32, remote: SocketAddress) {
        guard let place = place(connection), !connections[place].isOpen else { return }
        connections[place].isOpen = true
        events.append(
            ConnectionEvent(connection: connection, kind: .connected(local: MemoryIO.here, remote: remote)))
    }

    /// The peer writes: arrives as one receive for each slab's worth.
    public mutating func arrive(_ bytes: [UInt8], on connection: UInt32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = rest.prefix(PacketPool.slabCapacity)
            rest = rest.dropFirst(part.count)
            input.append(
                Input(
                    source: .stream, bytes: Array(part), segmentSize: 0, sender: MemoryIO.here,
                    connection: connection))
        }
    }

    /// The connection ends or the dial fails, from outside: 0 for an orderly end, else an errno value. What has arrived
    /// and was not received is lost.
    public mutating func endByPeer(_ connection: UInt32, error: Int32 = 0) {
        guard let place = place(connection) else { return }
        end(place, error)
    }

    /// Whether the peer takes nothing, so that a write stays under way.
    public mutating func setStalled(_ connection: UInt32, _ isStalled: Bool) {
        if let place = place(connection) { connections[place].isStalled = isStalled }
    }

    /// The shortest round trip from now on, microseconds.
    public mutating func setLeastRoundTrip(_ connection: UInt32, _ microseconds: UInt32) {
        if let place = place(connection) { connections[place].leastRoundTrip = microseconds }
    }

    /// Bytes of one write that the peer takes at most.
    public mutating func setWriteLimit(_ connection: UInt32, _ limit: Int) {
        if let place = place(connection) { connections[place].writeLimit = limit }
    }

    /// Everything that the peer has received, also after the end while the place is not used again.
    public func written(_ connection: UInt32) -> [UInt8] {
        connections.first { $0.id == connection }?.bytes ?? []
    }

    /// What the peer has received since the last such call, also after the end while the place is not used again.
    public mutating func takeWritten(_ connection: UInt32) -> [UInt8] {
        guard let place = connections.firstIndex(where: { $0.id == connection }), !connections[place].bytes.isEmpty
        else { return [] }
        let bytes = connections[place].bytes
        connections[place].bytes = []
        return bytes
    }

    /// Whether the owner receives nothing on the connection for now.
    public func isPaused(_ connection: UInt32) -> Bool { place(connection).map { connections[$0].isPaused } ?? false }

    /// Bytes that may be held unsent, as the owner said last; nil when it did not.
    public func unsentLimit(_ connection: UInt32) -> Int? { place(connection).flatMap { connections[$0].unsentLimit } }

    /// How the owner ended the connection: true by RST, nil when it did not.
    public func wasReset(_ connection: UInt32) -> Bool? { connections.first { $0.id == connection }?.wasReset }

    private static let here = SocketAddress(address: IPv6Address(high: 0, low: 1), port: 9_651)
}

extension MemoryIO: StreamIO {
    public mutating func takeConnectionEvents(into output: UnsafeMutableBufferPointer<ConnectionEvent>) -> Int {
        let count = min(output.count, events.count)
        for i in 0..<count {
            let event = events[i]
            output[i] = event
            guard let place = place(event.connection) else { continue }
            switch event.kind {
            case .connected, .accepted: connections[place].isKnown = true
            case .written: connections[place].isWriting = false
            case .closed: connections[place].isFree = true
            }
        }
        events.removeFirst(count)
        return count
    }

    public mutating func connect(to address: SocketAddress) -> UInt32? {
        guard let place = takePlace() else { return nil }
        dialled.append((connections[place].id, address))
        return connections[place].id
    }

    public mutating func write(_ connection: UInt32, _ pieces: UnsafeBufferPointer<Train.Piece>) -> Bool {
        guard !isFull, let place = place(connection), connections[place].isKnown, !connections[place].isWriting,
            connections[place].isOpen, pieces.count <= MemoryIO.maxWritePieces,
            pieces.contains(where: { $0.length > 0 })
        else { return false }
        connections[place].pieces = Array(pieces)
        connections[place].isWriting = true
        return true
    }

    public mutating func offer(_ connection: UInt32, _ pieces: UnsafeBufferPointer<Train.Piece>) -> Int {
        guard let place = place(connection), connections[place].isKnown, !connections[place].isWriting,
            connections[place].isOpen, !connections[place].isStalled, pieces.count <= MemoryIO.maxWritePieces
        else { return 0 }
        return take(pieces, place)
    }

    public mutating func pauseReceive(_ connection: UInt32) {
        if let place = place(connection) { connections[place].isPaused = true }
    }

    public mutating func resumeReceive(_ connection: UInt32) {
        if let place = place(connection) { connections[place].isPaused = false }
    }

    public mutating func limitUnsent(_ connection: UInt32, _ bytes: Int) {
        if let place = place(connection) { connections[place].unsentLimit = bytes }
    }

    public mutating func close(_ connection: UInt32, reset: Bool) {
        guard let place = place(connection), connections[place].wasReset == nil else { return }
        connections[place].wasReset = reset
        end(place, 0)
    }

    public func roundTripTime(_ connection: UInt32) -> UInt32? {
        place(connection).flatMap { connections[$0].isOpen ? 1_000 : nil }
    }

    public func leastRoundTripTime(_ connection: UInt32) -> UInt32? {
        place(connection).flatMap { connections[$0].isOpen ? connections[$0].leastRoundTrip : nil }
    }

    // MARK: Inside

    private func place(_ id: UInt32) -> Int? {
        let place = MemoryIO.place(of: id)
        guard place < connections.count, connections[place].id == id, !connections[place].isFree else { return nil }
        return place
    }

    private mutating func takePlace() -> Int? {
        if let place = connections.firstIndex(where: \.isFree) {
            connections[place] = MemoryConnection(id: connections[place].id &+ 0x1_0000)
            return place
        }
        guard connections.count < maxConnections else { return nil }
        connections.append(MemoryConnection(id: UInt32(connections.count)))
        return connections.count - 1
    }

    private mutating func end(_ place: Int, _ error: Int32) {
        let id = connections[place].id
        guard !events.contains(where: { $0.connection == id && $0.isEnd }) else { return }
        if !connections[place].pieces.isEmpty { finishWrite(place, fails: true) }
        connections[place].isOpen = false
        input.removeAll { $0.source == .stream && $0.connection == id }
        events.append(ConnectionEvent(connection: id, kind: .closed(error)))
    }

    /// The oldest input that may be received.
    func nextInput() -> Int? {
        input.firstIndex { next in
            guard next.source == .stream else { return true }
            guard let place = place(next.connection) else { return false }
            return connections[place].isKnown && !connections[place].isPaused
        }
    }

    mutating func completeWrites() {
        for place in connections.indices where !connections[place].pieces.isEmpty && !connections[place].isStalled {
            finishWrite(place)
        }
    }

    /// The peer takes as much of the pieces as it takes of one write.
    private mutating func take(_ pieces: some Sequence<Train.Piece>, _ place: Int) -> Int {
        var left = connections[place].writeLimit
        var taken = 0
        for piece in pieces {
            let length = min(Int(piece.length), left)
            connections[place].bytes += UnsafeRawBufferPointer(
                start: pool.base(piece.buffer) + Int(piece.offset), count: length)
            left -= length
            taken += length
        }
        counters.add(.sentBytes, taken)
        return taken
    }

    /// `fails`: the write ends with its connection, and nothing of it arrives.
    private mutating func finishWrite(_ place: Int, fails: Bool = false) {
        let pieces = connections[place].pieces
        let taken = fails ? 0 : take(pieces, place)
        for piece in pieces { pool.release(piece.buffer) }
        connections[place].pieces = []
        events.append(ConnectionEvent(connection: connections[place].id, kind: .written(taken)))
    }
}

extension ConnectionEvent {
    fileprivate var isEnd: Bool {
        if case .closed = kind { true } else { false }
    }
}
