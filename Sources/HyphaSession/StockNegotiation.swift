public import HyphaBase
public import HyphaWire

/// How a node comes from stock bodies to a native session with one peer, without a round trip for the stock case and
/// without a silent way back. A value: events and time in, decisions out.
///
/// What it knows of the peer, weakest first:
///
/// | knowledge | from | worth |
/// |---|---|---|
/// | hint | mark in a router id | anyone's word; can be added and stripped |
/// | marker | mark in a sealed user header | authentic, but it may be a recording |
/// | pin | a confirmed native session, for 30 days | authentic and fresh |
///
/// A peer with marker or pin is *able*: stock bodies to it are limited by `StockBudget`. A hint alone only costs time.
///
/// With the policy `require` packets wait as long as their place lets them, until a session starts or the handshake fails:
/// there is nothing else that could become of them. With `auto` they wait for 250 ms at most. 88 bytes.
public struct StockNegotiation: Equatable, BitwiseCopyable, Sendable {
    /// Packets that may wait, and their bytes and time.
    public static let queuePackets = 16
    public static let queueBytes = 65_536
    public static let queueMilliseconds: UInt64 = 250
    /// Between tries at a peer that is only hinted to be native.
    public static let hintedRetryMilliseconds: UInt64 = 30_000
    /// Between tries at a peer that is able.
    public static let ableRetryMilliseconds: UInt64 = 5_000
    /// Between two requests for a handshake while packets come that may go in no other way.
    public static let requiredRetryMilliseconds: UInt64 = 1_000
    /// A handshake that was heard of neither way for so long has failed.
    public static let handshakeMilliseconds: UInt64 = 10_000
    /// Between two waits for a peer that is only hinted to be native.
    public static let hintedQueueMilliseconds: UInt64 = 60_000
    public static let pinMilliseconds: UInt64 = 30 * 24 * 3_600 * 1_000
    /// After the start of the first session, stock bodies of a pinned peer still pass: they were under way.
    public static let graceMilliseconds: UInt64 = 5_000

    /// What happened.
    public enum Event: Equatable, Sendable {
        /// The mark in the router id of the peer's route; nil when there is none.
        case hint(NativeMark?)
        /// A stock body of the peer opened; its mark, if any.
        case stockBodyOpened(mark: NativeMark?)
        /// A pin from an earlier run, valid until then.
        case pinned(until: Instant)
        /// The user took the pin away.
        case unpinned
        /// A native session is confirmed.
        case sessionStarted
        /// No native session is left.
        case sessionEnded
        /// A handshake that was started ended without a session.
        case handshakeFailed
        /// A packet of so many bytes is to be sent.
        case packet(bytes: Int)
        /// Time passed.
        case timer
    }

    /// What becomes of the packet of the event.
    public enum Fate: Equatable, Sendable {
        /// Through the native session.
        case native
        /// As a stock body, with this mark in its user header.
        case stock(NativeMark?)
        /// It waits; `Decision.queue` says later what becomes of it.
        case queue
        /// No session, and no stock body allowed, or no room to wait.
        case drop
        /// A stock body that came in is taken.
        case accept
        /// A stock body that came in is dropped.
        case refuse
    }

    /// What to do now.
    public struct Decision: Equatable, Sendable {
        /// Of the packet or body of the event; nil for other events.
        public var fate: Fate?
        /// What becomes of all packets that wait, before the one of the event; nil leaves them. `native`, `stock` or `drop`.
        public var queue: Fate?
        /// Of those, the first so many share it; the others are dropped. Not counted with the policy `require`.
        public var queueCount = 0
        /// A handshake begins now.
        public var startsHandshake = false
        /// A pinned peer falls back to stock bodies: worth an alarm.
        public var fallsBack = false

        public init() {}
    }

    public let session: SessionPolicy
    public let early: EarlyPolicy
    /// The mark that this node puts into user headers.
    public let mark: NativeMark

