import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire

/// Looks up the destination of every undecided packet and decides: forward, deliver here, punt, or drop with an answer.
///
/// The rules of the hop limit are those of every node of the overlay: below 2 ends the packet, every node takes one,
/// origin and destination too. A relay keeps the seal mode in which a packet arrived, unless the packet or the link
/// asks for the full seal.
func route(
    _ vector: PacketVector, _ scratch: RouteScratch, _ context: borrowing StageContext, _ punts: inout PuntRings,
    _ rejections: inout Rejections, _ hints: ErrorHints, _ stock: inout StockEnds
) {
    let count = scratch.lookUp(vector, context)
    guard count > 0 else { return }
    for i in 0..<vector.count {
        let packet = vector.packets + i
        guard packet.pointee.disposition == .undecided else { continue }
        let bytes = context.pool.base(packet.pointee.buffer) + Int(packet.pointee.offset)
        let header = bytes + LinkHeader.size
        let isStock = packet.pointee.mode == .stock
        guard let kind = isStock ? .stock : RoutingHeader.kind(header) else {
            packet.pointee.drop(.badFrame)
            continue
        }
        let frame = header + (RoutingHeader.size - StockData.headerSize)
        let hopLimit = isStock ? StockData.hopLimit(frame) : RoutingHeader.hopLimit(header)
        guard hopLimit >= 2 else {
            rejections.refuse(.hopLimit, kind: kind, packet.pointee, &stock, context, &punts)
            packet.pointee.drop(.hopLimit)
            continue
        }
        let nextHop = usableHop(scratch.nextHop(i), for: packet, context)
        switch nextHop.kind {
        case .link:
            guard let link = context.links[nextHop.link], link.pointee.isUsable else {
                rejections.refuse(.noRoute, kind: kind, packet.pointee, &stock, context, &punts)
                packet.pointee.drop(.linkDown)
                continue
            }
            let limit = link.pointee.largestFrame(kind)
            guard packet.pointee.length <= limit else {
                let room = Int(limit) &- LinkHeader.size &- RoutingHeader.size &- LinkHeader.tagSize
                rejections.refuse(
                    .tooBig, value: UInt16(clamping: max(0, room)), kind: kind, packet.pointee, &stock, context, &punts)
                packet.pointee.drop(.tooBig)
                continue
            }
            if isStock {
                StockData.setHopLimit(frame, hopLimit &- 1)
            } else {
                RoutingHeader.setHopLimit(header, hopLimit &- 1)
            }
            if packet.pointee.mode == .header, link.pointee.isStream == 0 {
                let accepted = context.linkSessions.record(link.pointee.sendSlot).pointee.peerModes & 2 != 0
                if !accepted || link.pointee.fullOnly != 0 || RoutingHeader.wantsFullSeal(header) {
                    makeRoomForFullSeal(bytes, length: Int(packet.pointee.length))
                    packet.pointee.mode = .full
                }
            }
            if nextHop.isAgeing {
                context.routeUse.note(RoutingHeader.destination(header).high, now: context.now)
            }
            // What this node made itself goes on the control lane.
            packet.pointee.lane = packet.pointee.link == .max ? 0 : context.dataLane
            packet.pointee.link = nextHop.link
            packet.pointee.counter = 0
            packet.pointee.disposition = .forward
        case .local where packet.pointee.link == .max:
            packet.pointee.drop(.noListener)
        case .local:
            switch kind {
            case .data:
                // `openFlow` takes its hop, after it may have quoted the header as it arrived.
                packet.pointee.disposition = .deliver
            case .initiation, .response, .cookie, .error:
                RoutingHeader.setHopLimit(header, hopLimit &- 1)
                let length =
                    Int(packet.pointee.length) &- LinkHeader.size
                    &- (packet.pointee.mode == .full ? LinkHeader.tagSize : 0)
                let id = context.arrivalLink(packet.pointee)
                if RoutingHeader.destination(header) != context.ownAddress {
                    packet.pointee.drop(.noListener)
                } else if kind == .error, hints.take(header, length: length, context, &rejections) {
                    packet.pointee.disposition = .punted
                } else if punts.packet(.overlay, header, length: length, link: id) {
                    packet.pointee.disposition = .punted
                } else {
                    packet.pointee.drop(.puntFull)
                }
            case .stock:
                // Over HL1, too, it is from here on what it would be had it come in a stock frame. `openStock` takes its hop.
                let body = Int(packet.pointee.length) &- StockFrameSize.framing
                if !isStock, !NativePayload.writeStockFrame(frame, from: header, bodyLength: body) {
                    packet.pointee.drop(.badFrame)
                    continue
                }
                packet.pointee.mode = .stock
                packet.pointee.disposition = .deliver
            }
        case .none, .unreachable:
            rejections.refuse(.noRoute, kind: kind, packet.pointee, &stock, context, &punts)
            packet.pointee.drop(.noRoute)
        }
    }
}

/// Moves the body of a header-sealed packet forward, behind the routing header, so that the link's tag can stand at
/// the end. The packet keeps its length.
@inline(never)
private func makeRoomForFullSeal(_ bytes: UnsafeMutableRawPointer, length: Int) {
    let head = LinkHeader.size + RoutingHeader.size
    let body = length - head - LinkHeader.tagSize
    guard body > 0 else { return }
    (bytes + head).copyMemory(from: bytes + (head + LinkHeader.tagSize), byteCount: body)
}
