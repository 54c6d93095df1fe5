public import HyphaBase
public import HyphaIdentity
public import HyphaInterchange
public import HyphaSession
public import HyphaWire

/// The control plane of one node as a value: no clock, no thread, no system call.
///
/// Inputs are the `handle` functions and `resolved`; then `poll` gives what is to be done, in order, until it gives nil.
/// Time: call `advance(to:)` once `now` reaches `nextDeadline`. `now` never goes back. The same inputs with the same
/// random source give the same outputs.
public struct ControlLoop: Sendable {
    var context: ControlContext
    private var links: LinkSupervisor
    var streams: StreamSupervisor
    private var flows: FlowSupervisor
    var routes: RouteControl
    private var compiler = FIBCompiler()
    /// /64s that packets wait for and that the next forwarding table has a route to.
    var found = FoundRoutes()
    /// Questions for ways back to those whose handshakes were answered.
    var wayBackLimit = TokenBucket(rate: 10, burst: 50)
    /// When the connections end and the worker is told to drain; nil while nobody asked for that.
    private var drainAt: Instant?

    /// The tables are those of the worker's port, over memory that outlives this value. `wallSeconds`: seconds since
    /// 1970. The first actions are there at once.
    public init(
        configuration: ControlConfiguration, identity: NodeIdentity, network: NetworkKeys, random: any RandomSource,
        linkSessions: SessionTable, flowSessions: SessionTable, wallSeconds: UInt64, now: Instant
    ) {
        context = ControlContext(
            configuration: configuration, identity: identity, network: network, random: random,
            wallSeconds: wallSeconds, now: now)
        links = LinkSupervisor(table: linkSessions, context: &context, now: now)
        streams = StreamSupervisor(context: &context, now: now)
        flows = FlowSupervisor(table: flowSessions, configuration)
        routes = RouteControl(configuration, identity: identity, seed: context.random.uint64(), now: now)
        for route in configuration.routes where route.key != identity.publicKey {
            context.owners.learn(route.key.address)
            flows.refer(to: route.key, now: now, &context)
        }
        settle(now: now)
    }

    /// True once the worker has drained.
    public private(set) var isDrained = false

    /// Ends forwarding: neighbours hear that this node's prefixes are gone, TCP connections are closed in order, then the
    /// worker sends what is queued and stops.
    public mutating func drain(now: Instant) {
        guard drainAt == nil else { return }
        routes.stop(now: now)
        streams.stop()
        // What the neighbours are told overtakes no command: connections end when it is on its way.
        drainAt = streams.count == 0 ? now : now.advanced(byMilliseconds: ControlLoop.farewellMilliseconds)
        settle(now: now)
        drainIfDue(now: now)
    }

    /// Between the last words on TCP links and their end.
    static let farewellMilliseconds: UInt64 = 100

    private mutating func drainIfDue(now: Instant) {
        guard let time = drainAt, time <= now else { return }
        drainAt = .distantFuture
        streams.closeAll(&context)
        context.command(WorkerCommand(.drain))
    }

    /// This node's own key.
    public var publicKey: PublicKey { context.identity.publicKey }

    /// Under which this node announces its prefixes; nil without route control. Seldom another one is drawn.
    public var routerID: RouterID? { routes.routerID }

    /// Seconds since 1970 by the wall clock, for the times in INITs. To be kept current.
    public var wallSeconds: UInt64 {
        get { context.wallSeconds }
        set { context.wallSeconds = newValue }
    }

    /// When `advance` has something to do; nil: never by itself.
    public var nextDeadline: Instant? {
        .earliest(
            .earliest(
                .earliest(links.nextDeadline, flows.nextDeadline),
                .earliest(routes.nextDeadline, compiler.nextDeadline)),
            .earliest(streams.nextDeadline, drainAt == .distantFuture ? nil : drainAt))
    }

    /// What is to be done next; nil when there is nothing.
    public mutating func poll() -> ControlAction? { context.actions.popFirst() }

    /// Does what is due at `now`.
    public mutating func advance(to now: Instant) {
        links.advance(to: now, &context)
        flows.advance(to: now, &context)
        streams.advance(to: now, &context)
        routes.advance(to: now)
        settle(now: now)
        drainIfDue(now: now)
    }

    /// A packet that the worker handed over: head and bytes.
    public mutating func handle(_ punt: PuntedPacket, _ bytes: UnsafeRawBufferPointer, now: Instant) {
        switch punt.kind {
        case .handshake: handleHandshake(bytes, sender: punt.sender, socket: punt.socket, now: now)
        case .overlay: handleOverlay(bytes, link: punt.link, now: now)
        case .linkControl: handleLinkControl(bytes, link: punt.link, now: now)
        case .flowControl: handleFlowControl(bytes)
        case .streamOpened: handleOpened(bytes, connection: punt.link, remote: punt.sender, now: now)
        case .streamControl: handleStreamControl(bytes, connection: punt.link, now: now)
        }
    }

