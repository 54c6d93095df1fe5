public import HyphaBase
import HyphaWire

extension Router {
    /// IHUs that settle a stock node's link cost in one go: with each, its estimate moves by a tenth towards the round
    /// trip time.
    static let burst = 60
    /// Between those IHUs and our first Update, in milliseconds: a stock node handles them in different tasks, and must
    /// pass the Update on with the settled cost.
    static let introductionDelay: UInt64 = 20
    /// Least time between two changes of a link's cost in use, in milliseconds.
    static let costSpacing: UInt64 = 1_000

    /// A link is up, or has a new session: everything known through it is forgotten first.
    ///
    /// A stock node starts with a cost of 1000 and measures from the moment at which it added us, once per IHU. The side
    /// that accepted learns of the connection half a round trip after the other one, so its IHUs take the right time by
    /// themselves; the side that dialled waits for one round trip.
    public mutating func neighbourUp(_ id: NeighbourID, _ link: NeighbourLink, now: Instant) {
        clock = max(clock, now)
        if neighbours.contains(id) {
            if mutant == .noFlush { return }
            removeNeighbour(id)
        }
        var neighbour = Neighbour(
            id: id, link: link, limits: configuration.limits, epoch: newEpoch(), firstHello: clock, now: clock)
        if link.kind == .stock {
            let wait = link.isDialled ? UInt64(link.roundTrip ?? 0) : 0
            let burst = clock.advanced(byMilliseconds: wait)
            neighbour.burstDue = burst
            neighbour.nextHello = burst.advanced(byMilliseconds: Router.introductionDelay)
        } else {
            neighbour.introductionDue = clock
        }
        guard neighbours.insert(neighbour) else {
            counters.count(.neighboursFull)
            return
        }
        neighbourTimer(id)
    }

    /// A link is down: everything known through it is forgotten.
    public mutating func neighbourDown(_ id: NeighbourID, now: Instant) {
        clock = max(clock, now)
        removeNeighbour(id)
    }

    /// The neighbour has a new session that this node had no need of. If it has surely forgotten what it heard, it hears
    /// all routes again; else a Hello tells it how many Updates there were. Nothing of what it said is forgotten here.
    public mutating func neighbourRenewed(_ id: NeighbourID, hasForgotten: Bool, now: Instant) {
        clock = max(clock, now)
        guard let neighbour = neighbours[id], neighbour.kind == .hypha, neighbour.introductionDue == nil else { return }
        if hasForgotten {
            let epoch = newEpoch()
            _ = neighbours.update(id) { $0.sent = SentUpdates(epoch: epoch) }
            introduce(to: id)
        } else {
            sendHello(to: id)
        }
    }

    /// One more than the last one, so that a neighbour knows which of two is over.
    private mutating func newEpoch() -> UInt16 {
        epoch &+= 1
        return epoch
    }

    /// The link layer measured a round trip time, in milliseconds.
    public mutating func costChanged(_ id: NeighbourID, roundTrip: UInt16, now: Instant) {
        clock = max(clock, now)
        _ = neighbours.update(id) { $0.cost.measure(milliseconds: roundTrip) }
        followCost(id)
    }

    /// The link layer hears nothing for the moment: nothing new is put on the link, nothing is announced.
    public mutating func neighbourSuspect(_ id: NeighbourID, now: Instant) {
        clock = max(clock, now)
        _ = neighbours.update(id) { $0.isSuspect = true }
    }

    /// The link layer hears the neighbour (again).
    public mutating func neighbourAlive(_ id: NeighbourID, now: Instant) {
        clock = max(clock, now)
        let time = clock
        _ = neighbours.update(id) { neighbour in
            neighbour.isSuspect = false
            if neighbour.kind == .hypha { neighbour.heard = time }
        }
        scheduleNeighbour(id)
    }

    mutating func handleHello(_ hello: BabelTLV.Hello, from id: NeighbourID) {
        counters.count(.hellos)
        // The link layer is nearer to a stock neighbour, which takes the time until the answer for the length of the way.
        guard neighbours.kind(of: id) == .hypha else { return }
        sendIHU(to: id)
        guard let progress = hello.progress else { return }
        let time = clock
        _ = neighbours.update(id) { neighbour in
            neighbour.received.note(progress, now: time)
            if let heard = progress.heard { neighbour.sent.note(heard: heard) }
            if !neighbour.isBeingToldAll { neighbour.sent.awaitConfirmation(now: time) }
        }
        scheduleNeighbour(id)
    }

    mutating func handleIHU(from id: NeighbourID) {
        counters.count(.ihus)
        let time = clock
        _ = neighbours.update(id) { neighbour in
            neighbour.cost.sample(milliseconds: time.milliseconds(since: neighbour.helloSent ?? neighbour.upSince))
            neighbour.heard = time
        }
        followCost(id)
        scheduleNeighbour(id)
    }

    private mutating func sendIHU(to id: NeighbourID) {
        guard let neighbour = neighbours[id] else { return }
        urgent.append(.send(.ihu(answer(to: neighbour)), to: id))
    }

    /// What a neighbour's Hellos are answered with.
    private func answer(to neighbour: Neighbour) -> BabelTLV.IHU {
        let interval: UInt16 = neighbour.kind == .stock ? 6000 : UInt16(clamping: configuration.hyphaHello / 10 * 3)
        return BabelTLV.IHU(receiveCost: neighbour.metric.value, interval: interval)
    }

