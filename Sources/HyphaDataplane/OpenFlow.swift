import CAEAD
import HyphaBase
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire

/// Opens the end-to-end bodies of packets for this node in place and turns them back into IPv6 packets.
///
/// Checked in this order: session by index, that its peer owns the source, lane and limits, window (read only), the
/// seal, window (commit), content. What stays `deliver` is an inner packet at `offset`.
func openFlow(
    _ vector: PacketVector, _ context: borrowing StageContext, _ punts: inout PuntRings,
    _ rejections: inout Rejections, hasTun: Bool
) -> Bool {
    let jobs = context.jobs
    var count = 0
    for i in 0..<vector.count {
        let packet = vector.packets + i
        // In the mode `stock`: an inner packet already.
        guard packet.pointee.disposition == .deliver, packet.pointee.mode != .stock else { continue }
        if describeFlow(packet, jobs + count, context, &rejections) {
            context.jobPackets[count] = UInt16(truncatingIfNeeded: i)
            count &+= 1
        }
    }
    guard count > 0 else { return false }
    caead_open(context.aead, jobs, count)
    var livenessPending = false
    for j in 0..<count {
        let packet = vector.packets + Int(context.jobPackets[j])
        let sessions = context.flowSessions
        let slot = packet.pointee.flow
        guard jobs[j].ok != 0 else {
            sessions.use(slot).pointee.failures &+= 1
            packet.pointee.drop(.badFlowAuth)
            continue
        }
        let header = context.pool.base(packet.pointee.buffer) + Int(packet.pointee.offset) + LinkHeader.size
        let lane = Int(RoutingHeader.flowHash(header) &>> 12)
        guard
            sessions.admit(
                slot, lane: lane, counter: RoutingHeader.counter(header), second: context.second)
        else {
            packet.pointee.drop(.flowReplay)
            continue
        }
        let use = sessions.use(slot)
        use.pointee.received &+= 1
        let id = sessions.record(slot).pointee.owner
        if use.pointee.confirmed == 0, punts.notice(.flowSessionConfirmed, id: id, slot: slot) {
            use.pointee.confirmed = 1
        }
        let isData = unwrap(packet, header, jobs[j].data, length: Int(jobs[j].length), context, &punts)
        if let peer = context.peers[id] {
            peer.pointee.liveness.received(isData: isData, now: context.now)
            livenessPending = livenessPending || isData
        }
        if packet.pointee.disposition == .deliver, !hasTun {
            let bytes = context.pool.base(packet.pointee.buffer) + Int(packet.pointee.offset)
            rejections.remoteError(
                .addressUnreachable,
                about: UnsafeRawBufferPointer(start: bytes, count: Int(packet.pointee.length)), context)
            packet.pointee.drop(.noListener)
        }
    }
    return livenessPending
}

/// Checks a packet against its session and describes its AEAD call; drops it and returns false when it fails.
@inline(__always)
private func describeFlow(
    _ packet: UnsafeMutablePointer<Descriptor>, _ job: UnsafeMutablePointer<caead_job>,
    _ context: borrowing StageContext, _ rejections: inout Rejections
) -> Bool {
    let bytes = context.pool.base(packet.pointee.buffer) + Int(packet.pointee.offset)
    let header = bytes + LinkHeader.size
    let sessions = context.flowSessions
    let index = RoutingHeader.index(header)
    guard index != 0, let slot = sessions.slot(index: index) else {
        rejections.overlayError(
            .unknownSession, kind: .data, about: header, length: Int(packet.pointee.length), context)
        packet.pointee.drop(.unknownSession)
        return false
    }
    let record = sessions.record(slot)
    guard let peer = context.peers[record.pointee.owner],
        owns(peer, RoutingHeader.source(header))
    else {
        packet.pointee.drop(.badSource)
        return false
    }
    let lane = Int(RoutingHeader.flowHash(header) &>> 12)
    let counter = RoutingHeader.counter(header)
    guard context.now < record.pointee.rejectAt,
        counter < SessionLimits.rejectCounter(suite: record.pointee.suite),
        sessions.use(slot).pointee.failures < SessionLimits.rejectFailures
    else {
        packet.pointee.drop(.flowExpired)
        return false
    }
    guard sessions.window(slot, lane: lane).pointee.isFresh(counter, sessions.bitmap(slot, lane: lane)) else {
        packet.pointee.drop(.flowReplay)
        return false
    }
    // In front of the body: link header, routing header, and in header mode the link's tag.
    let head =
        LinkHeader.size &+ RoutingHeader.size &+ (packet.pointee.mode == .header ? LinkHeader.tagSize : 0)
    let trailer = FlowBody.tagSize &+ (packet.pointee.mode == .full ? LinkHeader.tagSize : 0)
    let plain = Int(packet.pointee.length) &- head &- trailer
    guard plain >= 1 else {
        packet.pointee.drop(.badPacket)
        return false
    }
    packet.pointee.flow = slot
    job.pointee.key = UnsafeRawPointer(sessions.receiveKey(slot, lane: lane, context.aead))
    job.pointee.counter = counter
    job.pointee.data = (bytes + head).assumingMemoryBound(to: UInt8.self)
    job.pointee.tag = (bytes + (head &+ plain)).assumingMemoryBound(to: UInt8.self)
    job.pointee.length = UInt32(truncatingIfNeeded: plain)
    describeFlowData(job, header)
    return true
}

