import HyphaBase
import HyphaIdentity
import HyphaInterchange
import HyphaRouting

/// Makes TCP links, lets others make them, and forgets them: dialling, limits on who may come in, the log.
///
/// The worker owns the connections. What it tells of them comes by two rings, so an end can come in before its beginning,
/// and the beginning of the next connection in a place before the end of the last: numbers of connections in one place
/// rise, which tells old from new.
struct StreamSupervisor: Sendable {
    /// Set in the ids of `resolve` actions of stream targets; the other bits are the target's number.
    static let resolveBit: UInt32 = 0x8000_0000
    static let configuredMax = 0x4000
    static let discoveredMax = 64
    /// Base of the cost of a link, as stock nodes have it.
    static let ipv4Cost: UInt16 = 15
    static let ipv6Cost: UInt16 = 10

    private struct Ended: Sendable {
        let connection: UInt32
        let closing: StreamClosing
    }

    let links: LinkNumbering
    /// Configured ones first, then places for those that were found.
    var targets: [StreamTarget?]
    let configuredCount: Int
    var deadlines = DeadlineHeap()
    /// By place.
    var connections: [StreamConnection?] = []
    private(set) var count = 0
    /// The last connection of each place that ended.
    private var ended: [Ended?] = []
    private(set) var gate = StreamGate()
    var linked = LinkedKeys()
    /// The upper half of the next dial number.
    var generation: UInt32 = 0
    private var changes: [StreamChange] = []
    var guestLines = TokenBucket(rate: 1, burst: 20)
    var refusalLine: Instant?
    var isStopping = false

    init(context: inout ControlContext, now: Instant) {
        links = context.configuration.links
        let peers = context.configuration.streamPeers.prefix(StreamSupervisor.configuredMax)
        targets = peers.enumerated().map { StreamTarget(number: UInt32($0), $1, now: now) }
        configuredCount = targets.count
        guard links.streams > 0 else {
            if configuredCount > 0 {
                context.log(.error, key: "stream-none", "TCP peers are not dialled: this node has no TCP links")
            }
            return
        }
        for number in 0..<UInt32(configuredCount) { update(number, now: now, &context) { _ in } }
        advance(to: now, &context)
    }

    var nextDeadline: Instant? { isStopping ? nil : deadlines.nextDeadline }

    /// All open connections, by place.
    var open: [StreamConnection] { connections.compactMap { $0 } }

    /// The open connection with this number.
    func open(_ id: UInt32) -> StreamConnection? {
        self[Int(id & 0xFFFF)].flatMap { $0.id == id ? $0 : nil }
    }

    /// Returns and clears what happened to links.
    mutating func takeChanges() -> [StreamChange] {
        defer { changes.removeAll() }
        return changes
    }

    /// Does what is due.
    mutating func advance(to now: Instant, _ context: inout ControlContext) {
        guard !isStopping else { return }
        while let number = deadlines.popDue(now: now) {
            guard let target = targets[Int(number)] else { continue }
            switch target.state {
            case .up: leave(number, now: now, &context)
            case .standby: break
            case .resting: begin(number, now: now, &context)
            case .resolving: dialRound(number, now: now, &context)
            case .dialling: failed(number, error: 110, now: now, &context)
            }
        }
    }

    // MARK: - Connections

    /// The link of an open connection that said something; nil when control does not know it.
    mutating func heard(_ connection: UInt32) -> UInt32? {
        let place = Int(connection & 0xFFFF)
        guard let known = self[place], known.id == connection, known.ending == nil else { return nil }
        if !known.hasSpoken {
            connections[place]?.hasSpoken = true
            gate.spoke(connection)
        }
        return known.link
    }

