import HyphaBase
import HyphaIdentity
import HyphaInterchange
import HyphaSession
import HyphaWire

/// Makes links, keeps them alive and forgets them: handshakes with neighbours, dialling, endpoints.
struct LinkSupervisor: Sendable {
    private(set) var book: PeerBook
    private var environment: HandshakeEnvironment
    private var deadlines = DeadlineHeap()
    private var changes: [LinkChange] = []

    init(table: SessionTable, context: inout ControlContext, now: Instant) {
        let configuration = context.configuration
        let capacity = max(configuration.maxPeers, configuration.peers.count)
        // Ids from there on are those of TCP links.
        book = PeerBook(capacity: min(capacity, Int(configuration.links.firstStream)))
        environment = HandshakeEnvironment(kind: .link, table: table)
        for (i, peer) in configuration.peers.enumerated() where book.links(with: peer.key).isEmpty {
            // Entries with one key are one peer with several hosts.
            let hosts = configuration.peers.filter { $0.key == peer.key }
                .map { Dialer.Host(name: $0.host, port: $0.port) }
            let id = book.add(key: peer.key) { id in
                Link(
                    id: id, key: peer.key, own: context.identity.publicKey, configured: i,
                    dialer: Dialer(hosts: hosts),
                    seal: peer.seal ?? configuration.seal, now: now)
            }
            guard let id else { continue }
            if peer.key == context.identity.publicKey {
                context.log(.error, key: "peer-self", "peer \(peer.host): its key is this node's own; not dialled")
                continue
            }
            perform(id, now: now, &context) { link, _, context in
                LinkSupervisor.resolve(&link, now: now, &context)
                return []
            }
        }
    }

    var counters: HandshakeCounters { environment.counters }
    var nextDeadline: Instant? { deadlines.nextDeadline }

    /// Returns and clears what happened to links.
    mutating func takeChanges() -> [LinkChange] {
        defer { changes.removeAll() }
        return changes
    }

    /// Does what is due.
    mutating func advance(to now: Instant, _ context: inout ControlContext) {
        while let id = deadlines.popDue(now: now) {
            perform(id, now: now, &context) { link, environment, context in
                let effects = link.machine.advance(to: now, &environment, &context)
                if let probe = link.nextProbe, probe <= now {
                    link.nextProbe = now.advanced(byMilliseconds: Link.probeMilliseconds)
                    context.command(WorkerCommand(.probeLink, id: link.id))
                }
                guard let dialer = link.dialer else { return effects }
                switch dialer.state {
                case .resolving(let again) where again <= now:
                    return effects + LinkSupervisor.dial(&link, now: now, &environment, &context)
                case .resting(let until) where until <= now:
                    LinkSupervisor.resolve(&link, now: now, &context)
                default: break
                }
                return effects
            }
            if let link = book[id], let at = link.forgetAt, at <= now { forget(link, &context) }
        }
    }

    // MARK: - Inputs

    /// A datagram of types 1 to 3.
    mutating func receive(
        _ datagram: UnsafeRawBufferPointer, sender: SocketAddress, socket: UInt8, now: Instant,
        _ context: inout ControlContext
    ) {
        guard let bytes = datagram.baseAddress, LinkHeader.check(bytes, length: datagram.count) == .handshake else {
            environment.counters.refusedMalformed += 1
            return
        }
        let message = Array(datagram)
        let path = HandshakePath.underlay(sender, socket: socket)
        if message.count == HandshakeMessage.initSize {
            receive(initiation: message, path, sender, now: now, &context)
            return
        }
        let isResponse = message.count == HandshakeMessage.respSize
        guard let index = HandshakeMessage.receiverIndex(of: message), let id = environment.slots.owner(index: index)
        else {
            if isResponse { environment.counters.refusedResp += 1 } else { environment.counters.refusedCookie += 1 }
            return
        }
        perform(id, now: now, &context) { link, environment, context in
            if isResponse {
                return link.machine.receive(response: message, from: path, now: now, &environment)
            }
            link.machine.receive(cookieMessage: message, index: index, now: now, &environment, &context)
            return []
        }
    }

