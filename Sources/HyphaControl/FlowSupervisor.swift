import HyphaBase
import HyphaIdentity
import HyphaInterchange
import HyphaSession
import HyphaWire

/// Keeps the end-to-end peers and their sessions: handshakes through the overlay, when packets ask for them.
struct FlowSupervisor: Sendable {
    private(set) var book: FlowBook
    private var environment: HandshakeEnvironment
    private var deadlines = DeadlineHeap()
    private(set) var rejected: UInt64 = 0
    private(set) var evicted: UInt64 = 0
    /// Keys of the configuration.
    private let configured: Set<PublicKey>
    private var proven = ProvenKeys()
    /// False: no end-to-end session is made, all peers get stock bodies.
    private let isNative: Bool

    init(table: SessionTable, _ configuration: ControlConfiguration) {
        book = FlowBook(capacity: configuration.maxSessions)
        environment = HandshakeEnvironment(kind: .flow, table: table)
        configured = Set(configuration.peers.map(\.key) + configuration.routes.flatMap { [$0.key, $0.via] })
        isNative = configuration.session != .classic
    }

    var counters: HandshakeCounters { environment.counters }
    var nextDeadline: Instant? { deadlines.nextDeadline }

    /// Does what is due.
    mutating func advance(to now: Instant, _ context: inout ControlContext) {
        while let id = deadlines.popDue(now: now) {
            perform(id, now: now, &context) { peer, environment, context in
                if let open = peer.machine.open, open.nextTry <= now, now >= peer.wantedUntil {
                    peer.machine.abandon(&environment)
                }
                return peer.machine.advance(to: now, &environment, &context)
            }
            if let peer = book[id], let at = peer.rejectAt, at <= now { reject(id, now: now, &context) }
            if let peer = book[id], let at = peer.forgetAt, at <= now { forget(peer, &context) }
        }
    }

    // MARK: - Peers

    /// A route or a link refers to the node with `key`, which is an end-to-end peer from now on if there is room.
    mutating func refer(to key: PublicKey, now: Instant, _ context: inout ControlContext) {
        guard key != context.identity.publicKey else { return }
        guard let id = book.id(of: key) ?? add(key, now: now, &context) else {
            context.log(
                .warning, key: "session-cap",
                "no end-to-end session with \(key.hex.prefix(16)): all \(book.capacity) places are taken by routes and "
                    + "links; raise the number of sessions to give it one")
            return
        }
        perform(id, now: now, &context) { peer, _, _ in
            peer.references += 1
            return []
        }
        announce(id, &context)
    }

    /// A route or a link refers to it no more.
    mutating func release(_ key: PublicKey, now: Instant, _ context: inout ControlContext) {
        guard let id = book.id(of: key) else { return }
        perform(id, now: now, &context) { peer, _, _ in
            peer.references = max(0, peer.references - 1)
            return []
        }
    }

    /// Tells the worker again whose the whole /64s are in which the number of known nodes changed.
    mutating func subnetsChanged(_ subnets: [UInt64], _ context: inout ControlContext) {
        for subnet in subnets {
            for id in book.ids(in: subnet) where book[id]?.announced != nil { announce(id, &context) }
        }
    }

    /// A link with the node with `key` has a session: it is native.
    mutating func prove(_ key: PublicKey, _ context: inout ControlContext) {
        proven.insert(key)
        guard let id = book.id(of: key) else { return }
        _ = book.update(id) { $0.isProven = true }
        announce(id, &context)
    }

    /// Whether a route says that the node with `key` is native.
    mutating func hint(_ key: PublicKey, _ isHinted: Bool, _ context: inout ControlContext) {
        guard let id = book.id(of: key) else { return }
        _ = book.update(id) { $0.isHinted = isHinted }
        announce(id, &context)
    }

    /// The id for forwarding, if the peer has a place.
    func id(of key: PublicKey) -> UInt32? { book.id(of: key) }

    // MARK: - Inputs

