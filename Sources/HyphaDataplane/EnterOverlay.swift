import HyphaBase
import HyphaFIB
import HyphaPacket
import HyphaSession
import HyphaWire

/// Where an inner packet came from.
enum InnerOrigin {
    case tun
    /// An answer of this node.
    case own
    /// It waited for a session.
    case parked
    /// It waited for a session, and goes as a stock body if there is none now.
    case released
    /// It waited for a route.
    case routed

    /// Whether it may wait for a route: not again, and not what this node made itself.
    var mayAwaitRoute: Bool {
        switch self {
        case .tun, .parked, .released: true
        case .own, .routed: false
        }
    }
}

/// Where a packet from the TUN goes.
struct Entry {
    var link: UInt32
    /// End-to-end session slot to seal with, or `Descriptor.stockFlow` and the slot of a key for stock bodies.
    var flow: UInt32

    var isStock: Bool { flow >= Descriptor.stockFlow }
}

/// What becomes of one read of the TUN.
enum EntryVerdict {
    case enter(Entry)
    /// There is no session with this peer, which may speak native: its negotiation says what happens.
    case negotiate(peer: UInt32)
    /// Waits for a route to its destination.
    case awaitRoute(prefix: UInt64)
    case drop(DropReason)
}

/// Decides about a packet from the TUN: own source, hop limit, route, session, size. Answers with ICMPv6 what cannot go.
func classifyTun(
    _ packet: borrowing TunPacket, from origin: InnerOrigin, _ stock: inout StockEnds,
    _ context: borrowing StageContext, _ rejections: inout Rejections
) -> EntryVerdict {
    let bytes = UnsafeRawPointer(packet.bytes)
    let whole = UnsafeRawBufferPointer(start: bytes, count: packet.length)
    let destination = IPv6Header.destination(bytes)
    // 400::/7 is the overlay; the kernel also sends its own multicast here.
    guard destination.high &>> 57 == 0x02 else { return .drop(.notOverlay) }
    guard IPv6Header.source(bytes).high == context.ownAddress.high else { return .drop(.badSource) }
    guard IPv6Header.hopLimit(bytes) >= 2 else {
        rejections.localError(.timeExceeded, about: whole, context)
        return .drop(.hopLimit)
    }
    let nextHop = usableHop(context.fib.lookup(destination), context)
    if nextHop.isAgeing { context.routeUse.note(destination.high, now: context.now) }
    switch nextHop.kind {
    case .none, .unreachable:
        // What was lost a moment ago is asked for like what was never there.
        if context.asksForRoutes, origin.mayAwaitRoute { return .awaitRoute(prefix: destination.high) }
        rejections.localError(.noRoute, about: whole, context)
        return .drop(.noRoute)
    case .local:
        rejections.localError(.addressUnreachable, about: whole, context)
        return .drop(.noListener)
    case .link: break
    }
    guard let link = context.links[nextHop.link], link.pointee.isUsable else {
        rejections.localError(.noRoute, about: whole, context)
        return .drop(.linkDown)
    }
    let known = context.peers[nextHop.peer]
    if let peer = known, peer.pointee.exists != 0, peer.pointee.sendSlot == .max,
        peer.pointee.isPlain != 0 || origin == .released
    {
        return enterStock(packet, peer, link, nextHop.link, &stock, context, &rejections)
    }
    let frame = frameSize(innerLength: packet.largestPacket)
    let limit = Int(link.pointee.largestFrame(.data))
    guard frame <= limit else {
        // The largest inner packet that fits is not padded: 256 bytes of plaintext and more are not.
        let room = max(IPv6MTU.minimum, limit - frameSize(innerLength: 1_280) + 1_280)
        rejections.localError(.packetTooBig(mtu: UInt32(room)), about: whole, context)
        return .drop(.tooBig)
    }
    guard let peer = known, peer.pointee.exists != 0 else {
        rejections.localError(.noRoute, about: whole, context)
        return .drop(.noRoute)
    }
    if peer.pointee.maxBody != .max {
        if context.now >= peer.pointee.maxBodyUntil {
            peer.pointee.maxBody = .max
        } else if FlowBody.bodySize(innerLength: packet.largestPacket) > Int(peer.pointee.maxBody) {
            // A body of n bytes holds an inner packet of n + 18.
            let room = Int(peer.pointee.maxBody) - FlowBody.bodySize(innerLength: 1_280) + 1_280
            rejections.localError(
                .packetTooBig(mtu: UInt32(max(IPv6MTU.minimum, room))), about: whole, context)
            return .drop(.tooBig)
        }
    }
    if context.now < peer.pointee.noRouteUntil { rejections.localError(.noRoute, about: whole, context) }
    guard peer.pointee.sendSlot != .max else { return .negotiate(peer: nextHop.peer) }
    return .enter(Entry(link: nextHop.link, flow: peer.pointee.sendSlot))
}

