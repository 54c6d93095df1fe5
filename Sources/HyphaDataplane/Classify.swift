import HyphaBase
import HyphaPacket
import HyphaSession
import HyphaWire

/// First stage for datagrams: type and length, then the session by receiver index, its lane, age, counter limit and
/// replay window (read only). Handshakes are punted. Nothing is decrypted here.
///
/// All packets from `start` on came from `sender` through `socket`.
func classify(
    _ vector: PacketVector, from start: Int, sender: SocketAddress, socket: UInt8, _ context: borrowing StageContext,
    _ punts: inout PuntRings
) {
    let sessions = context.linkSessions
    var lastIndex: UInt32 = 0
    var lastSlot: UInt32 = .max
    for i in start..<vector.count {
        let packet = vector.packets + i
        let bytes = UnsafeRawPointer(context.pool.base(packet.pointee.buffer) + Int(packet.pointee.offset))
        let length = Int(packet.pointee.length)
        switch LinkHeader.check(bytes, length: length) {
        case .full: packet.pointee.mode = .full
        case .header: packet.pointee.mode = .header
        case .fragment: packet.pointee.mode = .fragment
        case .handshake:
            if punts.handshake(bytes, length: length, sender: sender, socket: socket) {
                packet.pointee.disposition = .punted
            } else {
                packet.pointee.drop(.puntFull)
            }
            continue
        case .unsupported:
            packet.pointee.drop(.unsupported)
            continue
        case .badLength:
            packet.pointee.drop(.badLength)
            continue
        case .badType:
            packet.pointee.drop(.badType)
            continue
        }
        let index = LinkHeader.index(bytes)
        if index != lastIndex || lastSlot == .max {
            guard index != 0, let slot = sessions.slot(index: index) else {
                packet.pointee.drop(.unknownIndex)
                continue
            }
            lastIndex = index
            lastSlot = slot
        }
        let record = sessions.record(lastSlot)
        let lane = LinkHeader.lane(bytes)
        guard lane < record.pointee.lanes else {
            packet.pointee.drop(.badLane)
            continue
        }
        let counter = LinkHeader.counter(bytes)
        guard context.now < record.pointee.rejectAt,
            counter < SessionLimits.rejectCounter(suite: record.pointee.suite),
            sessions.use(lastSlot).pointee.failures < SessionLimits.rejectFailures
        else {
            packet.pointee.drop(.keyExpired)
            continue
        }
        let window = sessions.window(lastSlot, lane: Int(lane))
        guard window.pointee.isFresh(counter, sessions.bitmap(lastSlot, lane: Int(lane))) else {
            packet.pointee.drop(.replay)
            continue
        }
        packet.pointee.link = lastSlot
        packet.pointee.lane = lane
        packet.pointee.counter = counter
    }
}
