import CAEAD
import HyphaBase
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire

/// Takes the stock frames for this node (`SealMode.stock`) as far as they end here: what they carry natively goes on to
/// `openFlow` or control, stock bodies are opened in place and turned into inner packets. Runs before `openFlow`.
///
/// Checked in this order: native payload, session policy, key of the source, own nonce, the seal, nonces that came before,
/// inner addresses, negotiation. A packet that stays `deliver` in the mode `stock` is an inner packet at `offset`.
///
/// The frame's own header is this node's to write on; its hop limit is the one it arrived with. Frames whose source is
/// not known wait for a route if `mayWait`.
func openStock(
    _ vector: PacketVector, _ stock: inout StockEnds, _ context: borrowing StageContext, _ punts: inout PuntRings,
    _ rejections: inout Rejections, _ hints: ErrorHints, hasTun: Bool, mayWait: Bool = true
) {
    let jobs = context.jobs
    var count = 0
    var sender = StockSender()
    for i in 0..<vector.count {
        let packet = vector.packets + i
        guard packet.pointee.disposition == .deliver, packet.pointee.mode == .stock else { continue }
        if describeStock(packet, jobs + count, &sender, &stock, context, &punts, mayWait: mayWait) {
            context.jobPackets[count] = UInt16(truncatingIfNeeded: i)
            count &+= 1
        }
    }
    guard count > 0 else { return }
    caead_open(context.aead, jobs, count)
    var opened = 0
    var reports = 0
    for j in 0..<count {
        StockFlow.release(jobs + j)
        let index = context.jobPackets[j]
        let packet = vector.packets + Int(index)
        guard jobs[j].ok != 0 else {
            packet.pointee.drop(packet.pointee.lane == looksNative ? .unknownSession : .badFlowAuth)
            continue
        }
        opened &+= 1
        if unwrapStock(packet, &stock, context, &punts, &rejections, hints, hasTun: hasTun) {
            // Their quotes are opened next. No place behind j is written here.
            context.jobPackets[reports] = index
            reports &+= 1
        }
    }
    context.counters.add(.stockOpened, opened)
    if reports > 0 { openReports(vector, reports, &stock, context) }
}

/// In `lane` of a frame whose payload begins like a native one, though no session knows it. Lanes are below 16.
private let looksNative: UInt8 = 0xFE

/// First byte of the stock frame that a descriptor of the mode `stock` stands for.
@inline(__always)
func stockFrame(
    _ packet: UnsafeMutablePointer<Descriptor>, _ context: borrowing StageContext
) -> UnsafeMutableRawPointer {
    context.pool.base(packet.pointee.buffer) + (Int(packet.pointee.offset) &+ Int(Descriptor.stockLead))
}

/// Finds the key of a frame's source and describes its AEAD call. False when the frame goes another way or ends.
///
/// From here on `flow` is the slot of the key, and `counter` the id of the peer.
@inline(__always)
private func describeStock(
    _ packet: UnsafeMutablePointer<Descriptor>, _ job: UnsafeMutablePointer<caead_job>, _ sender: inout StockSender,
    _ stock: inout StockEnds, _ context: borrowing StageContext, _ punts: inout PuntRings, mayWait: Bool
) -> Bool {
    let frame = stockFrame(packet, context)
    let payload = frame + StockData.headerSize
    let length = Int(packet.pointee.length) &- StockFrameSize.framing
    guard length >= 0 else {
        packet.pointee.drop(.badLength)
        return false
    }
    packet.pointee.lane = 0
    if NativePayload.isNative(payload, length: length) {
        if takeNative(packet, frame, length: length, context, &punts) { return false }
        packet.pointee.lane = looksNative
    }
    guard stock.policy != .require else {
        packet.pointee.drop(.downgrade)
        return false
    }
    let source = StockData.source(frame)
    if !sender.isKnown || sender.address != source {
        sender.look(source, &stock, context)
    }
    switch sender.answer {
    case .slot(let slot):
        if let why = StockFlow.describeOpen(
            job, payload: payload, length: length, key: UnsafeRawPointer(stock.keys.key(slot)), own: stock.prefixes)
        {
            packet.pointee.drop(packet.pointee.lane == looksNative ? .unknownSession : why.dropReason)
            return false
        }
        packet.pointee.flow = slot
        packet.pointee.counter = UInt64(sender.peer)
        return true
    case .limited: packet.pointee.drop(.rateLimited)
    case .none: takeUnknown(packet, frame, source, sender, &stock, context, &punts, mayWait: mayWait)
    }
    return false
}

