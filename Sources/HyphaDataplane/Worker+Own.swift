import HyphaBase
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire

// MARK: - Packets made here

extension Worker {
    /// Sends the errors that the turn produced.
    mutating func answer<IO: StreamIO & ~Copyable>(_ io: inout IO) {
        var i = 0
        while i < rejections.innerCount {
            let piece = rejections.inner[i]
            takeInner(
                pool.base(piece.buffer) + Int(piece.offset), length: Int(piece.length), origin: .own, &io)
            pool.release(piece.buffer)
            i += 1
        }
        rejections.innerCount = 0
        runEntryVector(&io)
        runOwnVector(&io)
    }

    /// Frames in slots: overlay packets to be routed, link messages, packets for the TUN. Their source is this node, so
    /// `route` makes no answers about them.
    mutating func runOwnVector<IO: StreamIO & ~Copyable>(_ io: inout IO) {
        let own = rejections.own
        guard own.count > 0 else { return }
        route(own, scratch, context, &punts, &rejections, hints, &stock)
        sealFlow(own, context, &punts, hints)
        sealStock(own, &stock, context, &punts)
        leave(own, &io)
        for i in 0..<own.count { pool.release(own.packets[i].buffer) }
        rejections.own.removeAll()
    }

    /// A frame in a slot, `length` bytes of it to be filled between link header and link tag. Nil when no slot is free,
    /// which counts as a packet dropped.
    mutating func makeFrame(_ length: Int) -> (frame: Descriptor, bytes: UnsafeMutableRawPointer)? {
        guard !rejections.own.isFull, let slot = pool.takeSlot() else {
            counters.add(.injected)
            counters.drop(.noBuffer)
            return nil
        }
        let frame = Descriptor(
            buffer: slot, offset: UInt32(Rejections.frameOffset),
            length: UInt32(LinkHeader.size + length + LinkHeader.tagSize), mode: .full)
        counters.add(.injected)
        return (frame, pool.base(slot) + Rejections.frameOffset + LinkHeader.size)
    }

    /// A message to the neighbour on a link, under its session in use or under the one in `slot`. False when there is
    /// no room for it.
    @discardableResult
    mutating func sendLinkMessage(
        _ id: UInt32, under slot: UInt32 = .max, _ bytes: UnsafeRawPointer? = nil, length: Int = 0
    ) -> Bool {
        guard let made = makeFrame(length) else { return false }
        var frame = made.frame
        if let bytes { made.bytes.copyMemory(from: bytes, byteCount: length) }
        frame.link = id
        frame.counter = slot == .max ? 0 : UInt64(slot) + 1
        frame.disposition = .forward
        rejections.own.append(frame)
        if length == 0 { counters.add(.keepalivesSent) }
        return true
    }

    /// A PAD to the neighbour on a link: nothing in it, but it asks for a sign of life. False when there is no room for it.
    @discardableResult
    mutating func askForLife(_ id: UInt32) -> Bool {
        let pad: (UInt8, UInt8, UInt8) = (0x80, 0, 0)
        return withUnsafeBytes(of: pad) { sendLinkMessage(id, $0.baseAddress, length: 3) }
    }

    /// An empty control body to an end-to-end peer, under the session in `slot`. False when there is no room for it.
    @discardableResult
    mutating func sendFlowKeepalive(_ peer: UnsafeMutablePointer<PeerRecord>, under slot: UInt32) -> Bool {
        let plain = 16
        guard let made = makeFrame(RoutingHeader.size + plain + FlowBody.tagSize) else { return false }
        var frame = made.frame
        let place = made.bytes
        RoutingHeader.write(
            place, kind: .data, hopLimit: RoutingHeader.defaultHopLimit, flowHash: 0, source: context.ownAddress,
            destination: peer.pointee.address)
        let body = place + RoutingHeader.size
        body.initializeMemory(as: UInt8.self, repeating: 0, count: plain)
        body.storeBytes(of: UInt8(plain - 1) << 4 | FlowBody.Kind.control.rawValue, as: UInt8.self)
        frame.flow = slot
        rejections.own.append(frame)
        counters.add(.keepalivesSent)
        return true
    }
}