    /// A packet waits for a session with a peer.
    mutating func needed(peer id: UInt32, now: Instant, _ context: inout ControlContext) {
        guard isNative else {
            if book[id] != nil { reject(id, now: now, &context) }
            return
        }
        perform(id, now: now, &context) { peer, environment, context in
            peer.lastUse = now
            guard !peer.machine.isConnected else { return [] }
            peer.wantedUntil = now.advanced(byMilliseconds: FlowPeer.wantedMilliseconds)
            // Three seconds from the first INIT; when they are over, once a second.
            let pause = peer.rejected.map { $0.advanced(byMilliseconds: FlowPeer.rejectPauseMilliseconds) } ?? now
            guard now >= peer.restUntil else {
                peer.rejectAt = max(now, pause)
                return []
            }
            let began = peer.machine.open?.began ?? now
            peer.rejectAt = max(began.advanced(byMilliseconds: FlowPeer.rejectMilliseconds), pause)
            return peer.machine.begin(now: now, &environment, &context)
        }
        if let at = book[id]?.rejectAt, at <= now { reject(id, now: now, &context) }
    }

    /// The first packet came in under the session in `slot`.
    mutating func sessionConfirmed(peer id: UInt32, slot: UInt32, now: Instant, _ context: inout ControlContext) {
        perform(id, now: now, &context) { peer, environment, _ in
            peer.lastUse = now
            return peer.machine.confirmed(slot: slot, now: now, &environment)
        }
    }

    /// The session in `slot` nears a limit, and there is data to send.
    mutating func rekeyDue(peer id: UInt32, slot: UInt32, now: Instant, _ context: inout ControlContext) {
        perform(id, now: now, &context) { peer, environment, context in
            guard peer.machine.slots.current?.slot == slot else { return [] }
            peer.lastUse = now
            peer.wantedUntil = now.advanced(byMilliseconds: FlowPeer.rekeyMilliseconds)
            return peer.machine.begin(now: now, &environment, &context)
        }
    }

    /// The peer was sent data and nothing came back for a second.
    mutating func silent(peer id: UInt32, now: Instant, _ context: inout ControlContext) {
        perform(id, now: now, &context) { peer, environment, context in
            guard peer.machine.isConnected else { return [] }
            peer.lastUse = now
            peer.wantedUntil = now.advanced(byMilliseconds: FlowPeer.wantedMilliseconds)
            guard now >= peer.restUntil else { return [] }
            return peer.machine.peerIsSilent(now: now, &environment, &context)
        }
    }

    mutating func sessionRetired(slot: UInt32) { environment.slots.retired(slot) }

    /// A stock body of the peer carried the mark of a native node. The worker asks for a session when it has data.
    func marked(peer id: UInt32, _ context: inout ControlContext) {
        guard let peer = book[id] else { return }
        context.count.peersMarked += 1
        context.log(
            .debug, key: "marked", "peer \(peer.key.hex.prefix(16)) marks its stock bodies as those of a native node")
    }

    /// A peer that is known to be native gets stock bodies: no session with it comes about.
    mutating func fellBack(peer id: UInt32, now: Instant, _ context: inout ControlContext) {
        guard let peer = book[id] else { return }
        context.count.fellBack += 1
        if let last = peer.fellBack, now.milliseconds(since: last) < FlowPeer.fellBackMilliseconds { return }
        _ = book.update(id) { $0.fellBack = now }
        context.log(
            .warning, key: "fell-back",
            "peer \(peer.key.hex.prefix(16)) at \(peer.address) is known to speak native sessions and answers none: its "
                + "packets go in stock bodies for now, which anybody who has its key or ours could open")
    }

    /// So many stock bodies were exchanged with the peer that nonces may meet under the one key that they have in common.
    mutating func exposed(peer id: UInt32, now: Instant, _ context: inout ControlContext) {
        guard let peer = book[id] else { return }
        if let last = peer.exposed {
            guard now.milliseconds(since: last) >= FlowPeer.exposedMilliseconds else { return }
        } else {
            context.count.peersExposed += 1
        }
        _ = book.update(id) { $0.exposed = now }
        context.log(
            .warning, key: "exposed-\(id)",
            "peer \(peer.key.hex.prefix(16)) at \(peer.address): so many packets were exchanged with it as Mycelium seals "
                + "them, under one key that never changes, that two may soon have the same nonce, which would give their "
                + "contents away; run hypha there too, which changes its keys, or give one of the two nodes a new key")
    }

