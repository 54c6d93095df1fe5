import HyphaBase
import HyphaIdentity
import HyphaSession

/// The handshakes and sessions of one peer, on a link or end to end (docs/protocol.md, "Timers and limits").
///
/// Inputs return what is to be done, in order. Timers: `nextDeadline` and `advance`.
struct HandshakeMachine: Sendable {
    /// Link id or end-to-end peer id.
    let id: UInt32
    let peer: PublicKey
    let address: IPv6Address
    /// Our static key is the lower of the two: of two sessions that cross ours is used.
    let isLower: Bool
    /// Short pauses between INITs for longer: configured peers.
    let isEager: Bool

    var slots = KeySlots()
    var open: OpenHandshake?
    var confirming: ConfirmRepeats?
    /// INIT time of the newest session that the peer made and confirmed. Never falls.
    var confirmedTime = InitTime(seconds: 0, count: 0)
    /// A cookie that the peer gave us, and until when it is good.
    var cookie: (bytes: [UInt8], until: Instant)?
    var roundTrip = RoundTripTime()

    static let cookieMilliseconds: UInt64 = 120_000

    init(id: UInt32, peer: PublicKey, own: PublicKey, isEager: Bool) {
        self.id = id
        self.peer = peer
        address = peer.address
        isLower = own < peer
        self.isEager = isEager
    }

    /// True when packets to the peer can be sealed.
    var isConnected: Bool { slots.current != nil }

    /// When `advance` has something to do.
    var nextDeadline: Instant? {
        let handshake = open.map { min($0.nextTry, HandshakeMachine.giveUp($0)) }
        return .earliest(.earliest(handshake, confirming?.nextDeadline), slots.nextDeadline)
    }

    /// Begins a handshake unless one is open.
    mutating func begin(
        now: Instant, _ environment: inout HandshakeEnvironment, _ context: inout ControlContext
    ) -> [HandshakeEffect] {
        guard open == nil else { return [] }
        guard let made = makeInit(now: now, &environment, &context) else { return [.gaveUp] }
        open = OpenHandshake(
            initiator: made.initiator, slot: made.slot, made: now, sent: now, began: now, nextTry: now)
        return send(now: now, &environment, &context)
    }

    /// There is a sign that the peer can be reached now: an open handshake does not wait for its next turn, but keeps the
    /// shortest pause.
    mutating func hasten(now: Instant) {
        guard let handshake = open else { return }
        let soonest = handshake.sent.advanced(byMilliseconds: RetrySchedule.shortestMilliseconds)
        open?.nextTry = min(handshake.nextTry, max(now, soonest))
    }

    /// Ends an open handshake without a word.
    mutating func abandon(_ environment: inout HandshakeEnvironment) {
        guard let handshake = open else { return }
        _ = environment.slots.end(handshake.slot)
        open = nil
    }

    /// The peer was silent though it was sent something: a new session, unless the newest still waits for its first
    /// packet.
    mutating func peerIsSilent(
        now: Instant, _ environment: inout HandshakeEnvironment, _ context: inout ControlContext
    ) -> [HandshakeEffect] {
        if confirming != nil {
            confirming?.peerIsSilent = true
            return []
        }
        return begin(now: now, &environment, &context)
    }

    /// Does what is due.
    mutating func advance(
        to now: Instant, _ environment: inout HandshakeEnvironment, _ context: inout ControlContext
    ) -> [HandshakeEffect] {
        var effects: [HandshakeEffect] = []
        for session in slots.expire(now: now) {
            if !session.isConfirmed, !session.isInitiator { environment.counters.answeredDropped += 1 }
            retire(session, &environment, &effects)
        }
        if var repeats = confirming, repeats.nextDeadline <= now {
            if !repeats.isOver {
                repeats.sentOne()
                confirming = repeats
                effects.append(.confirm(slot: repeats.slot))
            } else {
                confirming = nil
                if repeats.peerIsSilent { effects += begin(now: now, &environment, &context) }
            }
        }
        guard let handshake = open else { return effects }
        if now >= HandshakeMachine.giveUp(handshake) {
            environment.counters.gaveUp += 1
            abandon(&environment)
            effects.append(.gaveUp)
        } else if now >= handshake.nextTry {
            if now.milliseconds(since: handshake.made) >= RetrySchedule.sameBytesMilliseconds {
                _ = environment.slots.end(handshake.slot)
                guard let made = makeInit(now: now, &environment, &context) else {
                    open = nil
                    effects.append(.gaveUp)
                    return effects
                }
                open?.initiator = made.initiator
                open?.slot = made.slot
                open?.made = now
                open?.sends = 0
            }
            effects += send(now: now, &environment, &context)
        }
        return effects
    }