// MARK: - Time

extension Worker {
    /// Keepalives that are owed, silence that control should know of, packets and pieces that have waited long enough.
    mutating func tick<IO: StreamIO & ~Copyable>(_ io: inout IO) {
        let now = context.now
        var pending = false
        // A worker that did not run for long heard nobody, which is nobody's fault.
        let late = nextTick < now ? now.nanoseconds(since: nextTick) : 0
        let overlooked = late >= Liveness.tickMilliseconds * 1_000_000 ? late : 0
        // What goes out from here on may wait for an answer itself.
        livenessPending = false
        nextTick = .distantFuture
        // Ranges of Int: those of other types allocate in unoptimised builds.
        for i in 0..<Int(linkLimit) {
            let id = UInt32(truncatingIfNeeded: i)
            guard let link = context.links[id], link.pointee.exists != 0,
                link.pointee.liveness.isPending || link.pointee.use.isInUse(now: now)
            else { continue }
            if overlooked > 0 {
                link.pointee.liveness.overlook(nanoseconds: overlooked, now: now)
                link.pointee.use.overlook(nanoseconds: overlooked, now: now)
            }
            // Without room for it now either is left for the next tick.
            if link.pointee.liveness.unansweredSince == .zero, link.pointee.use.isQuiet(now: now),
                link.pointee.sendSlot != .max
            {
                link.pointee.liveness.expect(since: link.pointee.use.heard)
                askForLife(id)
            } else if link.pointee.liveness.wantsAsking(now: now) {
                if link.pointee.sendSlot == .max || askForLife(id) { link.pointee.liveness.asks &+= 1 }
            } else if link.pointee.liveness.owesKeepalive(after: Liveness.linkKeepaliveAfterMilliseconds, now: now),
                link.pointee.sendSlot == .max || sendLinkMessage(id)
            {
                link.pointee.liveness.owedSince = .zero
            }
            if rejections.own.isFull { runOwnVector(&io) }
            link.pointee.liveness.suspect(now: now)
            if link.pointee.liveness.isLinkSilent(now: now) {
                punts.notice(.linkSilent, id: id)
                link.pointee.liveness.told(now: now)
            }
            pending = pending || link.pointee.liveness.isPending || link.pointee.use.isInUse(now: now)
        }
        for i in 0..<Int(peerLimit) {
            let id = UInt32(truncatingIfNeeded: i)
            guard let peer = context.peers[id], peer.pointee.exists != 0 else { continue }
            if peer.pointee.parkedCount > 0 {
                endWaits(peer, id, &io)
            }
            guard peer.pointee.liveness.isPending else { continue }
            if overlooked > 0 { peer.pointee.liveness.overlook(nanoseconds: overlooked, now: now) }
            if peer.pointee.liveness.owesKeepalive(after: Liveness.keepaliveAfterMilliseconds, now: now),
                peer.pointee.sendSlot == .max || sendFlowKeepalive(peer, under: peer.pointee.sendSlot)
            {
                peer.pointee.liveness.owedSince = .zero
            }
            if rejections.own.isFull { runOwnVector(&io) }
            if peer.pointee.liveness.isUnanswered(for: Liveness.silentAfterMilliseconds, now: now) {
                punts.notice(.flowSilent, id: id)
                peer.pointee.liveness.told(now: now)
            }
            pending = pending || peer.pointee.liveness.isPending
        }
        reassembly.expire(now: now)
        routes.expire(now: now)
        stock.waiting.expire(now: now)
        runOwnVector(&io)
        livenessPending = livenessPending || pending || reassembly.waiting > 0
    }

    mutating func scheduleTick() {
        if livenessPending || waiting > 0, nextTick == .distantFuture {
            nextTick = context.now.advanced(byMilliseconds: Liveness.tickMilliseconds)
        }
    }
}