    private mutating func receive(
        initiation message: [UInt8], _ path: HandshakePath, _ sender: SocketAddress, now: Instant,
        _ context: inout ControlContext
    ) {
        guard
            ReceivedInit.checkMAC1(
                message: message, identity: context.identity, scope: .link, network: context.network)
        else {
            environment.counters.refusedMAC1 += 1
            return
        }
        environment.counters.initReceived += 1
        if let mac1 = HandshakeMessage.mac1(of: message),
            let answer = environment.answers.answer(mac1: mac1, source: path.overlaySource, now: now),
            let reply = book[answer.owner]?.machine.repeated(answer, to: path, now: now)
        {
            environment.counters.respRepeated += 1
            perform(answer.owner, now: now, &context) { link, _, _ in
                link.machine.answeredAgain(answer, now: now)
                return [reply]
            }
            return
        }
        guard
            let received = ReceivedInit(
                message: message, identity: context.identity, scope: .link, network: context.network),
            received.initiatorKey != context.identity.publicKey
        else {
            environment.counters.refusedInit += 1
            return
        }
        let key = received.initiatorKey
        let seal = context.configuration.seal
        let added = book.link(with: key, over: sender) == nil
        let id =
            book.link(with: key, over: sender)
            ?? book.add(key: key) { id in
                Link(
                    id: id, key: key, own: context.identity.publicKey, configured: nil, dialer: nil,
                    seal: seal, now: now)
            }
        guard let id else {
            environment.counters.refusedPeerCap += 1
            context.log(
                .warning, key: "peer-cap",
                "refused a peer: all \(book.capacity) places are taken; raise the number of peers to let more in")
            return
        }
        perform(id, now: now, &context) { link, environment, context in
            link.machine.receive(
                initiation: received, message: message, from: path, now: now, &environment, &context)
        }
        if added, let link = book[id], link.machine.slots.isEmpty { forget(link, &context) }
    }

    /// The first packet came in under the link session in `slot`.
    mutating func sessionConfirmed(link id: UInt32, slot: UInt32, now: Instant, _ context: inout ControlContext) {
        perform(id, now: now, &context) { link, environment, _ in
            link.machine.confirmed(slot: slot, now: now, &environment)
        }
    }

    /// The session in `slot` nears a limit. Only the one in use is renewed.
    mutating func rekeyDue(link id: UInt32, slot: UInt32, now: Instant, _ context: inout ControlContext) {
        perform(id, now: now, &context) { link, environment, context in
            guard link.machine.slots.current?.slot == slot else { return [] }
            return link.machine.begin(now: now, &environment, &context)
        }
    }

    /// The neighbour was sent something and nothing came back for long.
    mutating func silent(link id: UInt32, now: Instant, _ context: inout ControlContext) {
        perform(id, now: now, &context) { link, environment, context in
            guard link.isConnected else { return [] }
            if let dialer = link.dialer {
                if case .resting = dialer.state { return [] }
                if !link.isSilent { LinkSupervisor.ask(link, &context) }
            }
            if !link.isSilent {
                context.log(
                    .warning, key: link.configured == nil ? "guest" : "peer-\(link.id)",
                    "peer \(context.name(link)) does not answer; asking it for a new session")
            }
            link.isSilent = true
            link.lastSilent = now
            return link.machine.peerIsSilent(now: now, &environment, &context)
        }
        down(id)
    }

    /// The neighbour is heard, but the others have lost what it said: a new session makes both ends begin afresh.
    mutating func renew(link id: UInt32, now: Instant, _ context: inout ControlContext) {
        perform(id, now: now, &context) { link, environment, context in
            guard link.isConnected else { return [] }
            return link.machine.begin(now: now, &environment, &context)
        }
        down(id)
    }

    /// Tells the others once that a link with a session is of no use.
    private mutating func down(_ id: UInt32) {
        guard let link = book[id], link.isConnected, !link.isDown else { return }
        _ = book.update(id) { $0.isDown = true }
        changes.append(.down(id))
    }

    mutating func sessionRetired(slot: UInt32) { environment.slots.retired(slot) }

    /// The answer to a `resolve` action.
    mutating func resolved(
        link id: UInt32, host: String, port: UInt16, addresses: [ResolvedAddress], now: Instant,
        _ context: inout ControlContext
    ) {
        perform(id, now: now, &context) { link, environment, context in
            if let endpoint = link.endpoint, let known = addresses.first(where: { $0.address == endpoint }) {
                link.pathLimit = known.largestDatagram == 0 ? nil : known.largestDatagram
            }
            link.dialer?.answered(host: host, port: port, addresses)
            guard let dialer = link.dialer, case .resolving = dialer.state, !dialer.isWaiting else { return [] }
            return LinkSupervisor.dial(&link, now: now, &environment, &context)
        }
    }

    /// True when `link` may have one more answer to a probe or challenge.
    mutating func mayAnswer(link id: UInt32, now: Instant) -> Bool {
        book.update(id) { $0.answerLimit.take(now: now) } ?? false
    }

    // MARK: - Effects

    /// Lets `change` act on a link, does what comes out of it, and keeps the link's timer and what others know of it.
    private mutating func perform(
        _ id: UInt32, now: Instant, _ context: inout ControlContext,
        _ change: (inout Link, inout HandshakeEnvironment, inout ControlContext) -> [HandshakeEffect]
    ) {
        guard var link = book[id] else { return }
        for effect in change(&link, &environment, &context) { apply(effect, to: &link, now: now, &context) }
        settle(&link, now: now, &context)
        _ = book.update(id) { $0 = link }
        deadlines.set(id, link.nextDeadline)
    }

