import CAEAD
import HyphaBase
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire

/// Seals the end-to-end body of every forwarded packet that has an end-to-end session: gives it index and counter, then
/// encrypts the plaintext in place.
func sealFlow(
    _ vector: PacketVector, _ context: borrowing StageContext, _ punts: inout PuntRings, _ hints: ErrorHints
) {
    let jobs = context.jobs
    let sessions = context.flowSessions
    var count = 0
    for i in 0..<vector.count {
        let packet = vector.packets + i
        // Stock bodies and packets without an end-to-end seal of ours have other numbers.
        guard packet.pointee.disposition == .forward, packet.pointee.flow < Descriptor.stockFlow else { continue }
        let slot = packet.pointee.flow
        let record = sessions.record(slot)
        let bytes = context.pool.base(packet.pointee.buffer) + Int(packet.pointee.offset)
        let header = bytes + LinkHeader.size
        let lane = Int(RoutingHeader.flowHash(header) &>> 12)
        let next = sessions.sendCounter(slot, lane: lane)
        let counter = next.pointee
        guard sessions.use(slot).pointee.installed != 0, context.now < record.pointee.rejectAt,
            counter < SessionLimits.rejectCounter(suite: record.pointee.suite)
        else {
            packet.pointee.drop(.flowExpired)
            continue
        }
        if context.now >= record.pointee.rekeyAt || counter >= SessionLimits.rekeyCounter(suite: record.pointee.suite)
            || sessions.use(slot).pointee.failures >= SessionLimits.rekeyFailures(suite: record.pointee.suite)
        {
            askForRekey(sessions, slot, .flowRekeyDue, &punts)
        }
        sessions.noteSending(slot, now: context.now)
        next.pointee = counter &+ 1
        header.storeBytes(of: record.pointee.remoteIndex.littleEndian, toByteOffset: 4, as: UInt32.self)
        header.storeBytes(of: counter.littleEndian, toByteOffset: 8, as: UInt64.self)
        let head =
            LinkHeader.size &+ RoutingHeader.size &+ (packet.pointee.mode == .header ? LinkHeader.tagSize : 0)
        let trailer = FlowBody.tagSize &+ (packet.pointee.mode == .full ? LinkHeader.tagSize : 0)
        let plain = Int(packet.pointee.length) &- head &- trailer
        if RoutingHeader.hopLimit(header) < ErrorHints.tracedHopLimit {
            hints.remember(
                header, plain: bytes + head, length: plain, session: slot, counter: counter, now: context.now)
        }
        let job = jobs + count
        job.pointee.key = UnsafeRawPointer(sessions.sendKey(slot, lane: lane, context.aead))
        job.pointee.counter = counter
        job.pointee.data = (bytes + head).assumingMemoryBound(to: UInt8.self)
        job.pointee.tag = (bytes + (head &+ plain)).assumingMemoryBound(to: UInt8.self)
        job.pointee.length = UInt32(truncatingIfNeeded: plain)
        describeFlowData(job, header)
        count &+= 1
        if let peer = context.peers[record.pointee.owner] {
            // Kind 0 asks for a sign of life, the empty control body does not.
            let isData = (bytes + head).load(as: UInt8.self) & 15 == FlowBody.Kind.ipv6.rawValue
            peer.pointee.liveness.sent(isData: isData, now: context.now)
        }
    }
    if count > 0 { caead_seal(context.aead, jobs, count) }
}

/// Tells control once that a session should be renewed.
@inline(never)
func askForRekey(_ sessions: SessionTable, _ slot: UInt32, _ kind: Notice.Kind, _ punts: inout PuntRings) {
    let use = sessions.use(slot)
    guard use.pointee.rekeyAsked == 0 else { return }
    if punts.notice(kind, id: sessions.record(slot).pointee.owner, slot: slot) { use.pointee.rekeyAsked = 1 }
}
