internal import CKernel
internal import CUring
internal import Glibc
internal import HyphaBase
internal import HyphaPacket

// Connections: dialled, accepted, read, written, ended. Every request of a connection carries its id, and a place is
// free for the next connection only after the last completion, so that no completion meets another connection.

extension WorkerRing {
    // MARK: Asking

    @inline(never)
    mutating func armListener(_ listener: Int) {
        guard let request = uring.request() else { return }
        io_uring_prep_multishot_accept(
            request, listeners[listener].descriptor, nil, nil, Int32(bitPattern: SOCK_CLOEXEC.rawValue))
        request.pointee.user_data = Kind.accept << 56 | UInt64(listener)
        listeners[listener].isArmed = true
    }

    /// Asks for the bytes of connections that wait for that, no more than there are buffers: the others would only be
    /// refused. While several wait, each gets one buffer at a time, so that a fast sender does not take all of them. One
    /// alone may have all of them filled in one go: every receive costs an acknowledgement.
    @inline(never)
    mutating func armStreams() {
        var left = streamGroup.filled
        while left > 0, let place = connections.nextReceiver() {
            guard let request = uring.request() else {
                connections.wantReceive(place)
                return
            }
            left -= 1
            let record = connections.records + place
            io_uring_prep_recv(request, record.pointee.descriptor, nil, 0, 0)
            if connections.receiveLine.isEmpty {
                request.pointee.ioprio |= UInt16(IORING_RECV_MULTISHOT)
                if receivesBundles { request.pointee.ioprio |= Uring.bundleFlag }
            }
            request.pointee.flags |= 1 << UInt8(IOSQE_BUFFER_SELECT_BIT)
            request.pointee.buf_group = streamGroup.id
            request.pointee.user_data = Kind.streamReceive << 56 | UInt64(record.pointee.id)
            record.pointee.isReceiving = true
        }
    }

    mutating func takeConnectionEvents(into events: UnsafeMutableBufferPointer<ConnectionEvent>) -> Int {
        var taken = 0
        while taken < events.count, let event = connections.nextEvent() {
            events[taken] = event
            taken &+= 1
        }
        return taken
    }

    mutating func connect(to address: SocketAddress) -> UInt32? {
        guard isRunning, let place = connections.take(.connecting) else { return nil }
        let record = connections.records + place
        record.pointee.remote = address
        var native = chy_address(address)
        var length: UInt32 = 0
        let descriptor = chy_tcp_open(&native, connections.names + place, &length)
        guard descriptor >= 0 else {
            end(place, -descriptor)
            return record.pointee.id
        }
        record.pointee.descriptor = descriptor
        // Both in one batch: they are linked.
        guard uring.makeRoom(2), let request = uring.request(), let limit = uring.request() else {
            end(place, ENOBUFS)
            return record.pointee.id
        }
        let name = UnsafeMutableRawPointer(connections.names + place).assumingMemoryBound(to: sockaddr.self)
        io_uring_prep_connect(request, descriptor, name, length)
        request.pointee.flags |= 1 << UInt8(IOSQE_IO_LINK_BIT)
        request.pointee.user_data = Kind.connect << 56 | UInt64(record.pointee.id)
        io_uring_prep_link_timeout(limit, times, 0)
        limit.pointee.user_data = Kind.none << 56
        record.pointee.isConnecting = true
        return record.pointee.id
    }

    mutating func write(_ connection: UInt32, _ pieces: UnsafeBufferPointer<Train.Piece>) -> Bool {
        guard isRunning, let place = connections.find(connection) else { return false }
        let record = connections.records + place
        guard record.pointee.state == .open, !record.pointee.isWriting, record.pointee.events.isEmpty,
            pieces.count <= ConnectionTable.maxPieces, pieces.contains(where: { $0.length > 0 }),
            let request = uring.request()
        else { return false }
        connections.fill(place, pieces, pool: pool)
        // Part of it is enough: what comes next may be more urgent than the rest.
        io_uring_prep_sendmsg(request, record.pointee.descriptor, connections.headers + place, 0)
        // Whoever could write at once has done so by `offer`.
        request.pointee.ioprio |= UInt16(IORING_RECVSEND_POLL_FIRST)
        request.pointee.user_data = Kind.streamWrite << 56 | UInt64(record.pointee.id)
        record.pointee.isWriting = true
        return true
    }

    mutating func offer(_ connection: UInt32, _ pieces: UnsafeBufferPointer<Train.Piece>) -> Int {
        guard isRunning, let place = connections.find(connection) else { return 0 }
        let record = connections.records + place
        guard record.pointee.state == .open, !record.pointee.isWriting, record.pointee.events.isEmpty,
            pieces.count <= ConnectionTable.maxPieces
        else { return 0 }
        guard uring.hasCompletionRoom(1), let request = uring.request() else { return 0 }
        connections.describe(place, pieces, pool: pool)
        io_uring_prep_sendmsg(
            request, record.pointee.descriptor, connections.headers + place, UInt32(MSG_DONTWAIT | MSG_NOSIGNAL))
        let tag = Kind.streamOffer << 56 | UInt64(connection)
        request.pointee.user_data = tag
        guard let count = uring.submitAndTake(tag, then: Kind.none << 56) else {
            // Nobody knows what the peer got.
            end(place, EIO)
            return 0
        }
        guard count >= 0 else {
            // The error is told once only.
            if count != -EAGAIN && count != -EINTR { end(place, -count) }
            return 0
        }
        counters.add(.sentBytes, Int(count))
        return Int(count)
    }