/// A frame whose source has no key here.
@inline(never)
private func takeUnknown(
    _ packet: UnsafeMutablePointer<Descriptor>, _ frame: UnsafeMutableRawPointer, _ source: IPv6Address,
    _ sender: StockSender, _ stock: inout StockEnds, _ context: borrowing StageContext, _ punts: inout PuntRings,
    mayWait: Bool
) {
    guard source.high != context.ownAddress.high else {
        // Nobody else speaks for this node.
        packet.pointee.drop(.badSource)
        return
    }
    let isNative = packet.pointee.lane == looksNative
    guard mayWait, context.asksForRoutes, sender.peer == .max else {
        packet.pointee.drop(isNative ? .unknownSession : .unknownSource)
        return
    }
    stock.questions.ask(source.high, now: context.now, &punts)
    guard !isNative else {
        packet.pointee.drop(.unknownSession)
        return
    }
    let length = Int(packet.pointee.length) &- Int(Descriptor.stockExcess)
    if stock.waiting.park(frame, length: length, packets: 1, for: source.high, now: context.now) {
        packet.pointee.disposition = .parked
    } else {
        packet.pointee.drop(.parkFull)
    }
}

/// A native packet in a stock frame (docs/protocol.md, "Native packets in stock frames"): handshakes go to control, data
/// of a known session becomes what it would be had it come over HL1. False when it is neither.
@inline(never)
private func takeNative(
    _ packet: UnsafeMutablePointer<Descriptor>, _ frame: UnsafeMutableRawPointer, length: Int,
    _ context: borrowing StageContext, _ punts: inout PuntRings
) -> Bool {
    let payload = frame + StockData.headerSize
    let body = payload + NativePayload.headerSize
    let bodyLength = length &- NativePayload.headerSize
    // The rebuilt routing header ends where the body begins: all of it lies inside the frame's own header.
    let header = body - RoutingHeader.size
    guard let kind = RoutingHeader.Kind(rawValue: payload.load(fromByteOffset: 4, as: UInt8.self) &>> 4) else {
        return false
    }
    let exact: Int
    switch kind {
    case .data:
        let index = UInt32(littleEndian: payload.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
        let sessions = context.flowSessions
        guard index != 0, let slot = sessions.slot(index: index),
            let peer = context.peers[sessions.record(slot).pointee.owner], owns(peer, StockData.source(frame))
        else { return false }
        NativePayload.writeRoutingHeader(header, from: frame)
        packet.pointee.offset &+= UInt32(NativePayload.headerSize)
        packet.pointee.length &-= UInt32(NativePayload.headerSize)
        packet.pointee.mode = .full
        return true
    case .initiation: exact = LinkHeader.initiationSize
    case .response: exact = LinkHeader.responseSize
    case .cookie: exact = LinkHeader.cookieSize
    case .stock, .error: return false
    }
    guard bodyLength == exact, body.load(as: UInt8.self) == kind.rawValue,
        StockData.destination(frame) == context.ownAddress
    else { return false }
    NativePayload.writeRoutingHeader(header, from: frame)
    RoutingHeader.setHopLimit(header, RoutingHeader.hopLimit(header) &- 1)
    if punts.packet(
        .overlay, header, length: RoutingHeader.size &+ bodyLength, link: context.arrivalLink(packet.pointee))
    {
        packet.pointee.disposition = .punted
    } else {
        packet.pointee.drop(.puntFull)
    }
    return true
}

/// Turns an opened payload into what it carries. True when it is a report whose quote has to be opened.
@inline(__always)
private func unwrapStock(
    _ packet: UnsafeMutablePointer<Descriptor>, _ stock: inout StockEnds, _ context: borrowing StageContext,
    _ punts: inout PuntRings, _ rejections: inout Rejections, _ hints: ErrorHints, hasTun: Bool
) -> Bool {
    let frame = stockFrame(packet, context)
    let payload = frame + StockData.headerSize
    let length = Int(packet.pointee.length) &- StockFrameSize.framing
    let slot = packet.pointee.flow
    let known = stock.keys.peer(slot)
    guard
        stock.duplicates.admit(
            StockFlow.nonce(payload, length: length), owner: slot, place: &known.pointee.duplicates)
    else {
        packet.pointee.drop(StockRefusal.duplicate.dropReason)
        return false
    }
    known.pointee.exposure.received &+= 1
    if known.pointee.exposure.isCheckDue, known.pointee.exposure.isHigh {
        punts.notice(.peerExposed, id: UInt32(truncatingIfNeeded: packet.pointee.counter))
    }
    let source = StockData.source(frame)
    let (body, mark) = StockFlow.unwrap(
        payload, length: length, source: source, destination: StockData.destination(frame),
        hopLimit: StockData.hopLimit(frame) &- 1)
    if case .refused(let why) = body {
        packet.pointee.drop(why.dropReason)
        return false
    }
    guard accepts(UInt32(truncatingIfNeeded: packet.pointee.counter), mark, context, &punts) else {
        packet.pointee.drop(.downgrade)
        return false
    }
    switch body {
    case .packet(let offset, let inner):
        deliver(packet, offset: offset, length: inner)
        guard hasTun else {
            let start = context.pool.base(packet.pointee.buffer) + Int(packet.pointee.offset)
            rejections.remoteError(
                .addressUnreachable, about: UnsafeRawBufferPointer(start: start, count: inner), context)
            packet.pointee.drop(.noListener)
            return false
        }
    case .report:
        guard hasTun else {
            packet.pointee.drop(.noListener)
            return false
        }
        return true
    case .nativeReport(let report, let offset):
        let quote = payload + (offset &+ StockICMP.headerSize)
        if hints.take(report, quote: quote, from: source, context, &rejections) {
            packet.pointee.disposition = .punted
        } else {
            packet.pointee.drop(.unknownSession)
        }
    case .message: packet.pointee.drop(.unsupported)
    case .refused: break
    }
    return false
}

/// Moves a descriptor to an inner packet, `offset` bytes into the payload.
@inline(__always)
private func deliver(_ packet: UnsafeMutablePointer<Descriptor>, offset: Int, length: Int) {
    packet.pointee.offset &+= UInt32(truncatingIfNeeded: StockFrameSize.payloadOffset &+ offset)
    packet.pointee.length = UInt32(truncatingIfNeeded: length)
}

/// Whether the session policy takes a stock body of peer `id`; notes what its mark says.
@inline(__always)
private func accepts(
    _ id: UInt32, _ mark: NativeMark?, _ context: borrowing StageContext, _ punts: inout PuntRings
) -> Bool {
    guard let peer = context.peers[id] else { return false }
    if peer.pointee.isPlain != 0, mark == nil { return true }
    return negotiateArrival(id, peer, mark, context, &punts)
}

@inline(never)
private func negotiateArrival(
    _ id: UInt32, _ peer: UnsafeMutablePointer<PeerRecord>, _ mark: NativeMark?, _ context: borrowing StageContext,
    _ punts: inout PuntRings
) -> Bool {
    let decision = peer.pointee.decide(.stockBodyOpened(mark: mark), now: context.now)
    if decision.startsHandshake { punts.notice(.flowNeeded, id: id) }
    if peer.pointee.negotiation.isMarked, peer.pointee.isMarkTold == 0, punts.notice(.peerMarked, id: id) {
        peer.pointee.isMarkTold = 1
    }
    return decision.fate == .accept
}

/// Opens what out-of-band reports quote, this node's own bodies, and makes ICMPv6 packets of them for the TUN. The first
/// `count` of `jobPackets` are reports that opened.
@inline(never)
private func openReports(
    _ vector: PacketVector, _ count: Int, _ stock: inout StockEnds, _ context: borrowing StageContext
) {
    let jobs = context.jobs
    var quotes = 0
    for j in 0..<count {
        let index = context.jobPackets[j]
        let packet = vector.packets + Int(index)
        let content = reportContent(packet, context)
        guard let report = parseReport(packet, content) else {
            packet.pointee.drop(.badPacket)
            continue
        }
        // Nothing but the key of the node that the quoted body was for opens it.
        guard let id = stock.peer(of: report.target, context), let peer = context.peers[id] else {
            packet.pointee.drop(.unknownSource)
            continue
        }
        switch stock.key(for: peer, context) {
        case .none: packet.pointee.drop(.unknownSource)
        case .limited: packet.pointee.drop(.rateLimited)
        case .slot(let slot):
            if let why = StockFlow.describeQuote(
                jobs + quotes, content: content, report: report, key: UnsafeRawPointer(stock.keys.key(slot)))
            {
                packet.pointee.drop(why.dropReason)
            } else {
                context.jobPackets[quotes] = index
                quotes &+= 1
            }
        }
    }
    guard quotes > 0 else { return }
    caead_open(context.aead, jobs, quotes)
    for j in 0..<quotes {
        StockFlow.release(jobs + j)
        let packet = vector.packets + Int(context.jobPackets[j])
        let content = reportContent(packet, context)
        guard jobs[j].ok != 0, let report = parseReport(packet, content) else {
            packet.pointee.drop(.badFlowAuth)
            continue
        }
        let frame = stockFrame(packet, context)
        let body = StockFlow.unwrapQuote(
            content, report: report, source: StockData.source(frame), destination: StockData.destination(frame),
            hopLimit: StockData.hopLimit(frame) &- 1)
        switch body {
        case .packet(let offset, let length):
            deliver(packet, offset: StockUserHeader.size &+ offset, length: length)
        case .refused(let why): packet.pointee.drop(why.dropReason)
        case .message, .report, .nativeReport: packet.pointee.drop(.badPacket)
        }
    }
}

private func reportContent(
    _ packet: UnsafeMutablePointer<Descriptor>, _ context: borrowing StageContext
) -> UnsafeMutableRawPointer {
    stockFrame(packet, context) + (StockData.headerSize &+ StockUserHeader.size)
}

private func parseReport(
    _ packet: UnsafeMutablePointer<Descriptor>, _ content: UnsafeMutableRawPointer
) -> StockICMP.Report? {
    StockICMP.parse(content, length: Int(packet.pointee.length) &- StockFrameSize.overhead)
}