/// Sets the associated data of an end-to-end body: its routing header without flags and hop limit.
@inline(__always)
func describeFlowData(_ job: UnsafeMutablePointer<caead_job>, _ header: UnsafeRawPointer) {
    withUnsafeMutablePointer(to: &job.pointee.ad_inline) { inline in
        let ad = UnsafeMutableRawPointer(inline)
        RoutingHeader.writeAssociatedData(header, to: ad)
        job.pointee.ad = UnsafePointer(ad.assumingMemoryBound(to: UInt8.self))
    }
    job.pointee.ad_length = UInt32(RoutingHeader.size)
}

/// True when `source` is the peer's canonical address, or one of its /64 if that is its own alone.
@inline(__always)
func owns(_ peer: UnsafeMutablePointer<PeerRecord>, _ source: IPv6Address) -> Bool {
    guard peer.pointee.exists != 0 else { return false }
    return source == peer.pointee.address
        || (peer.pointee.ownsPrefix != 0 && source.high == peer.pointee.address.high)
}

/// Turns an opened plaintext into what it carries: an IPv6 packet to deliver, or a message that ends here.
/// True when it asks for a sign of life.
@inline(__always)
private func unwrap(
    _ packet: UnsafeMutablePointer<Descriptor>, _ header: UnsafeMutableRawPointer, _ plain: UnsafeMutablePointer<UInt8>,
    length: Int, _ context: borrowing StageContext, _ punts: inout PuntRings
) -> Bool {
    guard let content = FlowBody.contentLength(first: plain[0], length: length) else {
        packet.pointee.drop(.badPacket)
        return true
    }
    guard plain[0] & 15 == FlowBody.Kind.ipv6.rawValue else {
        return unwrapMessage(packet, header, plain, content: content, context, &punts)
    }
    // Content: 4 bytes of IPv6 header, next header, payload.
    guard content >= 5, plain[1] &>> 4 == 6, content &- 5 <= 65_535 else {
        packet.pointee.drop(.badPacket)
        return true
    }
    let payload = UnsafeMutableRawPointer(plain + FlowBody.elidedSize)
    let inner = payload - FlowBody.ipv6HeaderSize
    // The routing header overlaps the place of the new one: read all of it first.
    let first = UnsafeRawPointer(plain + 1).loadUnaligned(as: UInt32.self)
    let next = plain[5]
    let hopLimit = RoutingHeader.hopLimit(header) &- 1
    let source = RoutingHeader.source(header)
    let destination = RoutingHeader.destination(header)
    inner.storeBytes(of: first, as: UInt32.self)
    inner.storeBytes(of: UInt16(truncatingIfNeeded: content &- 5).bigEndian, toByteOffset: 4, as: UInt16.self)
    inner.storeBytes(of: next, toByteOffset: 6, as: UInt8.self)
    inner.storeBytes(of: hopLimit, toByteOffset: 7, as: UInt8.self)
    source.store(to: inner + 8)
    destination.store(to: inner + 24)
    let moved = inner - context.pool.base(packet.pointee.buffer)
    packet.pointee.offset = UInt32(truncatingIfNeeded: moved)
    packet.pointee.length = UInt32(truncatingIfNeeded: content &- 5 &+ FlowBody.ipv6HeaderSize)
    return true
}

/// Messages and control entries; they go from canonical to canonical address.
@inline(never)
private func unwrapMessage(
    _ packet: UnsafeMutablePointer<Descriptor>, _ header: UnsafeRawPointer, _ plain: UnsafeMutablePointer<UInt8>,
    content: Int, _ context: borrowing StageContext, _ punts: inout PuntRings
) -> Bool {
    let slot = packet.pointee.flow
    guard plain[0] & 15 == FlowBody.Kind.control.rawValue,
        RoutingHeader.destination(header) == context.ownAddress,
        let peer = context.peers[context.flowSessions.record(slot).pointee.owner],
        RoutingHeader.source(header) == peer.pointee.address
    else {
        packet.pointee.drop(plain[0] & 15 == FlowBody.Kind.message.rawValue ? .unsupported : .badPacket)
        return true
    }
    guard content > 0 else {
        // Empty: a keepalive or the confirmation of a session.
        packet.pointee.disposition = .punted
        return false
    }
    let arrival = context.arrivalLink(packet.pointee)
    if punts.flowControl(header, plain + 1, length: content, link: arrival) {
        packet.pointee.disposition = .punted
    } else {
        packet.pointee.drop(.puntFull)
    }
    return true
}