    public private(set) var isHinted = false
    public private(set) var isMarked = false
    public private(set) var hasSession = false
    private var isShakingHands = false
    private var hadSession = false
    private var waitingPacketCount: UInt32 = 0
    private var waitingByteCount: UInt32 = 0
    /// Moments: zero for never.
    public private(set) var pinnedUntil = Instant.zero
    private var lastHandshake = Instant.zero
    private var graceUntil = Instant.zero
    private var lastHintedWait = Instant.zero
    /// Since when packets wait.
    private var waitingSince = Instant.zero
    private var outgoing = StockBudget()
    private var incoming = StockBudget()

    public init(session: SessionPolicy, early: EarlyPolicy, mark: NativeMark = NativeMark(capabilities: 0)) {
        self.session = session
        self.early = early
        self.mark = mark
    }

    /// When `timer` is due; nil for never.
    public var nextDeadline: Instant? {
        waitingPacketCount == 0 ? nil : waitingSince.advanced(byMilliseconds: StockNegotiation.queueMilliseconds)
    }

    /// Packets that wait, and their bytes; not counted with the policy `require`.
    public var waitingPackets: Int { Int(waitingPacketCount) }
    public var waitingBytes: Int { Int(waitingByteCount) }

    /// True when packets without a session go as stock bodies one after the other and nothing that could be decided about
    /// them changes: the peer is not known to speak native, or nobody asks.
    public var isPlain: Bool {
        guard session != .classic else { return true }
        return session == .auto && !isHinted && !isMarked && pinnedUntil == .zero && waitingPacketCount == 0
    }

    /// Whether the peer's ability is authentic at `now`.
    public func isAble(now: Instant) -> Bool { isMarked || isPinned(now: now) }

    public func isPinned(now: Instant) -> Bool { now < pinnedUntil }

    /// Takes note of an event and decides. Deterministic: equal values and events give equal decisions.
    public mutating func handle(_ event: Event, now: Instant) -> Decision {
        var decision = Decision()
        switch event {
        case .hint(let mark): isHinted = mark != nil
        case .stockBodyOpened(let mark): stockBody(mark, &decision, now: now)
        case .pinned(let until): pinnedUntil = max(until, pinnedUntil)
        case .unpinned:
            pinnedUntil = .zero
            isMarked = false
        case .sessionStarted: sessionStarted(&decision, now: now)
        case .sessionEnded: hasSession = false
        case .handshakeFailed: handshakeFailed(&decision, now: now)
        case .packet(let bytes):
            endWait(&decision, now: now)
            packet(bytes, &decision, now: now)
        case .timer: endWait(&decision, now: now)
        }
        return decision
    }

    // MARK: in

    private mutating func stockBody(_ peerMark: NativeMark?, _ decision: inout Decision, now: Instant) {
        guard session != .require else {
            decision.fate = .refuse
            return
        }
        guard session == .auto else {
            decision.fate = .accept
            return
        }
        if isPinned(now: now) {
            decision.fate = now < graceUntil || incoming.take(now: now) ? .accept : .refuse
            guard decision.fate == .accept else { return }
        } else {
            decision.fate = .accept
        }
        guard peerMark != nil else { return }
        isMarked = true
        if !hasSession { tryHandshake(&decision, now: now) }
    }

    private mutating func sessionStarted(_ decision: inout Decision, now: Instant) {
        hasSession = true
        isShakingHands = false
        if session == .require { lastHandshake = .zero }
        if !hadSession { graceUntil = now.advanced(byMilliseconds: StockNegotiation.graceMilliseconds) }
        hadSession = true
        let until = now.advanced(byMilliseconds: StockNegotiation.pinMilliseconds)
        pinnedUntil = max(until, pinnedUntil)
        guard session == .require || waitingPacketCount > 0 else { return }
        decision.queue = .native
        decision.queueCount = waitingPackets
        clearWait()
    }

