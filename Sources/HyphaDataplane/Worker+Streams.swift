import HyphaBase
import HyphaInterchange
import HyphaPacket
import HyphaStreams
import HyphaWire

// MARK: - TCP links

extension Worker {
    /// Cuts the bytes of a connection into frames: data goes through the stages from `route` on, control is handed over.
    mutating func takeStream<IO: StreamIO & ~Copyable>(_ arrival: Arrival, _ io: inout IO) {
        counters.add(.receives)
        counters.add(.streamReceivedBytes, Int(arrival.length))
        let connection = arrival.connection
        let link = streams.numbering.link(connection: connection)
        var piece = Train.Piece(buffer: arrival.buffer, offset: arrival.offset, length: arrival.length)
        frames: while true {
            switch streams.hub.pointee.next(connection, &piece, now: context.now) {
            case .frame(let frame):
                counters.add(.received)
                guard frame.kind == .data else {
                    takeStreamControl(frame, connection)
                    measureStream(connection, io)
                    continue
                }
                if vector.isFull { runStreamVector(&io) }
                var packet = Descriptor(
                    buffer: frame.buffer, offset: frame.offset &- Descriptor.stockLead,
                    length: frame.length &+ Descriptor.stockExcess, mode: .stock)
                packet.link = StageContext.streamArrival | link
                vector.append(packet)
                streams.owned[streams.ownedCount] = frame.buffer
                streams.ownedCount &+= 1
            case .exhausted: break frames
            case .failed(let end):
                closeStream(connection, because: end, &io)
                break frames
            }
        }
        pool.release(arrival.buffer)
    }

    private mutating func takeStreamControl(_ frame: StreamFrame, _ connection: UInt32) {
        let bytes = frame.bytes(in: pool)
        if let body = StockFrame.controlBody(UnsafeRawBufferPointer(bytes)), let start = body.baseAddress {
            if punts.packet(.streamControl, start, length: body.count, link: connection) {
                counters.add(.punted)
            } else {
                counters.drop(body.count > PuntedPacket.maxPacket ? .badFrame : .puntFull)
            }
        } else {
            counters.drop(.badFrame)
        }
        pool.release(frame.buffer)
    }

    /// Asks the kernel for a connection's round trip now and then, when a control frame comes: neighbours say something
    /// every 20 s. The shortest one of the last minutes: the smoothed one rises with every delayed acknowledgement, and
    /// falls back only with traffic.
    private mutating func measureStream<IO: StreamIO & ~Copyable>(_ connection: UInt32, _ io: borrowing IO) {
        guard let place = streams.place(connection),
            context.now.milliseconds(since: place.pointee.measured) >= Worker.measureMilliseconds
        else { return }
        place.pointee.measured = context.now
        guard let time = io.leastRoundTripTime(connection) else { return }
        let old = place.pointee.roundTrip
        guard max(time, old) &- min(time, old) > max(1_000, old &>> 3) else { return }
        if punts.notice(.streamRoundTrip, id: connection, slot: time) { place.pointee.roundTrip = time }
    }

    private static let measureMilliseconds: UInt64 = 30_000

    /// Steps 3 to 6 for stock frames.
    mutating func runStreamVector<IO: StreamIO & ~Copyable>(_ io: inout IO) {
        if vector.count > 0 { runRouted(&io) }
        for i in 0..<streams.ownedCount { pool.release(streams.owned[i]) }
        streams.ownedCount = 0
        slab.releaseFull()
    }

    /// What happened to connections. True when there was anything.
    mutating func takeConnectionEvents<IO: StreamIO & ~Copyable>(_ io: inout IO) -> Bool {
        guard streams.numbering.streams > 0 else { return false }
        var any = false
        // Control must hear of every end: without room for that the rest waits.
        while punts.hasRoomForNotice(), io.takeConnectionEvents(into: streams.events) > 0 {
            any = true
            let event = streams.events[0]
            guard let place = streams.place(event.connection) else { continue }
            switch event.kind {
            case .connected(_, let remote):
                streamOpened(event.connection, remote, dial: place.pointee.dial, &io)
            case .accepted(_, _, let remote):
                _ = streams.occupy(event.connection, dial: .max)
                guard streams.admits(remote, now: context.now, &punts) else {
                    counters.add(.connectionsLimited)
                    place.pointee.isRefused = true
                    io.close(event.connection, reset: true)
                    continue
                }
                streamOpened(event.connection, remote, dial: .max, &io)
            case .written(let count):
                counters.add(.streamSentBytes, count)
                place.pointee.isFull = false
                if streams.hub.pointee.written(event.connection, count, now: context.now) {
                    streams.mark(event.connection)
                } else if place.pointee.isLeaving {
                    leave(event.connection, reset: false, &io)
                }
            case .closed(let error): streamClosed(event.connection, place, error)
            }
        }
        return any
    }

