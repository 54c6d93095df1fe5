import HyphaBase
import HyphaPacket
import HyphaSession
import HyphaWire

/// Decides about a packet from the TUN that goes as a stock body: size and key.
@inline(never)
func enterStock(
    _ packet: borrowing TunPacket, _ peer: UnsafeMutablePointer<PeerRecord>, _ link: UnsafeMutablePointer<LinkRecord>,
    _ linkID: UInt32, _ stock: inout StockEnds, _ context: borrowing StageContext, _ rejections: inout Rejections
) -> EntryVerdict {
    let whole = UnsafeRawBufferPointer(start: UnsafeRawPointer(packet.bytes), count: packet.length)
    guard stock.policy != .require else { return .drop(.downgrade) }
    let limit = Int(link.pointee.largestFrame(.stock))
    guard StockFrameSize.overhead + packet.largestPacket <= limit else {
        let room = max(IPv6MTU.minimum, limit - StockFrameSize.overhead)
        rejections.localError(.packetTooBig(mtu: UInt32(room)), about: whole, context)
        return .drop(.tooBig)
    }
    switch stock.key(for: peer, context) {
    case .slot(let key): return .enter(Entry(link: linkID, flow: Descriptor.stockFlow | key))
    case .limited: return .drop(.rateLimited)
    case .none:
        rejections.localError(.addressUnreachable, about: whole, context)
        return .drop(.noRoute)
    }
}

/// Builds the frames of segments `first`... of a packet from the TUN as stock bodies, ready for `sealStock`: routing
/// header, user header, the whole inner packet with its hop limit unchanged. Stops when the vector is full or no memory
/// is left, and returns the next segment to build. The layout is that of `sealStock`.
func buildStockFrames(
    _ packet: borrowing TunPacket, from first: Int, _ entry: Entry, _ vector: inout PacketVector,
    _ slab: inout FrameSlab, _ stock: borrowing StockEnds, _ context: borrowing StageContext
) -> Int {
    let ip = UnsafeRawPointer(packet.bytes)
    let hopLimit = IPv6Header.hopLimit(ip) &- 1
    let hash = IPv6Header.flowHash(ip, length: packet.length)
    let source = IPv6Header.source(ip)
    let destination = IPv6Header.destination(ip)
    var k = first
    while k < packet.segments {
        guard !vector.isFull else { break }
        let length = packet.packetLength(k)
        let size = StockFrameSize.overhead &+ length
        guard let place = slab.take(size) else { break }
        let bytes = context.pool.base(place.buffer) + Int(place.offset)
        RoutingHeader.write(
            bytes + LinkHeader.size, kind: .stock, hopLimit: hopLimit, flowHash: hash, source: source,
            destination: destination)
        let payload = bytes + StockFrameSize.payloadOffset
        StockUserHeader.write(payload, kind: .ipv6, mark: stock.mark)
        let inner = payload + StockUserHeader.size
        inner.copyMemory(from: ip, byteCount: IPv6Header.size)
        inner.storeBytes(
            of: UInt16(truncatingIfNeeded: length &- IPv6Header.size).bigEndian, toByteOffset: 4, as: UInt16.self)
        packet.writePayload(k, to: inner + IPv6Header.size)
        var descriptor = Descriptor(
            buffer: place.buffer, offset: place.offset, length: UInt32(truncatingIfNeeded: size), mode: .full)
        descriptor.link = entry.link
        descriptor.flow = entry.flow
        descriptor.lane = context.dataLane
        descriptor.disposition = .forward
        vector.append(descriptor)
        k &+= 1
    }
    return k
}
