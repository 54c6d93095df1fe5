import HyphaBase
import HyphaIdentity

extension HandshakeMachine {
    /// An opened INIT of the peer's: answers it, or asks for a cookie if its time is stale. Nothing in it counts before
    /// a packet comes in under the session.
    mutating func receive(
        initiation received: ReceivedInit, message: [UInt8], from path: HandshakePath, now: Instant,
        _ environment: inout HandshakeEnvironment, _ context: inout ControlContext
    ) -> [HandshakeEffect] {
        context.cookies.rotate(now: now, random: &context.random)
        let times = slots.times(confirmed: confirmedTime)
        switch times.verdict(initTime: received.fields.time, mac2Valid: false) {
        case .respond:
            return respond(to: received, message, path, byCookie: false, now: now, &environment, &context)
        case .respondByCookie, .cookie:
            if context.cookies.isCarried(by: message, from: path) {
                return respond(to: received, message, path, byCookie: true, now: now, &environment, &context)
            }
            environment.counters.refusedStale += 1
            return cookieReply(to: message, path, now: now, &environment, &context)
        }
    }

    /// The answer to a repeated INIT, if its session still waits for its first packet.
    func repeated(_ answer: AnswerCache.Answer, to path: HandshakePath, now: Instant) -> HandshakeEffect? {
        guard slots.isPending(answer.slot) else { return nil }
        return .reply(withCookie(answer.response, now: now), path)
    }

    /// It went out: its session waits as long as after the first time.
    mutating func answeredAgain(_ answer: AnswerCache.Answer, now: Instant) {
        slots.answeredAgain(slot: answer.slot, now: now)
    }

    private mutating func respond(
        to received: ReceivedInit, _ message: [UInt8], _ path: HandshakePath, byCookie: Bool, now: Instant,
        _ environment: inout HandshakeEnvironment, _ context: inout ControlContext
    ) -> [HandshakeEffect] {
        guard let (slot, index) = environment.slots.reserve(owner: id, random: context.random.uint32()) else {
            environment.counters.refusedSlots += 1
            return []
        }
        var secret = context.random.bytes(32)
        defer { wipe(&secret) }
        let both = received.offeredSuites & context.configuration.suites
        let suite = both & DataSuite.aes256GCM != 0 ? DataSuite.aes256GCM : DataSuite.chaCha20Poly1305
        guard
            let (response, secrets) = received.respond(
                ephemeralSecret: secret, index: index, suite: suite,
                fields: responseFields(index: index, path, environment, context))
        else {
            environment.counters.refusedInit += 1
            _ = environment.slots.end(slot)
            return []
        }
        environment.counters.respSent += 1
        let session = HeldSession(
            slot: slot, remoteIndex: received.senderIndex, isInitiator: false, suite: suite, lanes: secrets.lanes,
            created: now, path: path, largestDatagram: received.fields.largestDatagram,
            bootID: received.fields.bootID,
            initTime: received.fields.time, settled: now, isConfirmed: false)
        prepare(session, index: index, peerModes: received.fields.sealModes, secrets, environment)
        environment.slots.install(slot)
        if let mac1 = HandshakeMessage.mac1(of: message) {
            environment.answers.insert(
                AnswerCache.Answer(
                    mac1: mac1, source: path.overlaySource, owner: id, slot: slot, response: response,
                    until: now.advanced(byMilliseconds: AnswerCache.lifeMilliseconds)))
        }
        var effects: [HandshakeEffect] = [.install(session), .reply(withCookie(response, now: now), path)]
        let replaced = byCookie ? slots.hold(byCookie: session) : slots.hold(next: session)
        if let replaced {
            environment.counters.answeredDropped += 1
            retire(replaced, &environment, &effects)
        }
        return effects
    }

    private func cookieReply(
        to message: [UInt8], _ path: HandshakePath, now: Instant, _ environment: inout HandshakeEnvironment,
        _ context: inout ControlContext
    ) -> [HandshakeEffect] {
        guard environment.cookieLimit.take(now: now) else { return [] }
        let reply = Cookie.make(
            answering: message, cookie: context.cookies.cookie(for: path),
            nonce: context.random.bytes(Cookie.nonceSize), identity: context.identity,
            scope: answeringScope(environment, context))
        environment.counters.cookieSent += 1
        return [.reply(reply, path)]
    }

    private func responseFields(
        index: UInt32, _ path: HandshakePath, _ environment: HandshakeEnvironment, _ context: ControlContext
    ) -> RespFields {
        switch path {
        case .underlay(let sender, _):
            RespFields(
                observedAddress: sender.address, observedPort: sender.port,
                largestDatagram: context.configuration.largestDatagram, caps: 0, sealModes: 3,
                lanes: environment.kind.lanes,
                idleLimit: 0, bootID: context.bootID,
                resetToken: ResetToken.token(identity: context.identity, index: index))
        case .overlay:
            RespFields(
                observedAddress: IPv6Address(high: 0, low: 0), observedPort: 0,
                largestDatagram: context.configuration.largestBody, caps: 0, sealModes: 0,
                lanes: environment.kind.lanes,
                idleLimit: 0, bootID: context.bootID, resetToken: [])
        }
    }

    private func withCookie(_ response: [UInt8], now: Instant) -> [UInt8] {
        guard let cookie = cookieInUse(now: now) else { return response }
        return Cookie.applyMAC2(to: response, cookie: cookie)
    }
}
