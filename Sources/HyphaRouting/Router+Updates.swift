import HyphaBase
import HyphaWire

/// What neighbours announce.
extension Router {
    mutating func handleUpdate(_ update: BabelTLV.Update, from id: NeighbourID) {
        counters.count(.updates)
        guard UpdateFilter.isRoutable(update.prefix) else { return counters.count(.prefixNotRoutable) }
        if ownPrefix.contains(update.prefix.address) { return handleOwnPrefix(update) }
        guard update.metric != Metric.infinite.value else {
            noteWithoutRoute(update.serial?.number, from: id)
            return handleRetraction(of: update.prefix, from: id)
        }
        let number = table.number(of: update.prefix)
        let route = number.flatMap { table.route(to: $0, through: id) }
        // Mostly the neighbour says again what it said before: then its router id need not be searched for.
        let known =
            route.flatMap { ids[table[route: $0].routerID] == update.routerID ? table[route: $0].routerID : nil }
            ?? ids.number(of: update.routerID)
        let origin = known.map { ids.origin($0) } ?? configuration.addressOfKey(update.routerID)
        guard update.prefix.contains(origin) else { return counters.count(.originOutsidePrefix) }
        guard Metric(update.metric) >= LinkCost.least || mayBeOrigin(update.routerID, id) else {
            return counters.count(.metricTooLow)
        }
        if let number, let route {
            let routerID = retain(known, update.routerID, origin: origin)
            replace(route, of: number, by: update, routerID: routerID)
            ids.release(routerID)
        } else {
            insert(update, of: number, from: id, known: known, origin: origin)
        }
    }

    private mutating func retain(_ known: UInt32?, _ id: RouterID, origin: IPv6Address) -> UInt32 {
        guard let known else { return ids.retain(id, origin: origin) }
        ids.retain(known)
        return known
    }

    /// Whether a neighbour may announce a prefix for less than any link costs: only the origin itself can. Where no key is
    /// proven, the first one to be announced so is taken for the neighbour's.
    private mutating func mayBeOrigin(_ routerID: RouterID, _ id: NeighbourID) -> Bool {
        guard let neighbour = neighbours[id] else { return false }
        if neighbour.kind == .hypha { return neighbour.key?.hasSameKey(as: routerID) ?? false }
        if let owner = neighbour.presumedOwner { return owner.hasSameKey(as: routerID) }
        _ = neighbours.update(id) { $0.presumedOwner = routerID }
        return true
    }

    private mutating func handleRetraction(of prefix: Prefix, from id: NeighbourID) {
        guard let number = table.number(of: prefix), let route = table.route(to: number, through: id) else { return }
        removeRoute(route)
        reconsider(number)
    }

    /// A neighbour says something new about a prefix.
    private mutating func replace(
        _ route: UInt32, of number: Int, by update: BabelTLV.Update, routerID: UInt32
    ) {
        let id = table[route: route].neighbour
        let oldID = table[route: route].routerID
        let seqno = Seqno(update.seqno)
        let metric = Metric(update.metric)
        let feasible = isFeasible(seqno, metric, of: number, routerID: routerID)
        if !feasible {
            counters.count(.infeasible)
            if table[number].selected == route, routerID == oldID, !hasOtherChoice(number, than: route) {
                // All that is left: what it said before stays until the origin answers with a newer seqno, or expires.
                table[route: route].serial = update.serial?.number ?? 0
                requestSeqno(number, routerID: routerID, of: [id])
                return
            }
        }
        if routerID != oldID {
            touchSource(number, routerID: oldID)
            ids.retain(routerID)
            table[route: route].routerID = routerID
            ids.release(oldID)
        }
        if metric != table[route: route].metric { noteOtherWay(update.prefix, update.routerID, of: id) }
        table[route: route].seqno = seqno
        table[route: route].metric = metric
        table[route: route].serial = update.serial?.number ?? 0
        table[route: route].expires = expiry(update)
        reconsider(number)
        finish(number, offered: routerID, by: id, feasible: feasible)
    }

    /// A neighbour announces a prefix for the first time. `known`: the number of its router id, if that is in use.
    private mutating func insert(
        _ update: BabelTLV.Update, of place: Int?, from id: NeighbourID, known: UInt32?, origin: IPv6Address
    ) {
        if mutant != .unboundedTables, let full = refusal(of: place, from: id, origin: origin) {
            noteWithoutRoute(update.serial?.number, from: id)
            return noteRefusal(full, of: id)
        }
        let number = place ?? table.insert(update.prefix)
        let routerID = retain(known, update.routerID, origin: origin)
        let seqno = Seqno(update.seqno)
        let metric = Metric(update.metric)
        let feasible = isFeasible(seqno, metric, of: number, routerID: routerID)
        if !feasible { counters.count(.infeasible) }
        _ = table.append(
            Route(
                next: RouteTable.none, destination: UInt32(truncatingIfNeeded: number), routerID: routerID,
                expires: expiry(update), neighbour: id, seqno: seqno, metric: metric,
                serial: update.serial?.number ?? 0))
        _ = neighbours.update(id) { $0.routeCount += 1 }
        noteOtherWay(update.prefix, update.routerID, of: id)
        reconsider(number)
        finish(number, offered: routerID, by: id, feasible: feasible)
    }

    /// Which limit a new route of a neighbour is above, nil when there is room. `number`: of the prefix, if that is known.
    private mutating func refusal(of number: Int?, from id: NeighbourID, origin: IPv6Address) -> RouterCounter? {
        let limits = configuration.limits
        guard table.routeCount < limits.routes else { return .routesFull }
        guard let count = neighbours.routeCount(of: id), count < neighbourShare else { return .neighbourRoutesFull }
        guard let number, table[number].routeCount > 0 else {
            return table.prefixCount(around: origin) < limits.prefixesPerKey ? nil : .keyPrefixesFull
        }
        guard Int(table[number].routeCount) >= limits.routesPerPrefix else { return nil }
        table[number].hasOthers = true
        return makeRoom(number) ? nil : .prefixRoutesFull
    }