    private mutating func apply(
        _ effect: HandshakeEffect, to link: inout Link, now: Instant, _ context: inout ControlContext
    ) {
        switch effect {
        case .initiate(let message):
            initiate(message, on: &link, now: now, &context)
        case .reply(let message, let path):
            guard case .underlay(let sender, let socket) = path else { return }
            send(message, to: sender, socket: socket, &context)
        case .install(let session):
            if link.announced == nil { move(&link, to: session.path, limit: session.largestDatagram, &context) }
            context.command(WorkerCommand(.installLinkSession, id: link.id, slot: session.slot))
        case .established(let session, let isCurrent):
            established(session, isCurrent: isCurrent, on: &link, now: now, &context)
        case .confirm(let slot):
            context.command(WorkerCommand(.confirmLinkSession, id: link.id, slot: slot))
        case .retire(let slot):
            context.command(WorkerCommand(.retireLinkSession, id: link.id, slot: slot))
        case .gaveUp:
            gaveUp(&link, now: now, &context)
        }
    }

    private mutating func initiate(
        _ message: [UInt8], on link: inout Link, now: Instant, _ context: inout ControlContext
    ) {
        let tries = link.machine.open?.tries ?? 1
        let id = link.id
        let key = link.key
        // A link in good order is renewed where it is. Otherwise all addresses have their turn.
        let isRenewal = link.isConnected && !link.isSilent
        let target: SocketAddress?
        if let dialer = link.dialer, !isRenewal {
            target = dialer.target(tries: tries, endpoint: link.isConnected ? link.endpoint : nil) {
                book.isTaken(key, over: $0, except: id)
            }
        } else {
            target = link.endpoint
        }
        guard let target else {
            link.machine.abandon(&environment)
            link.dialer?.rest(now: now, jitter: &context.jitter)
            return
        }
        let socket = target == link.endpoint && link.announced != nil ? link.socket : self.socket(for: target, context)
        send(message, to: target, socket: socket, &context)
    }

    private mutating func established(
        _ session: HeldSession, isCurrent: Bool, on link: inout Link, now: Instant, _ context: inout ControlContext
    ) {
        move(&link, to: session.path, limit: session.largestDatagram, &context)
        if isCurrent {
            let wait = (link.machine.roundTrip.smoothed ?? 0) / 1_000_000
            context.command(
                WorkerCommand(
                    .sendWithLinkSession, id: link.id, slot: session.slot,
                    value: UInt32(min(wait, Link.longestRoundTrip))))
        }
        if link.isSilent {
            context.log(
                .info, key: link.configured == nil ? "guest" : "peer-\(link.id)",
                "peer \(context.name(link)) answers again")
        }
        let isAnotherRun = link.bootID.map { $0 != session.bootID } ?? false
        // `settle` tells of the first session.
        if link.wasConnected {
            if isAnotherRun || link.isDown {
                changes.append(.up(link.id))
            } else {
                let isEarly = now.milliseconds(since: link.lastSession) < Link.earlyMilliseconds
                changes.append(.renewed(link.id, session.isInitiator ? .own : isEarly ? .early : .neighbours))
            }
        }
        link.bootID = session.bootID
        link.lastSession = now
        link.isDown = false
        link.isSilent = false
        link.dialer?.connected()
        if link.dialer != nil { link.nextProbe = now.advanced(byMilliseconds: Link.probeMilliseconds) }
        if !link.isKnown {
            link.isKnown = true
            context.owners.learn(link.machine.address)
            changes.append(.known(link.key))
        }
        if link.pathLimit == nil, let endpoint = link.endpoint {
            context.actions.append(
                .resolve(link: link.id, host: LinkSupervisor.text(of: endpoint), port: endpoint.port))
        }
    }

    private mutating func gaveUp(_ link: inout Link, now: Instant, _ context: inout ControlContext) {
        if link.isSilent || link.dialer != nil {
            context.log(
                .warning, key: "gave-up-\(link.id)",
                "peer \(context.name(link)): no answer for 90 s; is it running, is its key right, does UDP get there?")
        }
        // Not when packets came in meanwhile.
        if link.isSilent, now.milliseconds(since: link.lastSilent) < Link.silenceMilliseconds {
            for effect in link.machine.reset(&environment) { apply(effect, to: &link, now: now, &context) }
        }
        // Packets come in: it is as good as any.
        if link.isDown, link.isConnected {
            link.isDown = false
            changes.append(.up(link.id))
        }
        link.isSilent = false
        link.dialer?.rest(now: now, jitter: &context.jitter)
    }

