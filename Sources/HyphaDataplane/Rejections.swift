import HyphaBase
import HyphaPacket
import HyphaWire

/// The answers of a node to packets that it cannot carry: routing type 5 for overlay packets, ICMPv6 for packets from
/// the TUN or for the TUN, out-of-band ICMP for stock bodies. All go through rate limits: 100 a second in all, 10 a second for a source /64.
///
/// Answers are made in slots and wait in `own` (frames to be routed or delivered) and `inner` (packets to be sealed end
/// to end) for the end of the turn.
struct Rejections {
    private static let sources = 256
    /// Answers for `inner` at most in one turn.
    static let maxInner = 16

    let pool: PacketPool
    let counters: WorkerCounters
    private var total = TokenBucket(rate: 100, burst: 100)
    private let perSource: UnsafeMutablePointer<TokenBucket>
    /// Frames made by this worker, waiting for the end of the turn.
    var own: PacketVector
    /// Slots with a virtio header and an inner packet each, to be sealed for its destination.
    let inner: UnsafeMutablePointer<Train.Piece>
    var innerCount = 0

    init(pool: PacketPool, counters: WorkerCounters) {
        self.pool = pool
        self.counters = counters
        perSource = .allocate(capacity: Rejections.sources)
        perSource.initialize(repeating: TokenBucket(rate: 10, burst: 10), count: Rejections.sources)
        own = PacketVector()
        inner = .allocate(capacity: Rejections.maxInner)
        inner.initialize(repeating: Train.Piece(buffer: 0, offset: 0, length: 0), count: Rejections.maxInner)
    }

    func deallocate() {
        perSource.deallocate()
        own.deallocate()
        inner.deallocate()
    }

    /// First byte of a frame in a slot: room for the virtio header in front, and aligned.
    static let frameOffset = 64

    mutating func allows(_ source: IPv6Address, _ now: Instant) -> Bool {
        let hash = (source.high &* 0x9E37_79B9_7F4A_7C15) &>> 56
        return perSource[Int(truncatingIfNeeded: hash)].take(now: now) && total.take(now: now)
    }

    /// Tells the source of an overlay packet why it did not pass. `header` is its routing header as it arrived, in a
    /// frame of `frameLength` bytes.
    mutating func overlayError(
        _ code: ErrorBody.Code, value: UInt16 = 0, kind: RoutingHeader.Kind, about header: UnsafeRawPointer,
        length frameLength: Int, _ context: borrowing StageContext
    ) {
        let length = LinkHeader.size + RoutingHeader.size + ErrorBody.size + LinkHeader.tagSize
        // Never about an error, never about a body that this version cannot answer in its own language, never larger
        // than its cause.
        guard kind != .error, kind != .stock, frameLength >= length, !own.isFull else { return }
        let source = RoutingHeader.source(header)
        guard source != context.ownAddress, allows(source, context.now), let slot = pool.takeSlot() else { return }
        let bytes = pool.base(slot) + Rejections.frameOffset
        let route = bytes + LinkHeader.size
        RoutingHeader.write(
            route, kind: .error, hopLimit: RoutingHeader.defaultHopLimit, flowHash: RoutingHeader.flowHash(header),
            source: context.ownAddress, destination: source)
        ErrorBody.write(route + RoutingHeader.size, code: code, value: value, failed: header)
        own.append(
            Descriptor(buffer: slot, offset: UInt32(Rejections.frameOffset), length: UInt32(length), mode: .full))
        counters.add(.injected)
        counters.add(.errorsSent)
    }

    /// Tells the source of a packet that cannot go on why: in a type 5 packet, or in an out-of-band ICMP where it is a
    /// stock body. `packet` is as it arrived; `value` is the largest body that would have passed.
    mutating func refuse(
        _ code: ErrorBody.Code, value: UInt16 = 0, kind: RoutingHeader.Kind, _ packet: Descriptor,
        _ stock: inout StockEnds, _ context: borrowing StageContext, _ punts: inout PuntRings
    ) {
        guard kind == .stock else {
            let header = context.pool.base(packet.buffer) + (Int(packet.offset) + LinkHeader.size)
            overlayError(code, value: value, kind: kind, about: header, length: Int(packet.length), context)
            return
        }
        switch code {
        case .noRoute: stockError(.noRoute, about: packet, &stock, context, &punts)
        case .hopLimit: stockError(.timeExceeded, about: packet, &stock, context, &punts)
        case .tooBig:
            let mtu = max(IPv6MTU.minimum, Int(value) - StockPayload.overhead)
            stockError(.packetTooBig(mtu: UInt32(mtu)), about: packet, &stock, context, &punts)
        case .unknownSession: break
        }
    }

    /// Answers an inner packet that came from the TUN, into the TUN, in the name of `source` (this node if nil).
    mutating func localError(
        _ message: ICMPv6.Message, about packet: UnsafeRawBufferPointer, from source: IPv6Address? = nil,
        _ context: borrowing StageContext
    ) {
        guard !own.isFull, packet.count >= IPv6Header.size, let base = packet.baseAddress,
            allows(IPv6Header.source(base), context.now), let slot = pool.takeSlot()
        else { return }
        let start = Rejections.frameOffset
        let speaker: IPv6Address
        if let source { speaker = source } else { speaker = context.ownAddress }
        let length = ICMPv6.writeError(
            message, about: packet, source: speaker, to: pool.base(slot) + start)
        guard length > 0 else {
            pool.release(slot)
            return
        }
        var answer = Descriptor(buffer: slot, offset: UInt32(start), length: UInt32(length))
        answer.disposition = .deliver
        own.append(answer)
        counters.add(.injected)
        counters.add(.errorsSent)
    }

    /// Answers an inner packet that arrived end to end for an address nobody listens on.
    mutating func remoteError(
        _ message: ICMPv6.Message, about packet: UnsafeRawBufferPointer, _ context: borrowing StageContext
    ) {
        guard innerCount < Rejections.maxInner, packet.count >= IPv6Header.size, let base = packet.baseAddress,
            allows(IPv6Header.source(base), context.now), let slot = pool.takeSlot()
        else { return }
        let start = Rejections.frameOffset + VirtioHeader.size
        let bytes = pool.base(slot)
        let length = ICMPv6.writeError(message, about: packet, source: context.ownAddress, to: bytes + start)
        guard length > 0 else {
            pool.release(slot)
            return
        }
        VirtioHeader.writePlain(bytes + Rejections.frameOffset)
        inner[innerCount] = Train.Piece(
            buffer: slot, offset: UInt32(Rejections.frameOffset), length: UInt32(length + VirtioHeader.size))
        innerCount += 1
        counters.add(.errorsSent)
    }
}