    /// Somebody says that the node at `address` does not know the session with receiver index `index`. A hint: it
    /// counts if that is the session in use, and starts one INIT a second at most. False when it is not ours.
    mutating func unknownSession(
        at address: IPv6Address, index: UInt32, now: Instant, _ context: inout ControlContext
    ) -> Bool {
        let candidates = book.id(at: address).map { [$0] } ?? book.ids(in: address.high)
        let id = candidates.first { book[$0]?.machine.slots.current?.remoteIndex == index }
        guard let id else { return false }
        perform(id, now: now, &context) { peer, environment, context in
            guard peer.hintLimit.take(now: now) else { return [] }
            peer.wantedUntil = now.advanced(byMilliseconds: FlowPeer.wantedMilliseconds)
            peer.machine.hasten(now: now)
            return peer.machine.begin(now: now, &environment, &context)
        }
        return true
    }

    /// An INIT, RESP or COOKIE from `source` to our own address, by `link`.
    mutating func receive(
        _ kind: RoutingHeader.Kind, _ message: [UInt8], source: IPv6Address, link: UInt32, now: Instant,
        _ context: inout ControlContext
    ) {
        let path = HandshakePath.overlay(source, link: link)
        if kind == .initiation {
            receive(initiation: message, path, source, now: now, &context)
            return
        }
        let isResponse = kind == .response
        guard let index = HandshakeMessage.receiverIndex(of: message), let id = environment.slots.owner(index: index),
            book[id]?.address == source
        else {
            if isResponse { environment.counters.refusedResp += 1 } else { environment.counters.refusedCookie += 1 }
            return
        }
        perform(id, now: now, &context) { peer, environment, context in
            if isResponse {
                return peer.machine.receive(response: message, from: path, now: now, &environment)
            }
            peer.machine.receive(cookieMessage: message, index: index, now: now, &environment, &context)
            return []
        }
    }

    /// There is a way now to the nodes in a /64: answers of the last seconds that wait for their first packet go out again.
    mutating func repeatAnswers(in subnet: UInt64, now: Instant, _ context: inout ControlContext) {
        for answer in environment.answers.answers(in: subnet, now: now) {
            let path = HandshakePath.overlay(answer.source, link: .max)
            guard let reply = book[answer.owner]?.machine.repeated(answer, to: path, now: now) else { continue }
            environment.counters.respRepeated += 1
            perform(answer.owner, now: now, &context) { peer, _, _ in
                peer.machine.answeredAgain(answer, now: now)
                return [reply]
            }
        }
    }

    private mutating func receive(
        initiation message: [UInt8], _ path: HandshakePath, _ source: IPv6Address, now: Instant,
        _ context: inout ControlContext
    ) {
        guard isNative else {
            environment.counters.refusedPolicy += 1
            return
        }
        let own = context.identity.address
        let scope = HandshakeScope.endToEnd(initiator: source, responder: own)
        guard source != own,
            ReceivedInit.checkMAC1(
                message: message, identity: context.identity, scope: scope, network: context.network)
        else {
            environment.counters.refusedMAC1 += 1
            return
        }
        environment.counters.initReceived += 1
        if let mac1 = HandshakeMessage.mac1(of: message),
            let answer = environment.answers.answer(mac1: mac1, source: source, now: now),
            let reply = book[answer.owner]?.machine.repeated(answer, to: path, now: now)
        {
            environment.counters.respRepeated += 1
            perform(answer.owner, now: now, &context) { peer, _, _ in
                peer.machine.answeredAgain(answer, now: now)
                return [reply]
            }
            return
        }
        guard
            let received = ReceivedInit(
                message: message, identity: context.identity, scope: scope, network: context.network)
        else {
            environment.counters.refusedInit += 1
            return
        }
        guard let id = book.id(of: received.initiatorKey) ?? add(received.initiatorKey, now: now, &context) else {
            environment.counters.refusedPeerCap += 1
            return
        }
        announce(id, &context)
        perform(id, now: now, &context) { peer, environment, context in
            peer.machine.receive(
                initiation: received, message: message, from: path, now: now, &environment, &context)
        }
        if let peer = book[id], let at = peer.forgetAt, at <= now { forget(peer, &context) }
    }

    // MARK: - Effects

    private mutating func perform(
        _ id: UInt32, now: Instant, _ context: inout ControlContext,
        _ change: (inout FlowPeer, inout HandshakeEnvironment, inout ControlContext) -> [HandshakeEffect]
    ) {
        guard var peer = book[id] else { return }
        for effect in change(&peer, &environment, &context) { apply(effect, to: &peer, now: now, &context) }
        if peer.machine.slots.isEmpty {
            if peer.emptySince == nil { peer.emptySince = now }
        } else {
            peer.emptySince = nil
        }
        _ = book.update(id) { $0 = peer }
        deadlines.set(id, peer.nextDeadline)
        if peer.announced != nil { announce(id, &context) }
    }

