import HyphaBase
import HyphaPacket
import HyphaWire

/// Copies stock frames that go on over HL1 behind the headers they need there: the bytes in front of a frame may belong
/// to another packet. The payload travels unread as a body of type 4.
func reframeForLinks(_ vector: PacketVector, _ slab: inout FrameSlab, _ context: borrowing StageContext) {
    for i in 0..<vector.count {
        let packet = vector.packets + i
        guard packet.pointee.mode == .stock, packet.pointee.disposition == .forward,
            let link = context.links[packet.pointee.link], link.pointee.isStream == 0
        else { continue }
        let size = Int(packet.pointee.length)
        guard let place = slab.take(size) else {
            packet.pointee.drop(.noBuffer)
            continue
        }
        let frame =
            context.pool.base(packet.pointee.buffer) + Int(packet.pointee.offset &+ Descriptor.stockLead)
        let header = context.pool.base(place.buffer) + Int(place.offset) + LinkHeader.size
        NativePayload.writeStockRoutingHeader(header, from: frame, flowHash: addressHash(frame))
        let body = size &- LinkHeader.size &- RoutingHeader.size &- LinkHeader.tagSize
        (header + RoutingHeader.size).copyMemory(from: frame + StockData.headerSize, byteCount: body)
        packet.pointee.buffer = place.buffer
        packet.pointee.offset = place.offset
        packet.pointee.mode = .full
    }
}

/// A flow hash out of the outer addresses, all that can be read of a stock packet.
@inline(__always)
private func addressHash(_ frame: UnsafeRawPointer) -> UInt16 {
    let source = StockData.source(frame)
    let destination = StockData.destination(frame)
    var hash = (source.high ^ source.low) &* 0x9E37_79B9_7F4A_7C15
    hash = (hash ^ hash &>> 32 ^ destination.high ^ destination.low) &* 0xD6E8_FEB8_6659_FD93
    return UInt16(truncatingIfNeeded: hash &>> 48)
}

/// Turns a packet that leaves by a TCP link into the stock frame that it is there, in place.
///
/// | routing type | frame |
/// |---|---|
/// | 0 to 3 | `NativePayload`: 60 bytes that end where the body begins |
/// | 4 | the body is the payload: 40 bytes that end where the routing header ends |
/// | 5 | does not travel on TCP |
@inline(__always)
func reframeForStream(_ packet: UnsafeMutablePointer<Descriptor>, _ context: borrowing StageContext) {
    guard packet.pointee.mode != .stock else { return }
    let bytes = context.pool.base(packet.pointee.buffer) + Int(packet.pointee.offset)
    let header = bytes + LinkHeader.size
    let overhead = LinkHeader.size &+ RoutingHeader.size &+ LinkHeader.tagSize
    let bodyLength = Int(packet.pointee.length) &- overhead
    guard let kind = RoutingHeader.kind(header), kind != .error else {
        packet.pointee.drop(.unsupported)
        return
    }
    let bodyOffset =
        LinkHeader.size &+ RoutingHeader.size &+ (packet.pointee.mode == .header ? LinkHeader.tagSize : 0)
    let headSize = kind == .stock ? StockData.headerSize : NativePayload.frameHeaderSize
    let frame = bytes + (bodyOffset &- headSize)
    let isWritten =
        kind == .stock
        ? NativePayload.writeStockFrame(frame, from: header, bodyLength: bodyLength)
        : NativePayload.write(frame, from: header, bodyLength: bodyLength)
    guard isWritten else {
        packet.pointee.drop(.tooBig)
        return
    }
    let start = Int(packet.pointee.offset) &+ bodyOffset &- headSize
    packet.pointee.offset = UInt32(truncatingIfNeeded: start) &- Descriptor.stockLead
    packet.pointee.length =
        UInt32(truncatingIfNeeded: headSize &+ bodyLength) &+ Descriptor.stockExcess
    packet.pointee.mode = .stock
}
