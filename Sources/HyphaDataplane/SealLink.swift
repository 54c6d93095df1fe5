import CAEAD
import HyphaBase
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire

/// Gives every forwarded packet its link header: session of the egress link, lane, next counter. Checks the key's
/// limits here, on the way out, every time.
///
/// A `counter` other than zero names a session slot + 1 that the message must go under.
func stamp(_ vector: PacketVector, _ context: borrowing StageContext, _ punts: inout PuntRings) -> Bool {
    let sessions = context.linkSessions
    var livenessPending = false
    for i in 0..<vector.count {
        let packet = vector.packets + i
        guard packet.pointee.disposition == .forward else { continue }
        guard let link = context.links[packet.pointee.link] else {
            packet.pointee.drop(.linkDown)
            continue
        }
        if link.pointee.isStream != 0 {
            reframeForStream(packet, context)
            continue
        }
        let forced = packet.pointee.counter
        let slot = forced == 0 ? link.pointee.sendSlot : UInt32(truncatingIfNeeded: forced &- 1)
        guard slot != .max, sessions.use(slot).pointee.installed != 0 else {
            packet.pointee.drop(.linkDown)
            continue
        }
        let record = sessions.record(slot)
        let lane = packet.pointee.lane < record.pointee.lanes ? packet.pointee.lane : 0
        let next = sessions.sendCounter(slot, lane: Int(lane))
        let counter = next.pointee
        guard context.now < record.pointee.rejectAt,
            counter < SessionLimits.rejectCounter(suite: record.pointee.suite)
        else {
            packet.pointee.drop(.keyExpired)
            continue
        }
        if context.now >= record.pointee.rekeyAt || counter >= SessionLimits.rekeyCounter(suite: record.pointee.suite)
            || sessions.use(slot).pointee.failures >= SessionLimits.rekeyFailures(suite: record.pointee.suite)
        {
            askForRekey(sessions, slot, .linkRekeyDue, &punts)
        }
        next.pointee = counter &+ 1
        let bytes = context.pool.base(packet.pointee.buffer) + Int(packet.pointee.offset)
        LinkHeader.write(
            bytes, type: packet.pointee.mode.rawValue, lane: lane, index: record.pointee.remoteIndex, counter: counter)
        packet.pointee.counter = counter
        packet.pointee.lane = lane
        packet.pointee.flow = slot
        let isData = Int(packet.pointee.length) > LinkHeader.fullMinimum
        link.pointee.liveness.sent(isData: isData, now: context.now)
        // A control message begins with 0x80 or more, a routing header with less.
        if isData, packet.pointee.mode != .full || (bytes + LinkHeader.size).load(as: UInt8.self) < 0x80 {
            link.pointee.use.sentPacket(now: context.now)
        }
        livenessPending = livenessPending || isData
    }
    return livenessPending
}

/// Seals every stamped packet for its link in place. Stateless: key, nonce and bytes alone decide.
func sealLink(_ vector: PacketVector, _ context: borrowing StageContext) {
    let jobs = context.jobs
    var count = 0
    for i in 0..<vector.count {
        let packet = vector.packets + i
        guard packet.pointee.disposition == .forward, packet.pointee.mode != .stock else { continue }
        let bytes = context.pool.base(packet.pointee.buffer) + Int(packet.pointee.offset)
        let key = context.linkSessions.sendKey(
            packet.pointee.flow, lane: Int(packet.pointee.lane), context.aead)
        describe(
            jobs + count, bytes, length: Int(packet.pointee.length), mode: packet.pointee.mode,
            counter: packet.pointee.counter, key: key)
        count &+= 1
    }
    if count > 0 { caead_seal(context.aead, jobs, count) }
}