    private mutating func streamOpened<IO: StreamIO & ~Copyable>(
        _ connection: UInt32, _ remote: SocketAddress, dial: UInt32, _ io: inout IO
    ) {
        var roundTrip: UInt32 = 0
        if let time = io.roundTripTime(connection) { roundTrip = time }
        let opening = StreamOpening(dial: dial, roundTrip: roundTrip)
        let id = streams.numbering.link(connection: connection)
        guard let link = context.links[id], streams.hub.pointee.open(connection, now: context.now),
            punts.streamOpened(opening, connection: connection, sender: remote)
        else {
            // Nobody would know of it.
            streams.hub.pointee.close(connection)
            io.close(connection, reset: true)
            return
        }
        if let place = streams.place(connection) {
            place.pointee.dial = .max
            place.pointee.measured = context.now
            place.pointee.roundTrip = roundTrip
        }
        link.initialize(to: LinkRecord())
        link.pointee.exists = 1
        link.pointee.isStream = 1
        link.pointee.connection = connection
        link.pointee.endpoint = remote
        link.pointee.mtu = UInt32(StockData.maxPayload &+ LinkHeader.size &+ RoutingHeader.size &+ LinkHeader.tagSize)
    }

    private mutating func streamClosed(
        _ connection: UInt32, _ place: UnsafeMutablePointer<Streams.Place>, _ error: Int32
    ) {
        streams.hub.pointee.close(connection)
        forgetStreamLink(connection)
        guard !place.pointee.isRefused else { return }
        let reason = UInt32(truncatingIfNeeded: max(0, error)) & 0xFFFF
        if place.pointee.dial != .max {
            punts.notice(.streamFailed, id: place.pointee.dial, slot: reason)
        } else {
            let closing = StreamClosing(error: UInt16(truncatingIfNeeded: reason), end: place.pointee.end)
            punts.notice(.streamClosed, id: connection, slot: closing.slot)
        }
    }

    /// Nothing is sent on the link any more.
    private func forgetStreamLink(_ connection: UInt32) {
        if let link = context.links[streams.numbering.link(connection: connection)],
            link.pointee.connection == connection
        {
            link.initialize(to: LinkRecord())
        }
    }

    private mutating func leave<IO: StreamIO & ~Copyable>(_ connection: UInt32, reset: Bool, _ io: inout IO) {
        streams.hub.pointee.close(connection)
        forgetStreamLink(connection)
        io.close(connection, reset: reset)
    }

    /// Closes a connection over which nothing more can come.
    mutating func closeStream<IO: StreamIO & ~Copyable>(_ connection: UInt32, because end: StreamEnd, _ io: inout IO) {
        streams.place(connection)?.pointee.end = end.rawValue &+ 1
        leave(connection, reset: true, &io)
    }

    /// Closes a connection: with FIN when what waits is written, with RST at once.
    mutating func closeStream<IO: StreamIO & ~Copyable>(_ connection: UInt32, reset: Bool, _ io: inout IO) {
        if !reset, streams.hub.pointee.hasWaiting(connection), let place = streams.place(connection) {
            place.pointee.isLeaving = true
            streams.mark(connection)
            return
        }
        leave(connection, reset: reset, &io)
    }

    /// Begins to connect; a dial that cannot even begin is told at once.
    mutating func openStream<IO: StreamIO & ~Copyable>(to endpoint: SocketAddress, dial: UInt32, _ io: inout IO) {
        guard streams.numbering.streams > 0, let connection = io.connect(to: endpoint),
            streams.occupy(connection, dial: dial)
        else {
            punts.notice(.streamFailed, id: dial, slot: Worker.tooManyConnections)
            return
        }
    }

    /// EMFILE.
    private static let tooManyConnections: UInt32 = 24

    /// Closes connections on which something took too long, and gives the others their next write.
    mutating func driveStreams<IO: StreamIO & ~Copyable>(_ io: inout IO) {
        guard streams.numbering.streams > 0 else { return }
        streams.makeOffers(context, &io)
        if context.now >= streams.nextDeadline {
            while let (connection, end) = streams.hub.pointee.popExpired(now: context.now) {
                closeStream(connection, because: end, &io)
            }
        }
        var left = 0
        for i in 0..<streams.dirtyCount {
            let place = streams.places + Int(streams.dirty[i])
            if writeStream(place.pointee.connection, &io) {
                place.pointee.isDirty = false
            } else {
                streams.dirty[left] = streams.dirty[i]
                left += 1
            }
        }
        streams.dirtyCount = left
        // The ring had no room: soon again.
        if left > 0 { nextTick = min(nextTick, context.now.advanced(byMilliseconds: 1)) }
        streams.count(counters)
    }

    /// Writes what the kernel takes, and asks it to take more when it has room. False when the ring has no room for that.
    private mutating func writeStream<IO: StreamIO & ~Copyable>(_ connection: UInt32, _ io: inout IO) -> Bool {
        if let place = streams.place(connection) {
            streams.drain(connection, place, context, &io)
            if place.pointee.isLeaving, !streams.hub.pointee.hasWaiting(connection) {
                leave(connection, reset: false, &io)
                return true
            }
        }
        let count = streams.hub.pointee.nextWrite(connection, streams.pieces)
        guard count > 0 else { return true }
        // The hub keeps its own references until it is told what was written.
        for i in 0..<count { pool.retain(streams.pieces[i].buffer) }
        if io.write(connection, UnsafeBufferPointer(rebasing: streams.pieces[0..<count])) {
            counters.add(.streamWrites)
            return true
        }
        for i in 0..<count { pool.release(streams.pieces[i].buffer) }
        streams.hub.pointee.written(connection, 0, now: context.now)
        return false
    }
}