    /// Ends everything.
    mutating func reset(_ environment: inout HandshakeEnvironment) -> [HandshakeEffect] {
        abandon(&environment)
        var effects: [HandshakeEffect] = []
        for session in slots.removeAll() { retire(session, &environment, &effects) }
        return effects
    }

    /// A RESP for the receiver index of our open handshake came by `path`.
    mutating func receive(
        response: [UInt8], from path: HandshakePath, now: Instant, _ environment: inout HandshakeEnvironment
    ) -> [HandshakeEffect] {
        guard let handshake = open, let answer = handshake.initiator.accept(response: response) else {
            environment.counters.refusedResp += 1
            return []
        }
        environment.counters.respReceived += 1
        open = nil
        if handshake.sends == 1 { roundTrip.measured(nanoseconds: now.nanoseconds(since: handshake.sent)) }
        let session = HeldSession(
            slot: handshake.slot, remoteIndex: answer.peerIndex, isInitiator: true, suite: answer.secrets.suite,
            lanes: answer.secrets.lanes, created: now, path: path, largestDatagram: answer.fields.largestDatagram,
            bootID: answer.fields.bootID,
            initTime: InitTime(seconds: 0, count: 0), settled: now, isConfirmed: false)
        prepare(
            session, index: handshake.initiator.index, peerModes: answer.fields.sealModes, answer.secrets, environment)
        environment.slots.install(session.slot)
        let (isCurrent, dropped) = slots.adopt(session, now: now, isLower: isLower)
        confirming = ConfirmRepeats(slot: session.slot, now: now)
        var effects: [HandshakeEffect] = [
            .install(session), .established(session, isCurrent: isCurrent), .confirm(slot: session.slot),
        ]
        for session in dropped { retire(session, &environment, &effects) }
        return effects
    }

    /// A COOKIE came for the receiver index `index` of ours: of our open handshake or of an answer that still waits for
    /// its first packet.
    mutating func receive(
        cookieMessage: [UInt8], index: UInt32, now: Instant, _ environment: inout HandshakeEnvironment,
        _ context: inout ControlContext
    ) {
        let bytes: [UInt8]?
        if let handshake = open, handshake.initiator.index == index {
            bytes = handshake.initiator.acceptCookie(cookieMessage)
        } else if let slot = environment.slots.slot(index: index), slots.isPending(slot),
            let answer = environment.answers.answer(slot: slot, owner: id, now: now)
        {
            bytes = Cookie.open(
                cookieMessage, answering: answer.response, sender: peer, scope: answeringScope(environment, context))
        } else {
            bytes = nil
        }
        guard let bytes else {
            environment.counters.refusedCookie += 1
            return
        }
        environment.counters.cookieReceived += 1
        cookie = (bytes, now.advanced(byMilliseconds: HandshakeMachine.cookieMilliseconds))
    }

    /// The first valid packet came in under the session in `slot`.
    mutating func confirmed(
        slot: UInt32, now: Instant, _ environment: inout HandshakeEnvironment
    ) -> [HandshakeEffect] {
        switch slots.confirm(slot: slot, now: now, isLower: isLower) {
        case .unknown:
            return []
        case .initiated:
            environment.counters.initiatedConfirmed += 1
            if confirming?.slot == slot { confirming = nil }
            return []
        case .promoted(let session, let isCurrent, let dropped):
            environment.counters.answeredConfirmed += 1
            confirmedTime = max(confirmedTime, session.initTime)
            // RESP there, first packet back. A repeated RESP would make it look far longer.
            let taken = now.nanoseconds(since: session.created)
            if taken < HandshakeMachine.longestRoundTrip { roundTrip.measured(nanoseconds: taken) }
            // The path works and both ends have a session: an answer to our own INIT, if there was one, is lost.
            abandon(&environment)
            // The empty message tells the initiator that its session arrived.
            var effects: [HandshakeEffect] = [
                .established(session, isCurrent: isCurrent), .confirm(slot: session.slot),
            ]
            for session in dropped { retire(session, &environment, &effects) }
            return effects
        }
    }