    /// A datagram of types 1 to 3, not authenticated.
    public mutating func handleHandshake(
        _ datagram: UnsafeRawBufferPointer, sender: SocketAddress, socket: UInt8, now: Instant
    ) {
        links.receive(datagram, sender: sender, socket: socket, now: now, &context)
        settle(now: now)
    }

    /// Routing header and body of an overlay packet for this node: end-to-end handshake or error.
    public mutating func handleOverlay(_ packet: UnsafeRawBufferPointer, link: UInt32, now: Instant) {
        let own = context.identity.address
        switch PuntHandler.overlay(packet) {
        case .handshake(let kind, let message, let source, let destination):
            guard destination == own else {
                context.count.overlayRefused += 1
                return
            }
            let answers = flows.counters.answers
            flows.receive(kind, message, source: source, link: link, now: now, &context)
            if flows.counters.answers != answers { seekWayBack(to: source, now: now) }
            settle(now: now)
        case .error(let code, _, let index, let quotedSource, let quotedDestination):
            guard quotedSource.high == own.high else {
                context.count.errorRefused += 1
                return
            }
            switch code {
            case .noRoute: context.count.errorNoRoute += 1
            case .hopLimit: context.count.errorHopLimit += 1
            case .tooBig: context.count.errorTooBig += 1
            case .unknownSession:
                guard flows.unknownSession(at: quotedDestination, index: index, now: now, &context) else {
                    context.count.errorRefused += 1
                    return
                }
                context.count.errorUnknownSession += 1
                settle(now: now)
            }
        case .badError: context.count.errorRefused += 1
        case .bad: context.count.overlayRefused += 1
        }
    }

    /// Control entries of an authentic message of the neighbour on `link`.
    public mutating func handleLinkControl(_ message: UnsafeRawBufferPointer, link: UInt32, now: Instant) {
        guard let control = PuntHandler.linkControl(message) else {
            context.count.linkControlRefused += 1
            return
        }
        context.count.linkControlIgnored += UInt64(control.ignored)
        if !control.routing.isEmpty {
            if !routes.receive(control.routing, from: link, now: now) {
                links.renew(link: link, now: now, &context)
            }
            settle(now: now)
        }
        guard !control.answers.isEmpty, links.book[link]?.isConnected == true else { return }
        guard links.mayAnswer(link: link, now: now) else {
            context.count.linkControlLimited += 1
            return
        }
        context.count.probesAnswered += UInt64(control.probes)
        context.count.challengesAnswered += UInt64(control.challenges)
        var answer: [UInt8] = []
        for entry in control.answers {
            var bytes: [UInt8] = []
            entry.append(to: &bytes)
            // An answer can be longer than its question: what does not fit one packet is left out.
            guard answer.count + bytes.count <= InjectedPacket.maxPacket else { break }
            answer += bytes
        }
        context.actions.append(
            .inject(InjectedPacket(kind: .linkControl, length: answer.count, link: link), answer))
    }

    /// Control entries of an authentic end-to-end body, behind its routing header.
    public mutating func handleFlowControl(_ packet: UnsafeRawBufferPointer) {
        if PuntHandler.flowControl(packet) {
            context.count.flowControlReceived += 1
        } else {
            context.count.flowControlRefused += 1
        }
    }

    /// What the worker told.
    public mutating func handle(_ notice: Notice, now: Instant) {
        switch notice.kind {
        case .linkSessionConfirmed:
            links.sessionConfirmed(link: notice.id, slot: notice.slot, now: now, &context)
        case .linkRekeyDue: links.rekeyDue(link: notice.id, slot: notice.slot, now: now, &context)
        case .linkSilent: links.silent(link: notice.id, now: now, &context)
        case .linkSessionRetired: links.sessionRetired(slot: notice.slot)
        case .flowSessionConfirmed:
            flows.sessionConfirmed(peer: notice.id, slot: notice.slot, now: now, &context)
        case .flowRekeyDue: flows.rekeyDue(peer: notice.id, slot: notice.slot, now: now, &context)
        case .flowSilent: flows.silent(peer: notice.id, now: now, &context)
        case .flowNeeded: flows.needed(peer: notice.id, now: now, &context)
        case .flowSessionRetired: flows.sessionRetired(slot: notice.slot)
        case .routeNeeded: needRoute(notice.prefix, now: now)
        case .routeUsed: routes.used(notice.prefix, now: now)
        case .streamClosed: streams.closed(notice.id, StreamClosing(slot: notice.slot), now: now, &context)
        case .streamFailed: streams.dialFailed(number: notice.id, error: notice.slot, now: now, &context)
        case .streamsLimited: streams.limited(notice.prefix, now: now, &context)
        case .streamRoundTrip: measured(connection: notice.id, microseconds: notice.slot, now: now)
        case .stockPrefixLow: renewStockPrefix()
        case .peerMarked: flows.marked(peer: notice.id, &context)
        case .peerExposed: flows.exposed(peer: notice.id, now: now, &context)
        case .peerFellBack: flows.fellBack(peer: notice.id, now: now, &context)
        case .drained: isDrained = true
        }
        settle(now: now)
    }

