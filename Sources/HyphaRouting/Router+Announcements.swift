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
    func announceable(_ number: Int) -> (metric: Metric, routerID: UInt32) {
        let selected = table[number].selected
        guard configuration.isTransit, !isStopping, selected != RouteTable.none else { return (.infinite, 0) }
        let route = table[route: selected]
        guard let metric = neighbours.metric(of: route.neighbour) else { return (.infinite, 0) }
        let total = route.metric + metric
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
        if var current = broadcast.take() {
            guard let id = neighbours.next(after: current.last) else { return true }
            current.last = id
            let isFollowing = neighbours.isFollowing(id)
            for item in current.items where item.except != id {
                if isFollowing {
                    put(item.update, item.subject, to: id)
                } else if neighbours.kind(of: id) == .stock {
                    postpone(item.update, for: id)
                }
            }
            broadcast = current
            return true
        }
        if !announcements.isEmpty {
            // Updates that follow each other to one neighbour share its messages.
            var next = Broadcast()
            while next.items.count < Broadcast.capacity, let announced = announcements.popFirst() {
                switch announced {
                case .destination(let number): if let item = announce(number) { next.items.append(item) }
                case .own(let place):
                    next.items.append(
                        .init(update: ownUpdate(ownPrefixes[place]), subject: Router.subject(ownPlace: place)))
                }
            }
            if !next.items.isEmpty { broadcast = next }
            return true
        }
        if let outgoing = outbox.popFirst() {
            perform(outgoing)
            return true
        }
        if let id = dumpReady.popFirst() {
            stepDump(to: id)
            return true
        }
        return false
    }

    /// What waited for one neighbour has its turn.
    private mutating func perform(_ outgoing: Outgoing) {
        switch outgoing {
        case .tlv(let tlv, let id): if neighbours.contains(id) { held = .send(tlv, to: id) }
        case .own(let id): for place in ownPrefixes.indices { tellOwn(place, to: id) }
        case .route(let prefix, let id): if let number = table.number(of: prefix) { _ = tell(number, to: id) }
        case .poison(let prefix, let id):
            guard let number = table.number(of: prefix), table[number].selected != RouteTable.none,
                table[route: table[number].selected].neighbour == id
            else { return }
            put(retraction(of: prefix), UInt32(truncatingIfNeeded: number), to: id)
        case .retraction(let prefix, let id):
            if let number = table.number(of: prefix), table[number].selected != RouteTable.none {
                _ = tell(number, to: id)
            } else {
                let number = table.number(of: prefix).map { UInt32(truncatingIfNeeded: $0) }
                put(retraction(of: prefix), number ?? Router.noSubject, to: id)
            }
        case .again(let subject, let id):
            guard let number = Int(exactly: subject) else { return }
            if let place = ownPrefixes.indices.first(where: { Router.subject(ownPlace: $0) == subject }) {
                tellOwn(place, to: id)
            } else {
                tellAll(number, to: id)
            }
        case .answered(let id): sendHello(to: id)
        }
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

    /// A stock node is told of a route before its introduction. What becomes of it must reach it from now on; and the route
    /// once more, when it knows what the link costs.
    private mutating func noteAnswer(_ update: BabelTLV.Update, to id: NeighbourID) {
        guard update.metric != Metric.infinite.value, !neighbours.isIntroduced(id) else { return }
        _ = neighbours.update(id) { $0.isAnswered = true }
        postpone(update, for: id)
    }

    /// A retraction carries the router id of the node that retracts.
    private func retraction(of prefix: Prefix) -> BabelTLV.Update {
        BabelTLV.Update(
            prefix: prefix, routerID: own.id, seqno: own.seqno.value, metric: Metric.infinite.value,
            interval: configuration.stockInterval)
    }

    /// Makes an Update an action: with the interval that the neighbour expects and, where Updates have one, its serial.
    private mutating func put(_ update: BabelTLV.Update, _ subject: UInt32, to id: NeighbourID) {
        guard let kind = neighbours.kind(of: id) else { return }
        var update = update
        if kind == .hypha {
            update.interval = UInt16(clamping: refreshPeriod / 10)
            update.serial = number(subject, to: id)
        } else {
            update.interval = configuration.stockInterval
            noteAnswer(update, to: id)
        }
        urgent.append(.send(.update(update), to: id))
    }

    /// A neighbour becomes next hop that may have heard of the prefix under another router id than its own, because that was
    /// announced, or because some heard more than the others. It may use what it heard: between two router ids feasibility
    /// does not exclude that. It is told at once that it holds no more.
    mutating func poisonNextHop(_ number: Int) {
        let destination = table[number]
        guard configuration.isTransit, destination.selected != RouteTable.none else { return }
        let route = table[route: destination.selected]
        let announced = destination.announcement
        guard announced.isToldToSome || !announced.metric.isInfinite && route.routerID != announced.routerID else {
            return
        }
        enqueue(.poison(destination.prefix, route.neighbour))
    }

    /// The next hop of a prefix is not told of the route through it. When another one is used instead, it hears of that
    /// route, which may be all that it has left, unless all neighbours are about to.
    mutating func tellFormerNextHop(_ id: NeighbourID, of number: Int) {
        let destination = table[number]
        guard neighbours.contains(id), destination.selected != RouteTable.none, !destination.announcement.isQueued,
            table[route: destination.selected].neighbour != id
        else { return }
        enqueue(.route(destination.prefix, id))
    }

    /// A prefix for all neighbours, as it is now; nil if that was said before.
    private mutating func announce(_ number: Int) -> Broadcast.Item? {
        guard table.contains(number) else { return nil }
        table[number].announcement.isQueued = false
        var (metric, routerID) = announceable(number)
        let state = table[number].announcement
        if case .none = UpdateScheduler.change(from: state, to: metric, routerID: routerID) {
            schedule(number)
            return nil
        }
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
        counters.count(metric.isInfinite ? .retractions : .announcements)
        noteSuperseded(number)
        UpdateScheduler.noteSent(&table[number].announcement, isRetraction: metric.isInfinite, now: clock)
        table[number].announcement.isToldToSome = false
        table[number].announcement.metric = metric
        table[number].announcement.routerID = routerID
        // The feasibility distance may have fallen: forwarding hears of it before anybody else can act on it.
        install(number)
        schedule(number)
        return .init(update: update, subject: UInt32(truncatingIfNeeded: number), except: except)
    }

    /// A prefix to one neighbour, as it is now; nothing and false if there is no route or the neighbour is the next hop.
    private mutating func tell(_ number: Int, to id: NeighbourID) -> Bool {
        let (metric, routerID) = announceable(number)
        guard !metric.isInfinite, neighbours.contains(id) else { return false }
        let route = table[route: table[number].selected]
        guard route.neighbour != id else { return false }
        guard recordDistance(number, routerID: routerID, seqno: route.seqno, metric: metric) else {
            counters.count(.sourcesFull)
            return false
        }
        let announced = table[number].announcement
        if announced.metric.isInfinite || announced.routerID != routerID {
            table[number].announcement.isToldToSome = true
        }
        install(number)
        put(
            BabelTLV.Update(
                prefix: table[number].prefix, routerID: ids[routerID], seqno: route.seqno.value,
                metric: metric.value, interval: configuration.stockInterval), UInt32(truncatingIfNeeded: number),
            to: id)
        schedule(number)
        return true
    }

    /// The same, but whatever there is to know: that there is no route, if there was one, or none for this neighbour.
    private mutating func tellAll(_ number: Int, to id: NeighbourID) {
        guard table.contains(number), !tell(number, to: id) else { return }
        put(retraction(of: table[number].prefix), UInt32(truncatingIfNeeded: number), to: id)
    }

    private mutating func tellOwn(_ place: Int, to id: NeighbourID) {
        put(ownUpdate(ownPrefixes[place]), Router.subject(ownPlace: place), to: id)
    }

    // MARK: Dumps

    /// Between dumps to hypha nodes, in milliseconds: longer for large tables, so that dumps alone stay below 4 kbit/s.
    var refreshPeriod: UInt64 {
        min(650_000, max(configuration.hyphaRefresh, UInt64(table.destinationCount) * 150))
    }

    /// Starts to send all routes to a neighbour, a few at a time. A complete dump also says which prefixes have none. One that
    /// runs goes on until it is where it was now: to begin again might take it nowhere.
    mutating func startDump(to id: NeighbourID, isComplete: Bool = false) {
        counters.count(.dumps)
        let share = UInt64.random(in: 75...100, using: &seed)
        let period = refreshPeriod * share / 100
        let time = clock
        let count = table.destinationEnd
        enqueue(.own(id))
        _ = neighbours.update(id) { neighbour in
            neighbour.dumpIsComplete = isComplete || neighbour.dumpIsComplete && neighbour.dumpPosition != nil
            neighbour.dumpPosition = neighbour.dumpPosition ?? 0
            neighbour.dumpLeft = count
            if neighbour.dumpIsComplete { neighbour.sent.sayAnew() }
            neighbour.dumped = time
            neighbour.refreshShare = share
            if neighbour.kind == .hypha { neighbour.refreshDue = time.advanced(byMilliseconds: period) }
        }
        continueDump(to: id)
    }

    /// At `refreshDue`: the next dump, unless the table has grown so much since the last one that it is not time yet.
    mutating func refreshTimer(_ id: NeighbourID) {
        guard let neighbour = neighbours[id], clock >= neighbour.refreshDue else { return }
        let due = (neighbour.dumped ?? .zero).advanced(byMilliseconds: refreshPeriod * neighbour.refreshShare / 100)
        guard due > clock else { return startDump(to: id) }
        _ = neighbours.update(id) { $0.refreshDue = due }
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

    /// Sends the next few routes of a dump, as many as share a message.
    private mutating func stepDump(to id: NeighbourID) {
        guard let neighbour = neighbours[id] else { return }
        guard var position = neighbour.dumpPosition, neighbour.dumpAllowance > 0 else {
            _ = neighbours.update(id) { $0.isDumpReady = false }
            return
        }
        var room = min(Broadcast.capacity, Int(clamping: neighbour.dumpAllowance))
        var left = neighbour.dumpLeft
        var sent: UInt64 = 0
        while left > 0, room > 0 {
            if position >= table.destinationEnd { position = 0 }
            left -= 1
            defer { position += 1 }
            guard table.contains(position) else { continue }
            if neighbour.dumpIsComplete, table[position].firstSource != RouteTable.none {
                tellAll(position, to: id)
            } else if !tell(position, to: id) {
                continue
            }
            sent += 1
            room -= 1
        }
        let isDone = left == 0
        _ = neighbours.update(id) { neighbour in
            neighbour.dumpPosition = isDone ? nil : position
            neighbour.dumpLeft = left
            neighbour.dumpAllowance -= sent
            if isDone {
                neighbour.isDumpReady = false
                neighbour.dumpIsComplete = false
            }
        }
        if isDone { scheduleNeighbour(id) } else { dumpReady.append(id) }
    }
}
