import HyphaBase
import HyphaWire

/// What the neighbours are told, and when.
extension Router {
    /// The next thing to do, nil when there is nothing until the next event or deadline.
    public mutating func poll() -> RouterAction? {
        while true {
            if let action = urgent.popFirst() { return action }
            if let action = held.take() { return action }
            guard produce() else { return nil }
        }
    }

    // MARK: Planning

    /// The metric and router id to announce a prefix with; infinite when there is nothing to announce.
    private func announceable(_ number: Int) -> (metric: Metric, routerID: UInt32) {
        let selected = table[number].selected
        guard configuration.isTransit, !isStopping, selected != RouteTable.none else { return (.infinite, 0) }
        let route = table[route: selected]
        guard let neighbour = neighbours[route.neighbour] else { return (.infinite, 0) }
        let total = route.metric + neighbour.metric
        // At the end of the scale sums stop rising, and with them the proof that no loop can close.
        return total > route.metric ? (total, route.routerID) : (.infinite, 0)
    }

    /// Sets when a prefix is announced next, if what would be said differs from what was said.
    mutating func planAnnouncement(_ number: Int) {
        let state = table[number].announcement
        guard !state.isQueued else { return }
        let (metric, routerID) = announceable(number)
        let due = UpdateScheduler.due(
            UpdateScheduler.change(from: state, to: metric, routerID: routerID), state, now: clock)
        if due <= clock {
            table[number].announcement.due = .distantFuture
            table[number].announcement.isQueued = true
            announcements.append(.destination(number))
        } else {
            table[number].announcement.due = due
        }
    }

    mutating func enqueue(_ outgoing: Outgoing) {
        guard outbox.count < configuration.limits.outbox || mutant == .unboundedTables else {
            return counters.count(.outboxFull)
        }
        outbox.append(outgoing)
    }

    // MARK: Sending

    /// Makes the next action, or some progress towards it. False when nothing waits.
    private mutating func produce() -> Bool {
        if var current = broadcast {
            guard let id = neighbours.next(after: current.last) else {
                broadcast = nil
                return true
            }
            current.last = id
            broadcast = current
            let isReliable = neighbours[id]?.kind == .stock
            guard id != current.except, !(current.isRepetition && isReliable) else { return true }
            guard neighbours[id]?.introductionDue == nil, neighbours[id]?.burstDue == nil else {
                if isReliable { postpone(current.update, for: id) }
                return true
            }
            send(current.update, to: id)
            return true
        }
        if let announced = announcements.popFirst() {
            switch announced {
            case .destination(let number): announce(number)
            case .repetition(let number): announceAgain(number)
            case .own(let place): broadcast = Broadcast(update: ownUpdate(ownPrefixes[place]))
            case .ownRepetition(let place):
                broadcast = Broadcast(update: ownUpdate(ownPrefixes[place]), isRepetition: true)
            }
            return true
        }
        if let outgoing = outbox.popFirst() {
            switch outgoing {
            case .tlv(let tlv, let id): if neighbours.contains(id) { held = .send(tlv, to: id) }
            case .own(let id):
                guard neighbours.contains(id) else { return true }
                for prefix in ownPrefixes { urgent.append(.send(.update(ownUpdate(prefix, to: id)), to: id)) }
            case .route(let prefix, let id):
                if let number = table.number(of: prefix) { tell(number, to: id) }
            case .poison(let prefix, let id):
                guard let number = table.number(of: prefix), table[number].selected != RouteTable.none,
                    table[route: table[number].selected].neighbour == id, neighbours.contains(id)
                else { return true }
                send(retraction(of: prefix), to: id)
            case .retraction(let prefix, let id):
                guard neighbours.contains(id) else { return true }
                if let number = table.number(of: prefix), table[number].selected != RouteTable.none {
                    tell(number, to: id)
                } else {
                    send(retraction(of: prefix), to: id)
                }
            }
            return true
        }
        if let id = dumpReady.popFirst() {
            stepDump(to: id)
            return true
        }
        return false
    }

    /// Announcements kept for a stock node until its introduction. It asks for the others when it needs them.
    static let missedMax = 1_024