    /// A connection is there.
    mutating func opened(
        _ id: UInt32, _ opening: StreamOpening, remote: SocketAddress, now: Instant, _ context: inout ControlContext
    ) {
        let place = Int(id & 0xFFFF)
        let target = opening.isDialled ? dialling(opening.dial) : nil
        guard place < links.streams else {
            context.count.streamsRefusedCap += 1
            if let target { failed(target, error: 105, now: now, &context) }
            return reset(id, &context)
        }
        while connections.count <= place {
            connections.append(nil)
            ended.append(nil)
        }
        if let last = ended[place], !StreamSupervisor.isNewer(id, than: last.connection) {
            // It ended before control heard of it.
            if let target, last.connection == id {
                failed(target, error: UInt32(last.closing.error), now: now, &context)
            }
            return
        }
        if let old = connections[place] {
            guard StreamSupervisor.isNewer(id, than: old.id) else { return }
            end(old, StreamClosing(), now: now, &context)
        }
        // Stopping, or a dial that was given up.
        guard !isStopping, !opening.isDialled || target != nil else { return reset(id, &context) }
        if target == nil, !mayComeIn(remote, now: now, &context) { return reset(id, &context) }
        let connection = StreamConnection(
            id: id, link: links.link(connection: id), remote: remote, target: target, roundTrip: opening.roundTrip,
            opened: now)
        connections[place] = connection
        count += 1
        gate.opened(remote)
        if let target {
            context.count.streamsOpened += 1
            update(target, now: now, &context) { $0.connected(id, now: now) }
            planLeaving(target, now: now, &context)
        } else {
            context.count.streamsAccepted += 1
            if let oldest = gate.waits(id, now: now) {
                context.count.streamsGaveWay += 1
                finish(oldest, reason: "it said nothing, and others wait", &context)
            }
        }
        changes.append(
            .up(
                connection.link, id,
                NeighbourLink(
                    kind: .stock, baseCost: remote.isIPv4 ? StreamSupervisor.ipv4Cost : StreamSupervisor.ipv6Cost,
                    roundTrip: opening.roundTrip == 0 ? nil : StreamSupervisor.milliseconds(opening.roundTrip),
                    isDialled: target != nil)))
        log(connection, "is up", now: now, &context)
    }

    /// A connection ended.
    mutating func closed(_ id: UInt32, _ closing: StreamClosing, now: Instant, _ context: inout ControlContext) {
        let place = Int(id & 0xFFFF)
        guard place < links.streams else { return }
        while connections.count <= place {
            connections.append(nil)
            ended.append(nil)
        }
        if let last = ended[place], !StreamSupervisor.isNewer(id, than: last.connection) { return }
        ended[place] = Ended(connection: id, closing: closing)
        if let connection = connections[place], connection.id == id {
            end(connection, closing, now: now, &context)
        }
    }

    /// Notes a measured round trip; the link, or nil when the connection is not there any more.
    mutating func measured(_ id: UInt32, microseconds: UInt32) -> UInt32? {
        guard let connection = open(id), connection.ending == nil else { return nil }
        connections[Int(id & 0xFFFF)]?.roundTrip = microseconds
        return connection.link
    }

    /// Rounded.
    static func milliseconds(_ microseconds: UInt32) -> UInt16 {
        UInt16(clamping: (UInt64(microseconds) + 500) / 1_000)
    }

    /// The router hears nothing more from the neighbour on a link.
    mutating func neighbourDead(_ link: UInt32, _ context: inout ControlContext) {
        guard let connection = connection(link: link) else { return }
        context.count.streamsDead += 1
        finish(connection.id, reason: "it does not answer Hellos", &context)
    }

    /// The neighbour on a link announces this node's own router id: the other end is this node. The end that dialled
    /// closes, and knows whom not to dial.
    mutating func isOwn(_ link: UInt32, _ context: inout ControlContext) {
        guard let connection = connection(link: link), connection.ending == nil, let number = connection.target,
            let target = targets[Int(number)]
        else { return }
        if !target.isKnownAsOwn {
            context.log(
                .warning, key: "stream-\(number)", "peer \(name(target)) is this node itself; take it out of the peers")
        }
        targets[Int(number)]?.isKnownAsOwn = true
        connections[Int(connection.id & 0xFFFF)]?.isOwn = true
        finish(connection.id, reason: "it is this node itself", &context)
    }

