import HyphaBase
import HyphaInterchange
import HyphaPacket
import HyphaStreams
import HyphaWire

// MARK: - TCP links

extension Worker {
    /// Arrivals up to this length are taken before longer ones of other connections: mostly words, which want an answer soon.
    private static let shortArrival: UInt32 = 512

    /// What came on connections: short arrivals first, but in order on each connection.
    mutating func takeStreams<IO: StreamIO & ~Copyable>(_ count: Int, _ io: inout IO) {
        for i in 0..<count where mayOvertake(i) {
            takeStream(arrivals[i], &io)
            arrivals[i].length = 0
        }
        for i in 0..<count where arrivals[i].source == .stream && arrivals[i].length > 0 {
            takeStream(arrivals[i], &io)
        }
        runStreamVector(&io)
    }

    /// A short arrival that has nothing of its connection in front of it.
    private func mayOvertake(_ number: Int) -> Bool {
        guard arrivals[number].source == .stream, arrivals[number].length <= Worker.shortArrival else { return false }
        let connection = arrivals[number].connection
        for i in 0..<number where arrivals[i].source == .stream && arrivals[i].connection == connection {
            if arrivals[i].length > 0 { return false }
        }
        return true
    }

    /// Bytes of a connection.
    mutating func takeStream<IO: StreamIO & ~Copyable>(_ arrival: Arrival, _ io: inout IO) {
        counters.add(.receives)
        counters.add(.streamReceivedBytes, Int(arrival.length))
        let connection = arrival.connection
        let piece = Train.Piece(buffer: arrival.buffer, offset: arrival.offset, length: arrival.length)
        if streams.pauses.contains(connection) {
            // They were on their way when the connection paused.
            if streams.pauses.append(piece, of: connection) { return }
            // No more room: what control cannot take is lost.
            dropPausedFrame(connection, .puntFull)
            _ = goOn(connection, mayPause: false, &io)
        }
        _ = takeFrames(piece, of: connection, mayPause: true, &io)
    }

    /// Cuts bytes of a connection into frames: data goes through the stages from `route` on, control is handed over. Takes
    /// over the reference of `piece`. False when control has no room for a frame: the connection pauses with the rest; or,
    /// unless it may, the frame is dropped.
    private mutating func takeFrames<IO: StreamIO & ~Copyable>(
        _ piece: Train.Piece, of connection: UInt32, mayPause: Bool, _ io: inout IO
    ) -> Bool {
        let link = streams.numbering.link(connection: connection)
        if streams.holds.isApart(connection, length: Int(piece.length), frames: vector.count) {
            runStreamVector(&io)
        }
        var piece = piece
        frames: while true {
            switch streams.hub.pointee.next(connection, &piece, now: context.now) {
            case .frame(let frame):
                counters.add(.received)
                guard frame.kind == .data else {
                    measureStream(connection, io)
                    if takeStreamControl(frame, connection, &io) { continue }
                    if mayPause, streams.pauses.keep(frame, piece, of: connection) {
                        io.pauseReceive(connection)
                        counters.add(.streamPauses)
                        return false
                    }
                    counters.drop(.puntFull)
                    pool.release(frame.buffer)
                    continue
                }
                if vector.isFull { runStreamVector(&io) }
                streams.holds.note(source: connection)
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
        pool.release(piece.buffer)
        return true
    }

    /// Answers Hellos and hands the frame over. False when control has no room for it.
    private mutating func takeStreamControl<IO: StreamIO & ~Copyable>(
        _ frame: StreamFrame, _ connection: UInt32, _ io: inout IO
    ) -> Bool {
        let bytes = UnsafeRawBufferPointer(frame.bytes(in: pool))
        guard let body = StockFrame.controlBody(bytes), body.count <= PuntedPacket.maxPacket else {
            counters.drop(.badFrame)
            pool.release(frame.buffer)
            return true
        }
        streams.answerHellos(in: body, of: connection, context, &io)
        return punt(frame, connection)
    }

    /// Hands a control frame over, with its reference. False when control has no room for it.
    private mutating func punt(_ frame: StreamFrame, _ connection: UInt32) -> Bool {
        let bytes = UnsafeRawBufferPointer(frame.bytes(in: pool))
        let body = UnsafeRawBufferPointer(rebasing: bytes[StockFrame.controlHeaderSize...])
        guard punts.streamControl(body, connection: connection) else { return false }
        counters.add(.punted)
        pool.release(frame.buffer)
        return true
    }

    // MARK: Connections that wait for control

    /// Goes on with connections that pause as far as control has room, those first that have paused for longest.
    mutating func resumeStreams<IO: StreamIO & ~Copyable>(_ io: inout IO) {
        while let connection = streams.pauses.first {
            if let frame = streams.pauses.frame(connection) {
                pool.retain(frame.buffer)
                guard punt(frame, connection) else {
                    pool.release(frame.buffer)
                    break
                }
                streams.pauses.dropFrame(connection)
            }
            guard goOn(connection, mayPause: true, &io) else {
                // Now others.
                streams.pauses.rotate()
                break
            }
        }
        runStreamVector(&io)
    }

    /// Goes on with what waits on a connection, whose frame at hand is gone. False when it pauses again.
    private mutating func goOn<IO: StreamIO & ~Copyable>(
        _ connection: UInt32, mayPause: Bool, _ io: inout IO
    ) -> Bool {
        while let piece = streams.pauses.takePiece(connection) {
            guard takeFrames(piece, of: connection, mayPause: mayPause, &io) else { return false }
        }
        // It may have been closed meanwhile.
        guard streams.pauses.contains(connection) else { return true }
        streams.pauses.end(connection)
        if !streams.holds.isHeld(connection) { io.resumeReceive(connection) }
        return true
    }

    private mutating func dropPausedFrame(_ connection: UInt32, _ reason: DropReason) {
        guard streams.pauses.frame(connection) != nil else { return }
        counters.drop(reason)
        streams.pauses.dropFrame(connection)
    }

    /// Nothing waits for control any more.
    mutating func dropPauses() {
        while let connection = streams.pauses.first {
            if streams.pauses.end(connection) { counters.drop(.shutdown) }
        }
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
        if vector.count > 0 {
            let frames = vector.count
            runRouted(&io)
            streams.holds.conclude(frames: frames, now: context.now)
        }
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
        dropPause(connection)
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

    /// What waits for control on a connection that has ended.
    private mutating func dropPause(_ connection: UInt32) {
        if streams.pauses.end(connection) { counters.drop(.linkDown) }
    }

    private mutating func leave<IO: StreamIO & ~Copyable>(_ connection: UInt32, reset: Bool, _ io: inout IO) {
        streams.hub.pointee.close(connection)
        forgetStreamLink(connection)
        dropPause(connection)
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
        if streams.holds.hasWork { nextTick = min(nextTick, streams.driveHolds(context, &io)) }
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