    mutating func pauseReceive(_ connection: UInt32) {
        guard let place = connections.find(connection) else { return }
        let record = connections.records + place
        guard !record.pointee.isPaused else { return }
        record.pointee.isPaused = true
        guard record.pointee.isReceiving, let request = uring.request() else { return }
        io_uring_prep_cancel64(request, Kind.streamReceive << 56 | UInt64(record.pointee.id), 0)
        request.pointee.user_data = Kind.none << 56
    }

    mutating func resumeReceive(_ connection: UInt32) {
        guard let place = connections.find(connection) else { return }
        connections.records[place].isPaused = false
        connections.wantReceive(place)
    }

    func limitUnsent(_ connection: UInt32, _ bytes: Int) {
        guard let place = connections.find(connection), connections.records[place].state == .open else { return }
        // What fails leaves the limit as it was.
        _ = chy_tcp_unsent(connections.records[place].descriptor, UInt32(clamping: bytes))
    }

    mutating func close(_ connection: UInt32, reset: Bool) {
        guard let place = connections.find(connection) else { return }
        let state = connections.records[place].state
        guard state == .open || state == .connecting else { return }
        connections.records[place].resets = reset
        end(place, 0)
    }

    func roundTripTime(_ connection: UInt32) -> UInt32? {
        guard let place = connections.find(connection), connections.records[place].state == .open else { return nil }
        let time = chy_tcp_rtt(connections.records[place].descriptor)
        return time >= 0 ? UInt32(time) : nil
    }

    func leastRoundTripTime(_ connection: UInt32) -> UInt32? {
        guard let place = connections.find(connection), connections.records[place].state == .open else { return nil }
        let time = chy_tcp_least_rtt(connections.records[place].descriptor)
        return time >= 0 ? UInt32(time) : nil
    }

    // MARK: Taking back

    /// Arrivals that a completion of a listener or connection may need.
    @inline(__always)
    func arrivals(in completion: UnsafeMutablePointer<io_uring_cqe>) -> Int {
        completion.pointee.user_data >> 56 == Kind.streamReceive
            ? streamGroup.buffers(for: Int(completion.pointee.res)) : 1
    }

    /// A completion of a listener or connection. How many of `arrivals` were filled.
    @inline(__always)
    mutating func finishStream(
        _ completion: UnsafeMutablePointer<io_uring_cqe>, into arrivals: UnsafeMutableBufferPointer<Arrival>
    ) -> Int {
        let id = UInt32(truncatingIfNeeded: completion.pointee.user_data)
        switch completion.pointee.user_data >> 56 {
        case Kind.streamReceive: return finishStreamReceive(id, completion, into: arrivals)
        case Kind.streamWrite: finishStreamWrite(id, completion.pointee.res)
        case Kind.accept: finishAccept(Int(id), completion)
        case Kind.connect: finishConnect(id, completion.pointee.res)
        case Kind.retry:
            isRetryArmed = false
            for i in 0..<listenerCount { listeners[i].pauses = false }
        default: break
        }
        return 0
    }

    /// A receive fills one buffer or several, all but the last of them to the end.
    @inline(__always)
    private mutating func finishStreamReceive(
        _ id: UInt32, _ completion: UnsafeMutablePointer<io_uring_cqe>,
        into arrivals: UnsafeMutableBufferPointer<Arrival>
    ) -> Int {
        let flags = completion.pointee.flags
        let result = completion.pointee.res
        let isLast = flags & UInt32(IORING_CQE_F_MORE) == 0
        let count = flags & UInt32(IORING_CQE_F_BUFFER) == 0 ? 0 : streamGroup.buffers(for: Int(result))
        let place = connections.find(id)
        if isLast, let place { connections.records[place].isReceiving = false }
        let isWanted =
            result > 0 && count <= arrivals.count && place.map { connections.records[$0].state == .open } ?? false
        var slab = flags >> 16
        var left = Int(result)
        for i in 0..<count {
            let next = streamGroup.next(after: slab)
            streamGroup.takeBack(slab)
            let length = min(left, Int(streamGroup.length))
            left &-= length
            if isWanted {
                streamGroup.note(length: length)
                arrivals[i] = Arrival(
                    source: .stream, buffer: slab, offset: UInt32(PacketPool.slabHeadroom),
                    length: UInt32(truncatingIfNeeded: length), connection: id)
            } else {
                pool.release(slab)
            }
            slab = next
        }
        guard let place else { return 0 }
        guard isWanted, count > 0 else {
            finishWithoutBytes(place, result)
            return 0
        }
        if isLast { connections.wantReceive(place) }
        return count
    }