    /// A stock node hears of a route after its introduction, when it knows what the link costs.
    private mutating func postpone(_ update: BabelTLV.Update, for id: NeighbourID) {
        guard update.metric != Metric.infinite.value, !ownPrefix.contains(update.prefix.address) else { return }
        _ = neighbours.update(id) { neighbour in
            guard neighbour.missed.count < Router.missedMax, neighbour.missed.last != update.prefix else { return }
            neighbour.missed.append(update.prefix)
        }
    }

    /// A retraction carries the router id of the node that retracts.
    private func retraction(of prefix: Prefix) -> BabelTLV.Update {
        BabelTLV.Update(
            prefix: prefix, routerID: own.id, seqno: own.seqno.value, metric: Metric.infinite.value,
            interval: configuration.stockInterval)
    }

    private func ownUpdate(_ prefix: Prefix, to id: NeighbourID) -> BabelTLV.Update {
        var update = ownUpdate(prefix)
        update.interval = interval(for: id)
        return update
    }

    private mutating func send(_ update: BabelTLV.Update, to id: NeighbourID) {
        var update = update
        update.interval = interval(for: id)
        held = .send(.update(update), to: id)
    }

    /// The selected route has another router id than what was announced. Its next hop may hold that announcement and use
    /// it: between two router ids feasibility does not exclude that. It is told at once that it holds no more.
    mutating func poisonNextHop(_ number: Int) {
        let destination = table[number]
        guard configuration.isTransit, destination.selected != RouteTable.none,
            !destination.announcement.metric.isInfinite || destination.announcement.isToldToSome
        else { return }
        let route = table[route: destination.selected]
        guard destination.announcement.metric.isInfinite || route.routerID != destination.announcement.routerID else {
            return
        }
        table[number].announcement.poisonsNextHop = true
        enqueue(.poison(destination.prefix, route.neighbour))
    }

    /// A prefix to all neighbours, as it is now.
    private mutating func announce(_ number: Int) {
        guard table.contains(number) else { return }
        table[number].announcement.isQueued = false
        let (metric, routerID) = announceable(number)
        let state = table[number].announcement
        if case .none = UpdateScheduler.change(from: state, to: metric, routerID: routerID) {
            return schedule(number)
        }
        startBroadcast(number, metric, routerID: routerID, isRepetition: false)
    }

    private mutating func announceAgain(_ number: Int) {
        guard table.contains(number) else { return }
        table[number].announcement.isRepeatQueued = false
        let state = table[number].announcement
        let (metric, routerID) = announceable(number)
        // What has changed in the meantime is announced in its own time.
        if metric.isInfinite == state.metric.isInfinite, metric.isInfinite || routerID == state.routerID {
            startBroadcast(number, metric, routerID: routerID, isRepetition: true)
        } else {
            schedule(number)
        }
    }

    private mutating func startBroadcast(_ number: Int, _ metric: Metric, routerID: UInt32, isRepetition: Bool) {
        var metric = metric
        var update = retraction(of: table[number].prefix)
        var except: NeighbourID?
        if !metric.isInfinite {
            let route = table[route: table[number].selected]
            if recordDistance(number, routerID: routerID, seqno: route.seqno, metric: metric) {
                update.routerID = ids[routerID]
                update.seqno = route.seqno.value
                update.metric = metric.value
                except = route.neighbour
            } else {
                counters.count(.sourcesFull)
                metric = .infinite
            }
        } else if table[number].selected != RouteTable.none, configuration.isTransit, !isStopping {
            counters.count(.metricExhausted)
        }
        if isRepetition {
            counters.count(.repeats)
            table[number].announcement.repeats += 1
        } else {
            counters.count(metric.isInfinite ? .retractions : .announcements)
            UpdateScheduler.noteSent(
                &table[number].announcement, isRetraction: metric.isInfinite, now: clock)
            table[number].announcement.repeats = 0
            table[number].announcement.isToldToSome = false
        }
        table[number].announcement.metric = metric
        table[number].announcement.routerID = routerID
        table[number].announcement.repeatDue = UpdateScheduler.repeatDue(
            done: table[number].announcement.repeats, isRetraction: metric.isInfinite, now: clock)
        if let except, table[number].announcement.poisonsNextHop {
            enqueue(.poison(table[number].prefix, except))
        }
        if table[number].announcement.repeatDue == .distantFuture { table[number].announcement.poisonsNextHop = false }
        broadcast = Broadcast(update: update, except: except, isRepetition: isRepetition)
        // The feasibility distance may have fallen: forwarding hears of it before anybody else can act on it.
        install(number)
        schedule(number)
    }