/// The smallest MTU of IPv6 (RFC 8200 section 5).
enum IPv6MTU {
    static let minimum = 1_280
}

/// Bytes on the wire of an inner packet of `innerLength` bytes, in either seal mode.
@inline(__always)
func frameSize(innerLength: Int) -> Int {
    LinkHeader.size &+ RoutingHeader.size &+ LinkHeader.tagSize &+ FlowBody.bodySize(innerLength: innerLength)
}

/// How a packet that enters here is sealed on its first link: the node's choice or the link's, and full where the
/// neighbour does not take the other.
@inline(__always)
private func entryMode(_ id: UInt32, _ context: borrowing StageContext) -> SealMode {
    guard let link = context.links[id], link.pointee.fullOnly == 0, link.pointee.isStream == 0 else { return .full }
    if link.pointee.headerEntry == 0, context.entryMode == .full { return .full }
    guard context.linkSessions.record(link.pointee.sendSlot).pointee.peerModes & 2 != 0 else { return .full }
    return .header
}

/// Builds the frames of segments `first`... of a packet from the TUN: routing header and plaintext in place, ready for
/// `sealFlow`. Stops when the vector is full or no memory is left, and returns the next segment to build.
///
/// | off | full | header-sealed |
/// |---|---|---|
/// | 0 | link header 16 | link header 16 |
/// | 16 | routing header 48 | routing header 48 |
/// | 64 | plaintext | link tag 16 |
/// | 80 | ... | plaintext |
/// | end | end-to-end tag 16, link tag 16 | end-to-end tag 16 |
func buildFrames(
    _ packet: borrowing TunPacket, from first: Int, _ entry: Entry, _ vector: inout PacketVector,
    _ slab: inout FrameSlab, _ context: borrowing StageContext
) -> Int {
    let ip = UnsafeRawPointer(packet.bytes)
    let head = ip.loadUnaligned(as: UInt32.self)
    let next = IPv6Header.nextHeader(ip)
    let hopLimit = IPv6Header.hopLimit(ip) &- 1
    let hash = IPv6Header.flowHash(ip, length: packet.length)
    let source = IPv6Header.source(ip)
    let destination = IPv6Header.destination(ip)
    let mode = entryMode(entry.link, context)
    let bodyOffset = LinkHeader.size &+ RoutingHeader.size &+ (mode == .header ? LinkHeader.tagSize : 0)
    var k = first
    while k < packet.segments {
        guard !vector.isFull else { break }
        let payload = packet.packetLength(k) &- IPv6Header.size
        let unpadded = FlowBody.elidedSize &+ payload
        let pad = FlowBody.padding(unpadded)
        let size =
            LinkHeader.size &+ RoutingHeader.size &+ LinkHeader.tagSize &+ unpadded &+ pad &+ FlowBody.tagSize
        guard let place = slab.take(size) else { break }
        let bytes = context.pool.base(place.buffer) + Int(place.offset)
        RoutingHeader.write(
            bytes + LinkHeader.size, kind: .data, hopLimit: hopLimit, flowHash: hash, source: source,
            destination: destination)
        let plain = bytes + bodyOffset
        plain.storeBytes(
            of: UInt8(truncatingIfNeeded: pad) &<< 4 | FlowBody.Kind.ipv6.rawValue, as: UInt8.self)
        plain.storeBytes(of: head, toByteOffset: 1, as: UInt32.self)
        plain.storeBytes(of: next, toByteOffset: 5, as: UInt8.self)
        packet.writePayload(k, to: plain + FlowBody.elidedSize)
        if pad > 0 { (plain + unpadded).initializeMemory(as: UInt8.self, repeating: 0, count: pad) }
        var descriptor = Descriptor(
            buffer: place.buffer, offset: place.offset, length: UInt32(truncatingIfNeeded: size), mode: mode)
        descriptor.link = entry.link
        descriptor.flow = entry.flow
        descriptor.lane = context.dataLane
        descriptor.disposition = .forward
        vector.append(descriptor)
        k &+= 1
    }
    return k
}
