import HyphaBase
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire

// MARK: - Packets that wait for a session

extension Worker {
    /// A packet for peer `id`, with which there is no session and which may speak native.
    mutating func negotiate<IO: StreamIO & ~Copyable>(
        _ packet: borrowing TunPacket, _ bytes: UnsafeMutableRawPointer, length: Int, peer id: UInt32, _ io: inout IO
    ) {
        guard let peer = context.peers[id] else {
            counters.drop(.noRoute, packet.segments)
            return
        }
        // Without a place for it here it is larger than any queue.
        let size = parking.hasRoom(length: length, for: peer) ? packet.length : .max
        let decision = peer.pointee.decide(.packet(bytes: size), now: context.now)
        if decision.startsHandshake { punts.notice(.flowNeeded, id: id) }
        tellFallback(decision, peer, id)
        settle(decision, peer, id, &io)
        switch decision.fate {
        case .queue: parking.park(bytes, length: length, segments: packet.segments, for: peer, now: context.now)
        case .stock: takeInner(bytes, length: length, origin: .released, &io)
        case .drop where peer.pointee.parkedCount > 0 || size == .max: counters.drop(.parkFull, packet.segments)
        case .drop, .native, .accept, .refuse, nil:
            rejections.localError(
                .addressUnreachable,
                about: UnsafeRawBufferPointer(start: UnsafeRawPointer(packet.bytes), count: packet.length), context)
            counters.drop(.downgrade, packet.segments)
        }
    }

    /// Does with what waits for a peer what the negotiation decided.
    mutating func settle<IO: StreamIO & ~Copyable>(
        _ decision: StockNegotiation.Decision, _ peer: UnsafeMutablePointer<PeerRecord>, _ id: UInt32, _ io: inout IO
    ) {
        guard let queue = decision.queue, peer.pointee.parkedCount > 0 else { return }
        switch queue {
        case .native: releaseParked(peer, as: .parked, &io)
        case .stock:
            tellFallback(decision, peer, id)
            releaseParked(peer, as: .released, atMost: decision.queueCount, &io)
            rejectParked(peer, .downgrade)
        case .drop, .queue, .accept, .refuse:
            rejectParked(peer, peer.pointee.negotiation.session == .require ? .noRoute : .downgrade)
        }
    }

    /// Tells control once that stock bodies go to a peer that is known to be native.
    private mutating func tellFallback(
        _ decision: StockNegotiation.Decision, _ peer: UnsafeMutablePointer<PeerRecord>, _ id: UInt32
    ) {
        guard decision.fallsBack, peer.pointee.isFallbackTold == 0 else { return }
        if punts.notice(.peerFellBack, id: id) { peer.pointee.isFallbackTold = 1 }
    }

    /// What waits for a peer goes on.
    mutating func releaseParked<IO: StreamIO & ~Copyable>(
        _ peer: UnsafeMutablePointer<PeerRecord>, as origin: InnerOrigin, atMost limit: Int = .max, _ io: inout IO
    ) {
        // What must wait again goes behind, and is not taken twice.
        var left = min(limit, Int(peer.pointee.parkedCount))
        while left > 0, let parked = parking.takeFirst(peer) {
            left -= 1
            takeInner(
                pool.base(parked.slot) + Parking.packetOffset, length: parked.length, origin: origin, &io)
            pool.release(parked.slot)
        }
        runEntryVector(&io)
    }

    /// No session can be made: everything that waits is answered with ICMPv6 address unreachable.
    mutating func rejectParked(_ peer: UnsafeMutablePointer<PeerRecord>, _ reason: DropReason) {
        while let parked = parking.takeFirst(peer) {
            let start = pool.base(parked.slot) + Parking.packetOffset + VirtioHeader.size
            rejections.localError(
                .addressUnreachable,
                about: UnsafeRawBufferPointer(start: start, count: parked.length - VirtioHeader.size), context)
            counters.drop(reason, parked.segments)
            pool.release(parked.slot)
        }
    }

    /// Control says that peer `id` is there, and what it knows of it.
    mutating func setPeer(_ command: WorkerCommand) {
        guard let peer = context.peers.prepare(command.id) else { return }
        if peer.pointee.exists == 0 { peer.initialize(to: PeerRecord(stock.negotiation)) }
        peer.pointee.exists = 1
        peer.pointee.address = command.endpoint.address
        peer.pointee.key = command.key
        peer.pointee.ownsPrefix = command.value & WorkerCommand.ownsPrefixBit != 0 ? 1 : 0
        let isHinted = command.value & WorkerCommand.nativeHintBit != 0
        _ = peer.pointee.decide(.hint(isHinted ? NativeMark(capabilities: 0) : nil), now: context.now)
        if command.value & WorkerCommand.nativeProofBit != 0 {
            let until = context.now.advanced(byMilliseconds: StockNegotiation.pinMilliseconds)
            _ = peer.pointee.decide(.pinned(until: until), now: context.now)
        }
        peerLimit = max(peerLimit, command.id + 1)
    }