    /// A prefix to one neighbour, as it is now; nothing if there is no route or the neighbour is the next hop.
    private mutating func tell(_ number: Int, to id: NeighbourID) {
        let (metric, routerID) = announceable(number)
        guard !metric.isInfinite, neighbours.contains(id) else { return }
        let route = table[route: table[number].selected]
        guard route.neighbour != id else { return }
        guard recordDistance(number, routerID: routerID, seqno: route.seqno, metric: metric) else {
            return counters.count(.sourcesFull)
        }
        if table[number].announcement.metric.isInfinite { table[number].announcement.isToldToSome = true }
        send(
            BabelTLV.Update(
                prefix: table[number].prefix, routerID: ids[routerID], seqno: route.seqno.value,
                metric: metric.value, interval: configuration.stockInterval), to: id)
        install(number)
        schedule(number)
    }

    // MARK: Dumps

    /// A new session's dumps follow each other sooner: nothing repairs what is missing from the first ones. In
    /// milliseconds.
    static let firstRefreshes: [UInt64] = [2_000, 8_000]

    /// Between dumps to hypha nodes, in milliseconds: longer for large tables, so that no more than 500 Updates a second
    /// are due on average.
    var refreshPeriod: UInt64 {
        min(650_000, max(configuration.hyphaRefresh, UInt64(table.destinationCount) * 2))
    }

    /// The interval promised to a neighbour in centiseconds: until the next dump, or as stock nodes expect it.
    private func interval(for id: NeighbourID) -> UInt16 {
        neighbours[id]?.kind == .hypha ? UInt16(clamping: refreshPeriod / 10) : configuration.stockInterval
    }

    /// Starts to send all routes to a neighbour, a few at a time.
    mutating func startDump(to id: NeighbourID) {
        counters.count(.dumps)
        let period = refreshPeriod
        let time = clock
        enqueue(.own(id))
        _ = neighbours.update(id) { neighbour in
            neighbour.dumpPosition = 0
            guard neighbour.kind == .hypha else { return }
            let first = Router.firstRefreshes
            let wait = Int(neighbour.dumps) < first.count ? min(period, first[Int(neighbour.dumps)]) : period
            neighbour.refreshDue = time.advanced(byMilliseconds: wait)
            neighbour.dumps = neighbour.dumps == .max ? .max : neighbour.dumps + 1
        }
        continueDump(to: id)
    }

    /// Grants the next few routes.
    mutating func continueDump(to id: NeighbourID) {
        let rate = configuration.limits.dump
        let next = clock.advanced(byMilliseconds: max(1, rate.burst * 1000 / max(1, rate.perSecond)))
        let wasReady = neighbours.update(id) { neighbour in
            neighbour.dumpAllowance = rate.burst
            neighbour.dumpContinues = next
            defer { neighbour.isDumpReady = true }
            return neighbour.isDumpReady
        }
        if wasReady == false { dumpReady.append(id) }
        scheduleNeighbour(id)
    }

    /// Sends the next route of a dump.
    private mutating func stepDump(to id: NeighbourID) {
        guard let neighbour = neighbours[id] else { return }
        guard var position = neighbour.dumpPosition, neighbour.dumpAllowance > 0 else {
            _ = neighbours.update(id) { $0.isDumpReady = false }
            return
        }
        while position < table.destinationEnd, held == nil {
            if table.contains(position), table[position].selected != RouteTable.none { tell(position, to: id) }
            position += 1
        }
        let isDone = position >= table.destinationEnd
        _ = neighbours.update(id) { neighbour in
            neighbour.dumpPosition = isDone ? nil : position
            neighbour.dumpAllowance -= 1
            if isDone { neighbour.isDumpReady = false }
        }
        if !isDone { dumpReady.append(id) }
        if isDone { scheduleNeighbour(id) }
    }
}
