import CAEAD
import HyphaPacket
import HyphaSession
import HyphaWire

/// Opens the link seal of every undecided packet in place: the whole message (types 4 and 6) or the routing header (5).
///
/// Stateless: key, nonce and bytes alone decide. Packets that do not open are dropped.
func openLink(_ vector: PacketVector, _ context: borrowing StageContext) {
    let jobs = context.jobs
    var count = 0
    for i in 0..<vector.count {
        let packet = vector.packets + i
        guard packet.pointee.disposition == .undecided else { continue }
        let bytes = context.pool.base(packet.pointee.buffer) + Int(packet.pointee.offset)
        let key = context.linkSessions.receiveKey(
            packet.pointee.link, lane: Int(packet.pointee.lane), context.aead)
        describe(
            jobs + count, bytes, length: Int(packet.pointee.length), mode: packet.pointee.mode,
            counter: packet.pointee.counter, key: key)
        context.jobPackets[count] = UInt16(truncatingIfNeeded: i)
        count &+= 1
    }
    guard count > 0 else { return }
    caead_open(context.aead, jobs, count)
    for j in 0..<count where jobs[j].ok == 0 {
        let packet = vector.packets + Int(context.jobPackets[j])
        context.linkSessions.use(packet.pointee.link).pointee.failures &+= 1
        packet.pointee.drop(.badAuth)
    }
}

/// The AEAD call of one link packet, in either direction (docs/protocol.md, "Keys, labels and associated data").
///
/// | mode | plaintext | associated data | tag |
/// |---|---|---|---|
/// | full, fragment | behind the header | header 16 | last 16 bytes |
/// | header | routing header 48 | header 16, body length 2, body's last 16 | behind the routing header |
@inline(__always)
func describe(
    _ job: UnsafeMutablePointer<caead_job>, _ bytes: UnsafeMutableRawPointer, length: Int, mode: SealMode,
    counter: UInt64, key: UnsafeMutableRawPointer
) {
    job.pointee.key = UnsafeRawPointer(key)
    job.pointee.counter = counter
    job.pointee.data = (bytes + LinkHeader.size).assumingMemoryBound(to: UInt8.self)
    if mode != .header {
        job.pointee.length = UInt32(truncatingIfNeeded: length &- LinkHeader.size &- LinkHeader.tagSize)
        job.pointee.tag = (bytes + (length &- LinkHeader.tagSize)).assumingMemoryBound(to: UInt8.self)
        job.pointee.ad = UnsafePointer(bytes.assumingMemoryBound(to: UInt8.self))
        job.pointee.ad_length = 16
        return
    }
    let headSize = LinkHeader.size &+ RoutingHeader.size &+ LinkHeader.tagSize
    job.pointee.length = UInt32(RoutingHeader.size)
    job.pointee.tag = (bytes + (LinkHeader.size &+ RoutingHeader.size)).assumingMemoryBound(to: UInt8.self)
    withUnsafeMutablePointer(to: &job.pointee.ad_inline) { inline in
        let ad = UnsafeMutableRawPointer(inline)
        ad.copyMemory(from: bytes, byteCount: 16)
        ad.storeBytes(
            of: UInt16(truncatingIfNeeded: length &- headSize).littleEndian, toByteOffset: 16, as: UInt16.self)
        (ad + 18).copyMemory(from: bytes + (length &- 16), byteCount: 16)
        job.pointee.ad = UnsafePointer(ad.assumingMemoryBound(to: UInt8.self))
    }
    job.pointee.ad_length = 34
}