    /// Takes nothing more in and dials nobody.
    mutating func stop() { isStopping = true }

    /// Ends all connections in order.
    mutating func closeAll(_ context: inout ControlContext) {
        for connection in open where connection.ending == nil {
            connections[Int(connection.id & 0xFFFF)]?.ending = "this node ends"
            context.command(WorkerCommand(.closeStream, id: connection.id))
        }
    }

    private subscript(place: Int) -> StreamConnection? { place < connections.count ? connections[place] : nil }

    func connection(link: UInt32) -> StreamConnection? {
        link >= links.firstStream ? self[Int(link - links.firstStream)] : nil
    }

    /// Whether one of two connections of a place came after the other.
    static func isNewer(_ id: UInt32, than other: UInt32) -> Bool {
        Int16(truncatingIfNeeded: (id >> 16) &- (other >> 16)) > 0
    }

    /// Whether there is a connection with the machine at an address.
    func isConnected(_ endpoint: SocketAddress) -> Bool {
        connections.contains { $0?.remote.address == endpoint.address && $0?.remote.scope == endpoint.scope }
    }

    private mutating func mayComeIn(
        _ remote: SocketAddress, now: Instant, _ context: inout ControlContext
    ) -> Bool {
        let reserved = targets.prefix(configuredCount).count { !($0?.isUp ?? true) }
        guard count + reserved < links.streams else {
            context.count.streamsRefusedCap += 1
            logRefusal("all \(links.streams) places are taken", "\(remote)", now: now, &context)
            return false
        }
        let isFamiliar = targets.prefix(configuredCount).contains { target in
            target?.addresses.contains { UnderlayGroup($0) == UnderlayGroup(remote) } ?? false
        }
        guard gate.admits(remote, isFamiliar: isFamiliar) else {
            context.count.streamsRefusedAddress += 1
            logRefusal("there are as many from its address as there may be", "\(remote)", now: now, &context)
            return false
        }
        return true
    }

    func reset(_ id: UInt32, _ context: inout ControlContext) {
        context.command(WorkerCommand(.closeStream, id: id, value: 1))
    }

    /// Ends a connection with RST or FIN. Its neighbour is gone at once, its place when the worker says so. False when it
    /// ends already.
    @discardableResult
    mutating func finish(
        _ id: UInt32, reason: String, isReset: Bool = true, _ context: inout ControlContext
    ) -> Bool {
        let place = Int(id & 0xFFFF)
        guard let connection = self[place], connection.id == id, connection.ending == nil else { return false }
        connections[place]?.ending = reason
        changes.append(.down(connection.link))
        context.command(WorkerCommand(.closeStream, id: id, value: isReset ? 1 : 0))
        return true
    }

    private mutating func end(
        _ connection: StreamConnection, _ closing: StreamClosing, now: Instant, _ context: inout ControlContext
    ) {
        connections[Int(connection.id & 0xFFFF)] = nil
        count -= 1
        gate.closed(connection.id, connection.remote)
        context.count.streamsClosed += 1
        if connection.ending == nil { changes.append(.down(connection.link)) }
        log(connection, "closed: \(connection.ending ?? "\(closing)")", now: now, &context)
        if !isStopping, let key = connection.key { wake(key, now: now, &context) }
        guard !isStopping, let number = connection.target, case .up(connection.id) = targets[Int(number)]?.state else {
            return
        }
        let lasted = now.milliseconds(since: connection.opened)
        let wasOfUse = connection.hasSpoken && lasted >= StreamTarget.usefulMilliseconds
        update(number, now: now, &context) { $0.disconnected(wasOfUse: wasOfUse, now: now) }
        if connection.isOwn {
            var jitter = context.jitter
            update(number, now: now, &context) { $0.restAsOwn(now: now, jitter: &jitter) }
            context.jitter = jitter
        } else {
            rest(number, now: now, &context)
        }
    }
}
