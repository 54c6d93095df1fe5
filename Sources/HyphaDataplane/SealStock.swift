import CAEAD
import HyphaBase
import HyphaPacket
import HyphaSession
import HyphaWire

/// Seals the stock bodies that this node makes: user header, nonce, tag. Every packet whose `flow` names a key, in place,
/// in one call.
///
/// | off | size | field |
/// |---|---|---|
/// | 0 | 16 | link header, not looked at |
/// | 16 | 48 | routing header of type 4 |
/// | 64 | 4 | user header; its kind stands there already |
/// | 68 | N | content |
/// | 68 + N | 28 | tag, nonce |
/// | 96 + N | 16 | room for the link tag |
func sealStock(
    _ vector: PacketVector, _ stock: inout StockEnds, _ context: borrowing StageContext, _ punts: inout PuntRings
) {
    let jobs = context.jobs
    var count = 0
    for i in 0..<vector.count {
        let packet = vector.packets + i
        let flow = packet.pointee.flow
        guard packet.pointee.disposition == .forward, flow >= Descriptor.stockFlow, flow != .max else { continue }
        let slot = flow & ~Descriptor.stockFlow
        let content = Int(packet.pointee.length) &- StockFrameSize.overhead
        guard Int(slot) < stock.keys.count, content >= 0 else {
            packet.pointee.drop(.badPacket)
            continue
        }
        guard let nonce = stock.nonces.next() else {
            stock.checkNonces(&punts)
            packet.pointee.drop(.flowExpired)
            continue
        }
        let payload =
            context.pool.base(packet.pointee.buffer) + (Int(packet.pointee.offset) &+ StockFrameSize.payloadOffset)
        let kind = StockUserHeader.Kind(rawValue: payload.load(fromByteOffset: 1, as: UInt8.self))
        StockFlow.describeSeal(
            jobs + count, payload: payload, contentLength: content, kind: kind ?? .ipv6, mark: stock.mark,
            nonce: nonce, key: UnsafeRawPointer(stock.keys.key(slot)))
        stock.keys.peer(slot).pointee.exposure.sent &+= 1
        count &+= 1
    }
    guard count > 0 else { return }
    caead_seal(context.aead, jobs, count)
    for j in 0..<count { StockFlow.release(jobs + j) }
    context.counters.add(.stockSealed, count)
    stock.checkNonces(&punts)
}