    /// The answer to a `resolve` action, with what it asked: addresses in order of preference, none when it failed.
    public mutating func resolved(
        link: UInt32, host: String, port: UInt16, addresses: [ResolvedAddress], now: Instant
    ) {
        if link & StreamSupervisor.resolveBit != 0 {
            streams.resolved(id: link, host: host, port: port, addresses: addresses, now: now, &context)
        } else {
            links.resolved(link: link, host: host, port: port, addresses: addresses, now: now, &context)
        }
        settle(now: now)
    }

    /// The snapshot of a `publish` action was not taken; another comes in 5 ms.
    public mutating func publicationRefused(now: Instant) {
        context.count.publicationsRefused += 1
        compiler.refused(now: now)
        for prefix in context.actions.withdrawFoundRoutes() { found.insert(prefix) }
    }

    public var counters: ControlCounters {
        var all = context.count
        all.link = links.counters
        all.flow = flows.counters
        all.parkedRejected = flows.rejected
        all.peersEvicted = flows.evicted
        return all
    }

    /// Everything at a moment.
    public func status(now: Instant) -> NodeStatus {
        NodeStatus(
            key: context.identity.publicKey, address: context.identity.address,
            links: links.book.ids.compactMap { links.book[$0] }
                .map { LinkStatus($0, configuration: context.configuration, now: now) },
            streams: streams.status(now: now),
            peers: flows.book.ids.compactMap { flows.book[$0] }.map { PeerStatus($0, now: now) }, counters: counters,
            routing: routes.figures)
    }

    /// After every input: what one part has to know of the other, and the forwarding table.
    mutating func settle(now: Instant) {
        for change in links.takeChanges() {
            switch change {
            case .known(let key):
                flows.refer(to: key, now: now, &context)
                flows.prove(key, &context)
            case .forgotten(let key): flows.release(key, now: now, &context)
            case .up(let id):
                context.isForwardingChanged = true
                if let link = links.book[id] {
                    routes.linkUp(link, now: now)
                    streams.linkUp(id, link.key, now: now, &context)
                }
            case .down(let id):
                context.isForwardingChanged = true
                routes.linkDown(id, now: now)
                streams.linkDown(id, now: now, &context)
            case .renewed(let id, let renewal):
                if let link = links.book[id] { routes.linkRenewed(link, renewal, now: now) }
            }
        }
        for change in streams.takeChanges() {
            switch change {
            case .up(let link, let connection, let neighbour):
                routes.streamUp(link, connection: connection, neighbour, now: now)
            case .down(let link): routes.streamDown(link, now: now)
            }
        }
        for change in routes.perform(&context) {
            switch change {
            case .known(let key):
                context.owners.learn(key.address)
                flows.refer(to: key, now: now, &context)
            case .forgotten(let key):
                context.owners.forget(key.address)
                flows.release(key, now: now, &context)
            case .hint(let key, let isHinted): flows.hint(key, isHinted, &context)
            case .unheard(let id): links.renew(link: id, now: now, &context)
            case .dead(let link): streams.neighbourDead(link, &context)
            case .found(let prefix): found.insert(prefix)
            case .notFound(let prefix): refuseRoute(prefix)
            }
        }
        let subnets = context.owners.takeChanged()
        if !subnets.isEmpty {
            flows.subnetsChanged(subnets, &context)
            context.isForwardingChanged = true
        }
        if context.isForwardingChanged {
            context.isForwardingChanged = false
            compiler.changed()
        }
        if let snapshot = compiler.compile(
            links: links.book, flows: flows, routes: routes, context: context, now: now)
        {
            context.count.published += 1
            context.actions.append(.publish(snapshot))
        }
        // Behind the table that has them: a worker that hears of a route looks for it there.
        if compiler.nextDeadline == nil {
            for prefix in found.takeAll() {
                context.command(.aboutRoute(.routeResolved, to: prefix))
                flows.repeatAnswers(in: prefix, now: now, &context)
            }
        }
    }
}