    /// What waits need not wait any longer.
    private mutating func handshakeFailed(_ decision: inout Decision, now: Instant) {
        isShakingHands = false
        if session == .require {
            // The next packet asks at once.
            lastHandshake = .zero
            decision.queue = .drop
        } else if waitingPacketCount > 0 {
            releaseQueue(&decision, now: now)
        }
    }

    // MARK: out

    private mutating func packet(_ bytes: Int, _ decision: inout Decision, now: Instant) {
        guard session != .classic else {
            decision.fate = .stock(nil)
            return
        }
        guard !hasSession else {
            decision.fate = .native
            return
        }
        if session == .require || isHinted || isAble(now: now) { tryHandshake(&decision, now: now) }
        if session == .require {
            decision.fate = .queue
        } else {
            decision.fate = waits(now: now) ? enqueue(bytes, now: now) : withoutSession(&decision, now: now)
        }
    }

    /// Whether a packet waits now: for a peer that can speak native, as long as the wait that its first packet began.
    private mutating func waits(now: Instant) -> Bool {
        if waitingPacketCount > 0 { return true }
        guard early == .queue else { return false }
        // A wait follows a handshake that has just begun; after it the budget serves until the next one begins.
        guard isShakingHands, now.milliseconds(since: lastHandshake) < StockNegotiation.queueMilliseconds else {
            return false
        }
        if isAble(now: now) { return true }
        guard isHinted else { return false }
        if lastHintedWait != .zero,
            now.milliseconds(since: lastHintedWait) < StockNegotiation.hintedQueueMilliseconds
        {
            return false
        }
        lastHintedWait = now
        return true
    }

    private mutating func enqueue(_ bytes: Int, now: Instant) -> Fate {
        let size = max(0, min(bytes, StockNegotiation.queueBytes))
        guard waitingPackets < StockNegotiation.queuePackets, waitingBytes + size <= StockNegotiation.queueBytes,
            bytes <= StockNegotiation.queueBytes
        else { return .drop }
        if waitingPacketCount == 0 { waitingSince = now }
        waitingPacketCount += 1
        waitingByteCount += UInt32(size)
        return .queue
    }

    /// The fate of one packet that does not wait any longer.
    private mutating func withoutSession(_ decision: inout Decision, now: Instant) -> Fate {
        guard session == .auto else { return .drop }
        guard isAble(now: now) else { return .stock(mark) }
        guard outgoing.take(now: now) else { return .drop }
        if isPinned(now: now) { decision.fallsBack = true }
        return .stock(mark)
    }

    /// Ends a wait that lasted long enough.
    private mutating func endWait(_ decision: inout Decision, now: Instant) {
        guard let deadline = nextDeadline, now >= deadline else { return }
        releaseQueue(&decision, now: now)
    }

    /// Everything that waits goes without a session, as far as it may.
    private mutating func releaseQueue(_ decision: inout Decision, now: Instant) {
        let count = waitingPackets
        clearWait()
        decision.queue = .drop
        for _ in 0..<count {
            let fate = withoutSession(&decision, now: now)
            guard fate != .drop else { break }
            decision.queue = fate
            decision.queueCount += 1
        }
    }

    private mutating func clearWait() {
        waitingSince = .zero
        waitingPacketCount = 0
        waitingByteCount = 0
    }

    private mutating func tryHandshake(_ decision: inout Decision, now: Instant) {
        let passed = now.milliseconds(since: lastHandshake)
        let pause: UInt64
        switch session {
        case .require: pause = StockNegotiation.requiredRetryMilliseconds
        case .auto, .classic:
            if isShakingHands, passed < StockNegotiation.handshakeMilliseconds { return }
            pause =
                isAble(now: now)
                ? StockNegotiation.ableRetryMilliseconds : StockNegotiation.hintedRetryMilliseconds
        }
        guard lastHandshake == .zero || passed >= pause else { return }
        lastHandshake = now
        isShakingHands = true
        decision.startsHandshake = true
    }
}