    /// After every input: sessions that ended, what others must know, a new dial when nothing is left.
    private mutating func settle(_ link: inout Link, now: Instant, _ context: inout ControlContext) {
        if link.machine.slots.isEmpty {
            if link.emptySince == nil { link.emptySince = now }
        } else {
            link.emptySince = nil
        }
        if !link.isConnected {
            link.nextProbe = nil
            link.isSilent = false
            link.isDown = false
            if link.machine.open == nil, let dialer = link.dialer, link.key != context.identity.publicKey {
                if dialer.state == .idle || dialer.state == .dialing {
                    LinkSupervisor.resolve(&link, now: now, &context)
                }
            }
        }
        announce(&link, context: &context)
        guard link.isConnected != link.wasConnected else { return }
        link.wasConnected = link.isConnected
        context.isForwardingChanged = true
        changes.append(link.isConnected ? .up(link.id) : .down(link.id))
        let place = link.endpoint.map { " at \($0)" } ?? ""
        // Guests come and go in numbers: their lines are limited together.
        context.log(
            .info, key: link.configured == nil ? "guest" : "peer-\(link.id)",
            "peer \(context.name(link))\(place) is \(link.isConnected ? "up" : "down")")
    }

    /// Takes on where a session came from, and what its peer takes.
    private mutating func move(
        _ link: inout Link, to path: HandshakePath, limit: UInt16, _ context: inout ControlContext
    ) {
        guard case .underlay(let sender, let socket) = path else { return }
        if link.endpoint != sender {
            link.pathLimit = link.dialer?.addresses.first { $0.address == sender }
                .flatMap { $0.largestDatagram == 0 ? nil : $0.largestDatagram }
        }
        link.endpoint = sender
        link.socket = socket
        link.peerLimit = limit
        announce(&link, creating: true, context: &context)
    }

    /// Tells the worker where the link goes, if that is news and the worker knows the link or is to know it.
    private func announce(_ link: inout Link, creating: Bool = false, context: inout ControlContext) {
        guard creating || link.announced != nil, let endpoint = link.endpoint else { return }
        let limit = min(link.pathLimit ?? context.configuration.defaultDatagram, link.peerLimit)
        let announced = Link.Announced(endpoint: endpoint, socket: link.socket, largestDatagram: limit)
        guard announced != link.announced else { return }
        link.announced = announced
        context.command(
            WorkerCommand(
                .setLink, id: link.id, value: UInt32(limit) | WorkerCommand.sealBits(link.seal), socket: link.socket,
                endpoint: endpoint))
    }

    private mutating func forget(_ link: Link, _ context: inout ControlContext) {
        if link.announced != nil { context.command(WorkerCommand(.removeLink, id: link.id)) }
        if link.isKnown {
            context.owners.forget(link.machine.address)
            changes.append(.forgotten(link.key))
        }
        deadlines.set(link.id, nil)
        book.remove(link.id)
    }

    private static func resolve(_ link: inout Link, now: Instant, _ context: inout ControlContext) {
        link.dialer?.resolve(now: now)
        ask(link, &context)
    }

    /// Asks the name service about the hosts of a configured peer.
    private static func ask(_ link: Link, _ context: inout ControlContext) {
        for host in link.dialer?.hosts ?? [] {
            context.actions.append(.resolve(link: link.id, host: host.name, port: host.port))
        }
    }

    /// The name service has said what it has to say: begins a handshake, or waits when there is nobody to send to.
    private static func dial(
        _ link: inout Link, now: Instant, _ environment: inout HandshakeEnvironment, _ context: inout ControlContext
    ) -> [HandshakeEffect] {
        guard let dialer = link.dialer else { return [] }
        guard !dialer.addresses.isEmpty else {
            link.dialer?.restUnresolved(now: now, jitter: &context.jitter)
            let names = dialer.hosts.map(\.name).joined(separator: ", ")
            context.log(.warning, key: "resolve-\(link.id)", "peer \(context.name(link)): \(names) has no address")
            return []
        }
        link.dialer?.state = .dialing
        return link.machine.begin(now: now, &environment, &context)
    }

    private func send(
        _ message: [UInt8], to address: SocketAddress, socket: UInt8, _ context: inout ControlContext
    ) {
        context.actions.append(
            .inject(
                InjectedPacket(kind: .datagram, length: message.count, socket: socket, destination: address), message))
    }

    private func socket(for address: SocketAddress, _ context: ControlContext) -> UInt8 {
        address.isIPv4 ? context.configuration.ipv4Socket : context.configuration.ipv6Socket
    }

    /// An address as a resolver takes it.
    private static func text(of address: SocketAddress) -> String {
        if let v4 = address.address.mappedIPv4 {
            return "\(v4 >> 24).\(v4 >> 16 & 255).\(v4 >> 8 & 255).\(v4 & 255)"
        }
        return address.scope == 0 ? "\(address.address)" : "\(address.address)%\(address.scope)"
    }
}