    /// Nanoseconds from RESP to confirmation that still count as a round trip: below the first repetition of an INIT.
    private static let longestRoundTrip: UInt64 = 200_000_000

    // MARK: - Parts

    private static func giveUp(_ handshake: OpenHandshake) -> Instant {
        handshake.began.advanced(byMilliseconds: RetrySchedule.giveUpMilliseconds)
    }

    /// A cookie of the peer's that is still good.
    func cookieInUse(now: Instant) -> [UInt8]? {
        guard let cookie, now < cookie.until else { return nil }
        return cookie.bytes
    }

    func answeringScope(_ environment: HandshakeEnvironment, _ context: ControlContext) -> HandshakeScope {
        switch environment.kind {
        case .link: .link
        case .flow: .endToEnd(initiator: address, responder: context.identity.address)
        }
    }

    mutating func retire(
        _ session: HeldSession, _ environment: inout HandshakeEnvironment, _ effects: inout [HandshakeEffect]
    ) {
        if confirming?.slot == session.slot { confirming = nil }
        if environment.slots.end(session.slot) { effects.append(.retire(slot: session.slot)) }
    }

    /// Fills the block of a session.
    func prepare(
        _ session: HeldSession, index: UInt32, peerModes: UInt8, _ secrets: SessionSecrets,
        _ environment: HandshakeEnvironment
    ) {
        let record = SessionRecord(
            localIndex: index, remoteIndex: session.remoteIndex, owner: id, suite: secrets.suite, lanes: secrets.lanes,
            peerModes: peerModes, isInitiator: session.isInitiator, created: session.created)
        var sendKeys = (0..<secrets.lanes).map { secrets.sendLaneKey($0) }
        var receiveKeys = (0..<secrets.lanes).map { secrets.receiveLaneKey($0) }
        environment.slots.table.prepare(session.slot, record, sendKeys: sendKeys, receiveKeys: receiveKeys)
        for i in sendKeys.indices { wipe(&sendKeys[i]) }
        for i in receiveKeys.indices { wipe(&receiveKeys[i]) }
    }

    private func makeInit(
        now: Instant, _ environment: inout HandshakeEnvironment, _ context: inout ControlContext
    ) -> (initiator: Initiator, slot: UInt32)? {
        guard let (slot, index) = environment.slots.reserve(owner: id, random: context.random.uint32()) else {
            environment.counters.refusedSlots += 1
            return nil
        }
        let time = context.clock.next(wallSeconds: context.wallSeconds)
        var secret = context.random.bytes(32)
        defer { wipe(&secret) }
        let scope: HandshakeScope
        let fields: InitFields
        switch environment.kind {
        case .link:
            scope = .link
            fields = InitFields(
                seconds: time.seconds, count: time.count, caps: 0,
                largestDatagram: context.configuration.largestDatagram, sealModes: 3, lanes: environment.kind.lanes,
                bootID: context.bootID)
        case .flow:
            scope = .endToEnd(initiator: context.identity.address, responder: address)
            fields = InitFields(
                seconds: time.seconds, count: time.count, caps: 0, largestDatagram: context.configuration.largestBody,
                sealModes: 0, lanes: environment.kind.lanes, bootID: context.bootID)
        }
        guard
            let initiator = Initiator(
                identity: context.identity, peer: peer, scope: scope, network: context.network,
                ephemeralSecret: secret, index: index, offeredSuites: context.configuration.suites, fields: fields)
        else {
            _ = environment.slots.end(slot)
            return nil
        }
        return (initiator, slot)
    }

    private mutating func send(
        now: Instant, _ environment: inout HandshakeEnvironment, _ context: inout ControlContext
    ) -> [HandshakeEffect] {
        guard var handshake = open else { return [] }
        handshake.tries += 1
        handshake.sends += 1
        handshake.sent = now
        let delay = RetrySchedule.delay(
            tries: handshake.tries, elapsed: now.milliseconds(since: handshake.began), eager: isEager,
            jitter: &context.jitter)
        handshake.nextTry = now.advanced(byNanoseconds: delay)
        open = handshake
        environment.counters.initSent += 1
        return [.initiate(handshake.initiator.message(cookie: cookieInUse(now: now)))]
    }
}
