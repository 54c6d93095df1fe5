import HyphaBase
import HyphaPacket
import HyphaSession
import HyphaWire

// Packets that are too large for one datagram and cannot be answered with "too big": stock bodies. They leave in two
// pieces (docs/protocol.md, "FRAGMENT").

extension LinkRecord {
    /// Bytes that a piece's datagram has more than the piece.
    static let pieceOverhead = LinkHeader.size + LinkHeader.fragmentHeadSize + LinkHeader.tagSize

    /// Largest frame of a kind (as one HL1 datagram, link header and tag included) that leaves by this link, in one
    /// datagram or in two pieces.
    @inline(__always)
    func largestFrame(_ kind: RoutingHeader.Kind) -> UInt32 {
        kind == .stock && isStream == 0 ? largestSplitFrame : mtu
    }

    private var largestSplitFrame: UInt32 {
        let piece = max(0, Int(mtu) &- LinkRecord.pieceOverhead)
        let inner = min(LinkHeader.fragmentedMaximum, 2 &* piece)
        return max(mtu, UInt32(truncatingIfNeeded: LinkHeader.size &+ inner &+ LinkHeader.tagSize))
    }
}

/// The first packet of a vector that must leave in two pieces; the vector's count when there is none.
func firstTooLarge(_ vector: PacketVector, _ context: borrowing StageContext) -> Int {
    for i in 0..<vector.count where isTooLarge(vector.packets + i, context) { return i }
    return vector.count
}

@inline(__always)
private func isTooLarge(_ packet: UnsafeMutablePointer<Descriptor>, _ context: borrowing StageContext) -> Bool {
    guard packet.pointee.disposition == .forward, packet.pointee.mode == .full,
        let link = context.links[packet.pointee.link], packet.pointee.length > link.pointee.mtu,
        link.pointee.isStream == 0
    else { return false }
    // Link control goes as it is: nothing takes it in pieces.
    let bytes = context.pool.base(packet.pointee.buffer) + Int(packet.pointee.offset)
    return RoutingHeader.kind(bytes + LinkHeader.size) == .stock
}

/// Moves the packets from `first` on into `pieces`, in their order; those that are too large for their link as two
/// frames each, built in `slab`. Stops when `pieces` is full or no memory is left, and returns the next packet to move.
///
/// | off | first | second |
/// |---|---|---|
/// | 0 | link header 16 | link header 16 |
/// | 16 | id 2, part 0, total 2 | id 2, part 1, total 2 |
/// | 20 | first half of routing header and body, rounded up | second half |
/// | end | link tag 16 | link tag 16 |
///
/// In the law the original is `punted` and its pieces are `injected`.
func split(
    _ vector: PacketVector, from first: Int, into pieces: inout PacketVector, _ slab: inout FrameSlab,
    _ context: borrowing StageContext
) -> Int {
    var i = first
    while i < vector.count {
        let packet = vector.packets + i
        guard isTooLarge(packet, context) else {
            guard !pieces.isFull else { break }
            pieces.append(packet.pointee)
            i &+= 1
            continue
        }
        guard pieces.count &+ 2 <= PacketVector.capacity else { break }
        guard cut(packet, into: &pieces, &slab, context) else {
            // What the frames built so far leave behind may do.
            guard pieces.count == 0 else { break }
            packet.pointee.drop(.noBuffer)
            pieces.append(packet.pointee)
            i &+= 1
            continue
        }
        i &+= 1
    }
    return i
}

/// Appends both pieces of a packet, or the packet itself when it cannot leave. False when no memory is left.
@inline(__always)
private func cut(
    _ packet: UnsafeMutablePointer<Descriptor>, into pieces: inout PacketVector, _ slab: inout FrameSlab,
    _ context: borrowing StageContext
) -> Bool {
    let inner = Int(packet.pointee.length) &- LinkHeader.size &- LinkHeader.tagSize
    let half = (inner &+ 1) / 2
    guard let link = context.links[packet.pointee.link], link.pointee.sendSlot != .max else {
        packet.pointee.drop(.linkDown)
        pieces.append(packet.pointee)
        return true
    }
    guard inner <= LinkHeader.fragmentedMaximum, half &+ LinkRecord.pieceOverhead <= Int(link.pointee.mtu) else {
        packet.pointee.drop(.tooBig)
        pieces.append(packet.pointee)
        return true
    }
    guard let room = slab.take(inner &+ 2 &* LinkRecord.pieceOverhead) else { return false }
    let whole = UnsafeRawPointer(
        context.pool.base(packet.pointee.buffer) + Int(packet.pointee.offset) + LinkHeader.size)
    // `stamp` takes the same session and the same lane.
    let slot = link.pointee.sendSlot
    let lanes = context.linkSessions.record(slot).pointee.lanes
    let next = context.linkSessions.fragmentID(
        slot, lane: packet.pointee.lane < lanes ? Int(packet.pointee.lane) : 0)
    let id = next.pointee
    next.pointee = id &+ 1
    var offset = room.offset
    var done = 0
    for part in 0..<2 {
        let length = part == 0 ? half : inner &- half
        let head = context.pool.base(room.buffer) + Int(offset) + LinkHeader.size
        head.storeBytes(of: id.littleEndian, as: UInt16.self)
        head.storeBytes(of: UInt8(truncatingIfNeeded: part), toByteOffset: 2, as: UInt8.self)
        head.storeBytes(of: 2, toByteOffset: 3, as: UInt8.self)
        (head + LinkHeader.fragmentHeadSize).copyMemory(from: whole + done, byteCount: length)
        let size = UInt32(truncatingIfNeeded: length &+ LinkRecord.pieceOverhead)
        var piece = Descriptor(buffer: room.buffer, offset: offset, length: size, mode: .fragment)
        piece.link = packet.pointee.link
        piece.lane = packet.pointee.lane
        piece.disposition = .forward
        pieces.append(piece)
        offset &+= size
        done &+= length
    }
    context.counters.add(.punted)
    context.counters.add(.injected, 2)
    context.counters.add(.fragmentsSent, 2)
    return true
}