    /// A session with a peer, and what waits for it goes out.
    mutating func sendWithFlowSession<IO: StreamIO & ~Copyable>(_ command: WorkerCommand, _ io: inout IO) {
        guard let peer = context.peers[command.id] else { return }
        peer.pointee.sendSlot = command.slot
        peer.pointee.liveness.unansweredSince = .zero
        guard command.slot != .max else {
            _ = peer.pointee.decide(.sessionEnded, now: context.now)
            return
        }
        peer.pointee.isFallbackTold = 0
        settle(peer.pointee.decide(.sessionStarted, now: context.now), peer, command.id, &io)
    }

    mutating func retireFlowSession(_ slot: UInt32) {
        let owner = context.flowSessions.record(slot).pointee.owner
        if let peer = context.peers[owner], peer.pointee.sendSlot == slot {
            peer.pointee.sendSlot = .max
            _ = peer.pointee.decide(.sessionEnded, now: context.now)
        }
        context.flowSessions.retire(slot)
        punts.notice(.flowSessionRetired, id: owner, slot: slot)
    }

    /// Packets for a peer that have waited long enough, by its negotiation or by the bounds of their places.
    mutating func endWaits<IO: StreamIO & ~Copyable>(
        _ peer: UnsafeMutablePointer<PeerRecord>, _ id: UInt32, _ io: inout IO
    ) {
        settle(peer.pointee.decide(.timer, now: context.now), peer, id, &io)
        parking.expire(peer, now: context.now)
    }
}

// MARK: - Packets that wait for a route

extension Worker {
    /// A packet of the TUN without a route to the /64 of its destination: waits, and control is asked once.
    mutating func awaitRoute(_ bytes: UnsafeMutableRawPointer, length: Int, packets: Int, for prefix: UInt64) {
        guard routes.park(bytes, length: length, packets: packets, for: prefix, now: context.now) else {
            counters.drop(.parkFull, packets)
            return
        }
        if routes.isUnasked(prefix), punts.notice(Notice(.routeNeeded, prefix: prefix)) { routes.noteAsked(prefix) }
    }

    /// There is a route to a /64, or a key for it: what waits goes on. Without one after all, it ends.
    mutating func routeResolved<IO: StreamIO & ~Copyable>(_ prefix: UInt64, _ io: inout IO) {
        // The route may have come since the turn began.
        context.fib = port.snapshots.take()
        while let parked = routes.takeFirst(prefix) {
            takeInner(
                pool.base(parked.slot) + RouteParking.packetOffset, length: parked.length, origin: .routed, &io)
            pool.release(parked.slot)
        }
        runEntryVector(&io)
        openWaiting(prefix, &io)
    }

    /// There is no route to a /64: what the TUN sent is answered, stock bodies from there end.
    mutating func routeFailed(_ prefix: UInt64) {
        while let parked = routes.takeFirst(prefix) {
            let start = pool.base(parked.slot) + RouteParking.packetOffset + VirtioHeader.size
            rejections.localError(
                .noRoute, about: UnsafeRawBufferPointer(start: start, count: parked.length - VirtioHeader.size),
                context)
            counters.drop(.noRoute, parked.packets)
            pool.release(parked.slot)
        }
        stock.waiting.dropAll(prefix, .unknownSource)
    }

    /// The stock bodies that waited for the key of their source.
    private mutating func openWaiting<IO: StreamIO & ~Copyable>(_ prefix: UInt64, _ io: inout IO) {
        while let parked = stock.waiting.takeFirst(prefix) {
            if vector.isFull { runWaitingVector(&io) }
            var packet = Descriptor(
                buffer: parked.slot, offset: UInt32(RouteParking.packetOffset) - Descriptor.stockLead,
                length: UInt32(truncatingIfNeeded: parked.length) + Descriptor.stockExcess, mode: .stock)
            packet.disposition = .deliver
            vector.append(packet)
        }
        runWaitingVector(&io)
    }

    private mutating func runWaitingVector<IO: StreamIO & ~Copyable>(_ io: inout IO) {
        guard vector.count > 0 else { return }
        openStock(
            vector, &stock, context, &punts, &rejections, hints, hasTun: io.hasTun, mayWait: false)
        livenessPending = openFlow(vector, context, &punts, &rejections, hasTun: io.hasTun) || livenessPending
        departures.send(vector, context, &streams, &io)
        for i in 0..<vector.count { pool.release(vector.packets[i].buffer) }
        vector.removeAll()
    }
}