    /// Has the Hellos of a stock neighbour answered: from the IHUs of its introduction on, which answer those before.
    private mutating func answerHellos(of id: NeighbourID) {
        guard let neighbour = neighbours[id], neighbour.kind == .stock, neighbour.burstDue == nil else { return }
        urgent.append(.answerHellos(of: id, with: answer(to: neighbour)))
    }

    /// Takes a changed cost into use if that is notable.
    private mutating func followCost(_ id: NeighbourID) {
        guard let neighbour = neighbours[id], LinkCost.isNotable(neighbour.metric, neighbour.cost.metric),
            clock.milliseconds(since: neighbour.metricSince) >= Router.costSpacing
                || neighbour.metricSince == neighbour.upSince
        else { return }
        let time = clock
        _ = neighbours.update(id) { neighbour in
            neighbour.metric = neighbour.cost.metric
            neighbour.metricSince = time
        }
        answerHellos(of: id)
        for number in 0..<table.routeEnd {
            if let route = table.liveRoute(number), route.neighbour == id { reconsider(Int(route.destination)) }
        }
    }

    private mutating func removeNeighbour(_ id: NeighbourID) {
        guard let neighbour = neighbours[id] else { return }
        var affected: [Int] = []
        // Connections that come and go without a word cost no look at the table.
        for number in 0..<(neighbour.routeCount > 0 ? table.routeEnd : 0) {
            guard let route = table.liveRoute(number), route.neighbour == id else { continue }
            removeRoute(UInt32(truncatingIfNeeded: number))
            affected.append(Int(route.destination))
        }
        neighbours.remove(id)
        neighbourTimers.set(Int(id.value), nil)
        for destination in affected { reconsider(destination) }
    }

    private func deadAfter(_ kind: NeighbourLink.Kind) -> UInt64 {
        kind == .stock ? configuration.stockDeadAfter : configuration.hyphaDeadAfter
    }

    func scheduleNeighbourDeadline(_ neighbour: Neighbour) -> Instant {
        neighbour.nextDeadline(deadAfter: deadAfter(neighbour.kind))
    }

    mutating func scheduleNeighbour(_ id: NeighbourID) {
        guard let neighbour = neighbours[id] else { return }
        neighbourTimers.set(Int(id.value), scheduleNeighbourDeadline(neighbour))
    }

    mutating func neighbourTimer(_ id: NeighbourID) {
        guard let neighbour = neighbours[id] else { return }
        if clock >= neighbour.heard.advanced(byMilliseconds: deadAfter(neighbour.kind)) {
            counters.count(.neighboursDead)
            urgent.append(.neighbourDead(id))
            removeNeighbour(id)
            return
        }
        if let due = neighbour.burstDue, clock >= due {
            for _ in 0..<Router.burst { sendIHU(to: id) }
            let introduction = clock.advanced(byMilliseconds: Router.introductionDelay)
            _ = neighbours.update(id) { neighbour in
                neighbour.burstDue = nil
                neighbour.introductionDue = introduction
            }
            answerHellos(of: id)
        } else if let due = neighbour.introductionDue, clock >= due {
            _ = neighbours.update(id) { $0.introductionDue = nil }
            introduce(to: id)
        }
        if clock >= neighbour.nextHello { sendHello(to: id) }
        checkTimer(id)
        roomTimer(id)
        missingTimer(id)
        refreshTimer(id)
        if neighbour.dumpPosition != nil, clock >= neighbour.dumpContinues { continueDump(to: id) }
        followCost(id)
        scheduleNeighbour(id)
    }

    mutating func sendHello(to id: NeighbourID) {
        guard let neighbour = neighbours[id] else { return }
        let isStock = neighbour.kind == .stock
        let period = isStock ? configuration.stockHello : configuration.hyphaHello
        var progress = isStock ? nil : neighbour.sent.progress
        progress?.heard = neighbour.received.heard
        let hello = BabelTLV.Hello(
            seqno: neighbour.helloSeqno, interval: UInt16(clamping: period / 10), progress: progress)
        urgent.append(.send(.hello(hello), to: id))
        let time = clock
        _ = neighbours.update(id) { neighbour in
            neighbour.helloSeqno &+= 1
            neighbour.helloSent = time
            neighbour.nextHello = time.advanced(byMilliseconds: period)
        }
    }

    /// What a neighbour hears first: our prefixes, then what is being asked for, then, if it keeps all routes, those.
    private mutating func introduce(to id: NeighbourID) {
        guard let neighbour = neighbours[id] else { return }
        if neighbour.kind == .stock { enqueue(.own(id)) }
        for query in requests.all where query.ingress != id {
            enqueue(.tlv(.routeRequest(.init(generation: query.generation, prefix: query.prefix)), id))
        }
        if neighbour.kind == .stock { seekLost(at: id) }
        for prefix in neighbour.missed { enqueue(.route(prefix, id)) }
        _ = neighbours.update(id) { $0.missed = [] }
        // The neighbour may have kept what it heard in an earlier session: it has to hear also what is gone.
        if neighbour.kind == .hypha { startDump(to: id, isComplete: true) }
    }
}