    /// A receive that brought nothing, or came after the end.
    @inline(never)
    private mutating func finishWithoutBytes(_ place: Int, _ result: Int32) {
        guard connections.records[place].state == .open else {
            closeIfIdle(place)
            return
        }
        switch result {
        case -ENOBUFS, -EINTR, -EAGAIN, -ECANCELED: connections.wantReceive(place)
        case 0: end(place, 0)
        default: end(place, result < 0 ? -result : EIO)
        }
    }

    @inline(__always)
    private mutating func finishStreamWrite(_ id: UInt32, _ result: Int32) {
        guard let place = connections.find(id) else { return }
        connections.releaseBuffers(place, pool: pool)
        let record = connections.records + place
        record.pointee.isWriting = false
        record.pointee.written = max(0, Int(result))
        counters.add(.sentBytes, record.pointee.written)
        connections.note(.written, place)
        if record.pointee.state == .ending {
            closeIfIdle(place)
        } else if result < 0 && result != -EINTR && result != -EAGAIN {
            end(place, -result)
        }
    }

    @inline(never)
    private mutating func finishConnect(_ id: UInt32, _ result: Int32) {
        guard let place = connections.find(id) else { return }
        let record = connections.records + place
        record.pointee.isConnecting = false
        guard record.pointee.state == .connecting else {
            closeIfIdle(place)
            return
        }
        guard result >= 0 else {
            // Only the time limit cancels a dial that is not ending.
            end(place, result == -ECANCELED ? ETIMEDOUT : -result)
            return
        }
        open(place)
    }

    @inline(never)
    private mutating func finishAccept(_ listener: Int, _ completion: UnsafeMutablePointer<io_uring_cqe>) {
        if completion.pointee.flags & UInt32(IORING_CQE_F_MORE) == 0 { listeners[listener].isArmed = false }
        let descriptor = completion.pointee.res
        guard descriptor >= 0 else {
            pauseListener(listener)
            return
        }
        guard isRunning, let place = connections.take(.connecting) else {
            counters.add(.connectionsRefused)
            chy_tcp_close(descriptor, 1)
            return
        }
        connections.records[place].descriptor = descriptor
        connections.records[place].listener = Int16(listener)
        open(place)
    }

    /// No accepts for a moment. A process out of descriptors would otherwise do nothing but fail.
    private mutating func pauseListener(_ listener: Int) {
        guard isRunning, !listeners[listener].isArmed else { return }
        if !isRetryArmed {
            guard let request = uring.request() else { return }
            io_uring_prep_timeout(request, times + 1, 0, 0)
            request.pointee.user_data = Kind.retry << 56
            isRetryArmed = true
        }
        listeners[listener].pauses = true
    }

    // MARK: Life

    /// A connection has both ends.
    private mutating func open(_ place: Int) {
        let record = connections.records + place
        var local = chy_address()
        var remote = chy_address()
        let code = chy_tcp_ends(record.pointee.descriptor, &local, &remote)
        if code >= 0 {
            record.pointee.state = .open
            record.pointee.local = local.socketAddress
            record.pointee.remote = remote.socketAddress
            connections.note(.opened, place)
        } else if record.pointee.listener < 0 {
            // Gone again already.
            end(place, -code)
        } else {
            // Gone before anybody heard of it.
            chy_tcp_close(record.pointee.descriptor, 1)
            connections.giveBack(place)
        }
    }

    /// Begins the end: cancels what is under way, closes when nothing is.
    private mutating func end(_ place: Int, _ error: Int32) {
        let record = connections.records + place
        record.pointee.state = .ending
        record.pointee.error = error
        guard record.pointee.isBusy else {
            closeIfIdle(place)
            return
        }
        if let request = uring.request() {
            io_uring_prep_cancel_fd(request, record.pointee.descriptor, UInt32(IORING_ASYNC_CANCEL_ALL))
            request.pointee.user_data = Kind.none << 56
        } else {
            // Whatever waits on it wakes up.
            Glibc.shutdown(record.pointee.descriptor, Int32(SHUT_RDWR))
        }
    }

    private mutating func closeIfIdle(_ place: Int) {
        let record = connections.records + place
        guard record.pointee.state == .ending, !record.pointee.isBusy else { return }
        if record.pointee.descriptor >= 0 { chy_tcp_close(record.pointee.descriptor, record.pointee.resets ? 1 : 0) }
        record.pointee.descriptor = -1
        record.pointee.state = .closed
        connections.note(.closed, place)
    }

    // MARK: Shutdown

    var hasOpenConnections: Bool {
        for i in 0..<connections.usedCount where connections.records[i].descriptor >= 0 { return true }
        return false
    }

    /// Marks all connections as ending; what they have under way is cancelled with everything else.
    mutating func endConnections() {
        for place in 0..<connections.usedCount {
            let state = connections.records[place].state
            guard state == .open || state == .connecting else { continue }
            connections.records[place].state = .ending
            closeIfIdle(place)
        }
    }

    /// Closes what a kernel that does not answer has left open.
    mutating func closeConnections() {
        for place in 0..<connections.usedCount where connections.records[place].descriptor >= 0 {
            chy_tcp_close(connections.records[place].descriptor, 0)
            connections.records[place].descriptor = -1
        }
    }
}
