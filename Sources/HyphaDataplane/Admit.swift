import HyphaBase
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire

/// Commits the counters of opened packets to their replay windows, notes that their links live, and takes out what is
/// not a packet: keepalives and control messages. Of two pieces of a packet the first to come is taken out too, and the
/// other becomes the whole.
///
/// What stays undecided has a routing header at `offset` + 16.
func admit(
    _ vector: PacketVector, _ context: borrowing StageContext, _ punts: inout PuntRings,
    _ reassembly: inout Reassembly, _ slab: inout FrameSlab
) -> Bool {
    let sessions = context.linkSessions
    var livenessPending = false
    for i in 0..<vector.count {
        let packet = vector.packets + i
        guard packet.pointee.disposition == .undecided else { continue }
        let slot = packet.pointee.link
        guard
            sessions.admit(
                slot, lane: Int(packet.pointee.lane), counter: packet.pointee.counter, second: context.second)
        else {
            packet.pointee.drop(.replay)
            continue
        }
        let use = sessions.use(slot)
        use.pointee.received &+= 1
        let id = sessions.record(slot).pointee.owner
        if use.pointee.confirmed == 0, punts.notice(.linkSessionConfirmed, id: id, slot: slot) {
            use.pointee.confirmed = 1
        }
        let bytes = context.pool.base(packet.pointee.buffer) + Int(packet.pointee.offset)
        var isData = true
        var isPacket = true
        if packet.pointee.mode == .header {
            // A header-sealed body is end-to-end sealed data, nothing else, and only where this node takes it.
            if RoutingHeader.kind(bytes + LinkHeader.size) != .data
                || sessions.record(slot).pointee.ownModes & 2 == 0
            {
                packet.pointee.drop(.badFrame)
            }
        } else if packet.pointee.mode == .fragment {
            reassembly.take(packet, link: id, &slab, context)
        } else {
            let inner = Int(packet.pointee.length) &- LinkHeader.size &- LinkHeader.tagSize
            if inner == 0 {
                packet.pointee.disposition = .punted
                isData = false
                isPacket = false
            } else if (bytes + LinkHeader.size).load(as: UInt8.self) >= 0x80 {
                isPacket = false
                if punts.packet(.linkControl, bytes + LinkHeader.size, length: inner, link: id) {
                    packet.pointee.disposition = .punted
                } else {
                    packet.pointee.drop(.puntFull)
                }
            } else if inner < RoutingHeader.size {
                packet.pointee.drop(.badFrame)
            }
        }
        if let link = context.links[id] {
            link.pointee.liveness.received(isData: isData, now: context.now)
            link.pointee.use.received(isPacket: isPacket, now: context.now)
            livenessPending = livenessPending || isData
        }
    }
    return livenessPending
}