    /// Takes the worst route out that may not be used anyway. False when all may be used.
    private mutating func makeRoom(_ number: Int) -> Bool {
        var worst: UInt32?
        var route = table[number].firstRoute
        while route != RouteTable.none {
            let candidate = table[route: route]
            if route != table[number].selected, !isFeasible(route),
                worst.map({ table[route: $0].metric < candidate.metric }) ?? true
            {
                worst = route
            }
            route = candidate.next
        }
        guard let worst else { return false }
        noteWithoutRoute(table[route: worst].serial, from: table[route: worst].neighbour)
        removeRoute(worst)
        return true
    }

    private func expiry(_ update: BabelTLV.Update) -> Tick {
        Tick(
            clock.advanced(
                byMilliseconds: HoldTime.clamped(interval: update.interval, metric: Metric(update.metric))))
    }

    /// After an announcement was stored: whoever waits for this prefix or its seqno is served.
    private mutating func finish(_ number: Int, offered: UInt32, by id: NeighbourID, feasible: Bool) {
        guard table.contains(number) else { return }
        let selected = table[number].selected
        if let route = table.route(to: number, through: id), isWithheld(route) { counters.count(.seqnosWithheld) }
        guard selected != RouteTable.none else {
            if !feasible { requestSeqno(number, routerID: offered, of: [id]) }
            return
        }
        if requests.count > 0 { resolveQuery(table[number].prefix) }
        if seqnoRequests.count > 0 { serveSeqnoRequesters(number) }
    }

    // MARK: Feasibility

    func distance(_ number: Int, routerID: UInt32) -> FeasibilityDistance? {
        sources.find(routerID, from: table[number].firstSource).map { sources[$0].distance }
    }

    func isFeasible(_ seqno: Seqno, _ metric: Metric, of number: Int, routerID: UInt32) -> Bool {
        Feasibility.isFeasible(
            seqno: seqno, metric: metric, distance: distance(number, routerID: routerID))
    }

    func isFeasible(_ route: UInt32) -> Bool {
        let candidate = table[route: route]
        return isFeasible(
            candidate.seqno, candidate.metric, of: Int(candidate.destination), routerID: candidate.routerID)
    }

    /// Whether a route is used only when there is no other, because of its seqno.
    func isWithheld(_ route: UInt32) -> Bool {
        let candidate = table[route: route]
        guard
            let entry = sources.find(
                candidate.routerID, from: table[Int(candidate.destination)].firstSource)
        else { return false }
        return !sources[entry].isPlausible(candidate.seqno, now: clock)
    }

    private func hasOtherChoice(_ number: Int, than selected: UInt32) -> Bool {
        var route = table[number].firstRoute
        while route != RouteTable.none {
            if route != selected, isFeasible(route) { return true }
            route = table[route: route].next
        }
        return false
    }

    /// Notes that we announce this. False when there is no room: then it must not be announced.
    mutating func recordDistance(_ number: Int, routerID: UInt32, seqno: Seqno, metric: Metric) -> Bool {
        let new = FeasibilityDistance(seqno: seqno, metric: metric)
        let now = Tick(clock)
        if let entry = sources.find(routerID, from: table[number].firstSource) {
            if seqno != sources[entry].distance.seqno { sources[entry].seqnoSince = now }
            if new.isBetter(than: sources[entry].distance) { sources[entry].distance = new }
            sources[entry].lastUse = now
            return true
        }
        let limits = configuration.limits
        if mutant != .unboundedTables,
            sources.count >= limits.sources
                || sources.length(from: table[number].firstSource) >= limits.sourcesPerPrefix
        {
            guard evictSource(number) else { return false }
        }
        ids.retain(routerID)
        sources.insert(
            .init(next: RouteTable.none, routerID: routerID, lastUse: now, seqnoSince: now, distance: new),
            before: &table[number].firstSource)
        return true
    }

    func isReferenced(_ number: Int, routerID: UInt32) -> Bool {
        var route = table[number].firstRoute
        while route != RouteTable.none {
            if table[route: route].routerID == routerID { return true }
            route = table[route: route].next
        }
        return false
    }

    /// Forgets the oldest distance of a prefix that no route needs.
    private mutating func evictSource(_ number: Int) -> Bool {
        var oldest: UInt32?
        var entry = table[number].firstSource
        while entry != RouteTable.none {
            if !isReferenced(number, routerID: sources[entry].routerID),
                oldest.map({ sources[entry].lastUse < sources[$0].lastUse }) ?? true
            {
                oldest = entry
            }
            entry = sources[entry].next
        }
        guard let oldest else { return false }
        removeSource(oldest, of: number)
        return true
    }

    mutating func removeSource(_ entry: UInt32, of number: Int) {
        let routerID = sources[entry].routerID
        sources.remove(entry, from: &table[number].firstSource)
        ids.release(routerID)
    }

    /// The life of a distance starts again: a route that needed it has just gone.
    mutating func touchSource(_ number: Int, routerID: UInt32) {
        if let entry = sources.find(routerID, from: table[number].firstSource) { sources[entry].lastUse = Tick(clock) }
    }

    mutating func removeRoute(_ number: UInt32) {
        let route = table[route: number]
        let destination = Int(route.destination)
        touchSource(destination, routerID: route.routerID)
        if table[destination].selected == number { table[destination].selected = RouteTable.none }
        table.removeRoute(number)
        ids.release(route.routerID)
        _ = neighbours.update(route.neighbour) { $0.routeCount -= 1 }
    }
}