    private mutating func apply(
        _ effect: HandshakeEffect, to peer: inout FlowPeer, now: Instant, _ context: inout ControlContext
    ) {
        switch effect {
        case .initiate(let message):
            send(message, to: peer.address, &context)
        case .reply(let message, let path):
            send(message, to: path.overlaySource, &context)
        case .install(let session):
            context.command(WorkerCommand(.installFlowSession, id: peer.id, slot: session.slot))
        case .established(let session, let isCurrent):
            if isCurrent { context.command(WorkerCommand(.sendWithFlowSession, id: peer.id, slot: session.slot)) }
            peer.lastUse = now
            peer.rejectAt = nil
            peer.restUntil = .zero
            proven.insert(peer.key)
            peer.isProven = true
            if !peer.isKnown {
                peer.isKnown = true
                context.owners.learn(peer.address)
            }
        case .confirm(let slot):
            context.command(WorkerCommand(.confirmFlowSession, id: peer.id, slot: slot))
        case .retire(let slot):
            context.command(WorkerCommand(.retireFlowSession, id: peer.id, slot: slot))
        case .gaveUp:
            peer.restUntil = now.advanced(byMilliseconds: FlowPeer.restMilliseconds)
            if !peer.machine.isConnected, peer.rejectAt != nil { peer.rejectAt = now }
        }
    }

    /// Gives up what waits for a peer.
    private mutating func reject(_ id: UInt32, now: Instant, _ context: inout ControlContext) {
        rejected += 1
        context.command(WorkerCommand(.rejectParked, id: id))
        perform(id, now: now, &context) { peer, _, _ in
            peer.rejectAt = nil
            peer.rejected = now
            return []
        }
    }

    private mutating func add(_ key: PublicKey, now: Instant, _ context: inout ControlContext) -> UInt32? {
        if book.count == book.capacity, let idlest = book.idlest, let peer = book[idlest] {
            evicted += 1
            forget(peer, &context)
        }
        let own = context.identity.publicKey
        return book.add(key: key) { id in
            FlowPeer(
                id: id, key: key, own: own, isConfigured: configured.contains(key), isProven: proven.contains(key),
                now: now)
        }
    }

    private mutating func forget(_ peer: FlowPeer, _ context: inout ControlContext) {
        var machine = peer.machine
        for effect in machine.reset(&environment) {
            if case .retire(let slot) = effect {
                context.command(WorkerCommand(.retireFlowSession, id: peer.id, slot: slot))
            }
        }
        if peer.announced != nil { context.command(WorkerCommand(.removePeer, id: peer.id)) }
        if peer.isKnown { context.owners.forget(peer.address) }
        deadlines.set(peer.id, nil)
        book.remove(peer.id)
    }

    /// Tells the worker about a peer: its key, whether the whole /64 is its own, what it can do; if that is news.
    private mutating func announce(_ id: UInt32, _ context: inout ControlContext) {
        guard let peer = book[id] else { return }
        let bits = peer.bits(whole: context.owners.isAlone(peer.address))
        guard peer.announced != bits else { return }
        _ = book.update(id) { $0.announced = bits }
        var command = WorkerCommand(
            .setPeer, id: id, value: bits, endpoint: SocketAddress(address: peer.address, port: 0))
        command.key = WorkerCommand.KeyBytes(peer.key.bytes)
        context.command(command)
    }

    private func send(_ message: [UInt8], to destination: IPv6Address, _ context: inout ControlContext) {
        guard let kind = message.first.flatMap(RoutingHeader.Kind.init(rawValue:)) else { return }
        var packet = [UInt8](repeating: 0, count: RoutingHeader.size)
        packet.withUnsafeMutableBytes { bytes in
            guard let header = bytes.baseAddress else { return }
            RoutingHeader.write(
                header, kind: kind, hopLimit: RoutingHeader.defaultHopLimit, flowHash: 0,
                source: context.identity.address, destination: destination)
        }
        packet += message
        context.actions.append(.inject(InjectedPacket(kind: .overlay, length: packet.count), packet))
    }
}
