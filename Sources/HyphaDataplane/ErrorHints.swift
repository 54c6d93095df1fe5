import HyphaBase
import HyphaFIB
import HyphaPacket
import HyphaSession
import HyphaWire

/// What relays say about packets of this node (routing type 5), turned into what local programs understand.
///
/// A hint proves nothing: it is taken only if it quotes a packet that this node sent in the last seconds (session
/// index, counter and destination), it never raises a limit and never ends a session.
///
/// | code | effect |
/// |---|---|
/// | no route | local senders to that peer get ICMPv6 "no route" for a second; their packets go on |
/// | hop limit | ICMPv6 "time exceeded" from the relay, about the packet: what traceroute needs |
/// | too big | larger packets to that peer get ICMPv6 "packet too big" for 10 minutes |
/// | unknown session | for control, which asks the peer for a new session |
///
/// To quote a packet in "time exceeded", the heads of the last 64 packets that left with a low hop limit are kept.
/// A handle: copies share the memory.
struct ErrorHints {
    /// Packets that leave with less are remembered: traceroute stays below, ordinary packets start at 64.
    static let tracedHopLimit: UInt8 = 32
    private static let headSize = 128
    private static let count = 64
    private static let maxAgeMilliseconds: UInt64 = 5_000
    static let noRouteMilliseconds: UInt64 = 1_000
    static let tooBigMilliseconds: UInt64 = 600_000
    /// The end-to-end body of the smallest datagram that every path takes: 1,232 - 80.
    static let smallestBody: UInt32 = 1_152

    private struct Sent {
        var session: UInt32 = .max
        var length: UInt16 = 0
        /// Counters are those of a lane, and the flow hash names it.
        var flowHash: UInt16 = 0
        var counter: UInt64 = 0
        var destination = IPv6Address(high: 0, low: 0)
        var time = Instant.zero
    }

    private let sent: UnsafeMutablePointer<Sent>
    private let heads: UnsafeMutableRawPointer
    private let next: UnsafeMutablePointer<Int>

    init() {
        sent = .allocate(capacity: ErrorHints.count)
        sent.initialize(repeating: Sent(), count: ErrorHints.count)
        heads = .allocate(byteCount: ErrorHints.count * ErrorHints.headSize, alignment: 16)
        heads.initializeMemory(as: UInt8.self, repeating: 0, count: ErrorHints.count * ErrorHints.headSize)
        next = .allocate(capacity: 1)
        next.initialize(to: 0)
    }

    func deallocate() {
        sent.deallocate()
        heads.deallocate()
        next.deallocate()
    }

    /// Keeps the head of an inner packet that is about to be sealed; `plain` is its plaintext of kind 0.
    @inline(never)
    func remember(
        _ header: UnsafeRawPointer, plain: UnsafeRawPointer, length: Int, session: UInt32, counter: UInt64, now: Instant
    ) {
        guard length >= FlowBody.elidedSize,
            plain.load(as: UInt8.self) & 15 == FlowBody.Kind.ipv6.rawValue,
            let content = FlowBody.contentLength(first: plain.load(as: UInt8.self), length: length), content >= 5
        else { return }
        let place = next.pointee
        next.pointee = (place + 1) % ErrorHints.count
        let head = heads + place * ErrorHints.headSize
        let payload = content - 5
        head.storeBytes(of: plain.loadUnaligned(fromByteOffset: 1, as: UInt32.self), as: UInt32.self)
        head.storeBytes(of: UInt16(truncatingIfNeeded: payload).bigEndian, toByteOffset: 4, as: UInt16.self)
        head.storeBytes(of: plain.load(fromByteOffset: 5, as: UInt8.self), toByteOffset: 6, as: UInt8.self)
        head.storeBytes(of: RoutingHeader.hopLimit(header), toByteOffset: 7, as: UInt8.self)
        RoutingHeader.source(header).store(to: head + 8)
        RoutingHeader.destination(header).store(to: head + 24)
        let kept = min(payload, ErrorHints.headSize - IPv6Header.size)
        (head + IPv6Header.size).copyMemory(from: plain + FlowBody.elidedSize, byteCount: kept)
        sent[place] = Sent(
            session: session, length: UInt16(IPv6Header.size + kept), flowHash: RoutingHeader.flowHash(header),
            counter: counter,
            destination: RoutingHeader.destination(header), time: now)
    }

    private func peer(
        of destination: IPv6Address, _ context: borrowing StageContext
    ) -> UnsafeMutablePointer<PeerRecord>? {
        context.peers[context.fib.lookup(destination).peer]
    }

    /// Acts on an error packet for this node; `header` is its routing header, `length` counts from there. False when it
    /// is for control.
    @inline(never)
    func take(
        _ header: UnsafeRawPointer, length: Int, _ context: borrowing StageContext, _ rejections: inout Rejections
    ) -> Bool {
        let body = header + RoutingHeader.size
        guard let error = ErrorBody.parse(body, length: length - RoutingHeader.size), error.code != .unknownSession
        else { return false }
        let quoted = body + ErrorBody.quoteOffset
        let destination = RoutingHeader.destination(quoted)
        let ownPrefix = context.ownAddress.high
        guard RoutingHeader.kind(quoted) == .data, RoutingHeader.source(quoted).high == ownPrefix,
            let peer = peer(of: destination, context), peer.pointee.sendSlot != .max
        else { return false }
        let slot = peer.pointee.sendSlot
        let counter = RoutingHeader.counter(quoted)
        let lane = Int(RoutingHeader.flowHash(quoted) >> 12)
        guard context.flowSessions.record(slot).pointee.remoteIndex == RoutingHeader.index(quoted),
            context.flowSessions.wasSentLately(slot, lane: lane, counter: counter, now: context.now)
        else { return false }
        switch error.code {
        case .noRoute:
            peer.pointee.noRouteUntil = context.now.advanced(byMilliseconds: ErrorHints.noRouteMilliseconds)
        case .tooBig:
            let body = max(ErrorHints.smallestBody, UInt32(error.value))
            guard body < peer.pointee.maxBody else { break }
            peer.pointee.maxBody = body
            peer.pointee.maxBodyUntil = context.now.advanced(byMilliseconds: ErrorHints.tooBigMilliseconds)
        case .hopLimit:
            let now = context.now
            for i in 0..<ErrorHints.count
            where sent[i].session == slot && sent[i].counter == counter
                && sent[i].flowHash == RoutingHeader.flowHash(quoted) && sent[i].destination == destination
                && now.milliseconds(since: sent[i].time) < ErrorHints.maxAgeMilliseconds
            {
                let head = UnsafeRawBufferPointer(
                    start: heads + i * ErrorHints.headSize, count: Int(sent[i].length))
                rejections.localError(
                    .timeExceeded, about: head, from: RoutingHeader.source(header), context)
                sent[i].session = .max
            }
        case .unknownSession: return false
        }
        return true
    }
}
