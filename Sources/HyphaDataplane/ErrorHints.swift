import HyphaBase
import HyphaFIB
import HyphaPacket
import HyphaSession
import HyphaWire

/// What relays say about packets of this node (routing type 5, or a stock out-of-band ICMP that quotes a native payload),
/// turned into what local programs understand.
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
/// Stock relays say it in ICMPv6: 1 is no route, 2 too big with the MTU of a stock body, 3 code 0 hop limit.
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

    /// What a hint is about.
    private struct Failed {
        var index: UInt32
        var counter: UInt64
        var flowHash: UInt16
        var destination: IPv6Address
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
        let ownPrefix = context.ownAddress.high
        guard RoutingHeader.kind(quoted) == .data, RoutingHeader.source(quoted).high == ownPrefix else { return false }
        let failed = Failed(
            index: RoutingHeader.index(quoted), counter: RoutingHeader.counter(quoted),
            flowHash: RoutingHeader.flowHash(quoted), destination: RoutingHeader.destination(quoted))
        return act(
            error.code, value: UInt32(error.value), failed, from: RoutingHeader.source(header), context, &rejections)
    }

    /// Acts on a stock relay's report about a native packet; `quote` is the native payload that it quotes, at least 20
    /// bytes of it. False when it is not about a packet that this node sent lately.
    @inline(never)
    func take(
        _ report: StockICMP.Report, quote: UnsafeRawPointer, from relay: IPv6Address,
        _ context: borrowing StageContext, _ rejections: inout Rejections
    ) -> Bool {
        // The first 16 bytes of the routing header stand behind the four that say it is native.
        let header = quote + 4
        guard header.load(as: UInt8.self) &>> 4 == RoutingHeader.Kind.data.rawValue else { return false }
        let code: ErrorBody.Code
        var value: UInt32 = 0
        switch (report.type, report.code) {
        case (1, _): code = .noRoute
        case (2, _):
            code = .tooBig
            // The MTU is that of a packet in a stock body; the payload that holds one holds this much of a native body.
            let room = report.parameter &+ UInt32(StockPayload.overhead - NativePayload.headerSize)
            value = room < report.parameter ? .max : room
        case (3, 0): code = .hopLimit
        default: return false
        }
        let failed = Failed(
            index: RoutingHeader.index(header), counter: RoutingHeader.counter(header),
            flowHash: RoutingHeader.flowHash(header), destination: report.target)
        return act(code, value: value, failed, from: relay, context, &rejections)
    }

    private func act(
        _ code: ErrorBody.Code, value: UInt32, _ failed: Failed, from relay: IPv6Address,
        _ context: borrowing StageContext, _ rejections: inout Rejections
    ) -> Bool {
        guard let peer = peer(of: failed.destination, context), peer.pointee.sendSlot != .max else { return false }
        let slot = peer.pointee.sendSlot
        let lane = Int(failed.flowHash >> 12)
        guard context.flowSessions.record(slot).pointee.remoteIndex == failed.index,
            context.flowSessions.wasSentLately(slot, lane: lane, counter: failed.counter, now: context.now)
        else { return false }
        switch code {
        case .noRoute:
            peer.pointee.noRouteUntil = context.now.advanced(byMilliseconds: ErrorHints.noRouteMilliseconds)
        case .tooBig:
            let body = max(ErrorHints.smallestBody, value)
            guard body < peer.pointee.maxBody else { break }
            peer.pointee.maxBody = body
            peer.pointee.maxBodyUntil = context.now.advanced(byMilliseconds: ErrorHints.tooBigMilliseconds)
        case .hopLimit:
            let now = context.now
            for i in 0..<ErrorHints.count
            where sent[i].session == slot && sent[i].counter == failed.counter
                && sent[i].flowHash == failed.flowHash && sent[i].destination == failed.destination
                && now.milliseconds(since: sent[i].time) < ErrorHints.maxAgeMilliseconds
            {
                let head = UnsafeRawBufferPointer(
                    start: heads + i * ErrorHints.headSize, count: Int(sent[i].length))
                rejections.localError(.timeExceeded, about: head, from: relay, context)
                sent[i].session = .max
            }
        case .unknownSession: return false
        }
        return true
    }
}
