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
                if noteImplausible(seqno, of: number, routerID: routerID) { return }
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
        if mutant != .unboundedTables, let full = refusal(of: place, update.prefix, from: id, origin: origin) {
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

    /// Which limit a new route of a neighbour is above, nil when there is room. `number`: of the prefix, if that is known. The
    /// /64 and the /128 of a key have places of their own: somebody who invents others does not take them.
    private mutating func refusal(
        of number: Int?, _ prefix: Prefix, from id: NeighbourID, origin: IPv6Address
    ) -> RouterCounter? {
        let limits = configuration.limits
        guard table.routeCount < limits.routes else { return .routesFull }
        guard let count = neighbours.routeCount(of: id), count < neighbourShare else { return .neighbourRoutesFull }
        guard let number, table[number].routeCount > 0 else {
            if prefix.length == UpdateFilter.shortestLength || prefix.length == 128 { return nil }
            return table.otherPrefixCount(around: origin) < limits.prefixesPerKey - 2 ? nil : .keyPrefixesFull
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
        let isImplausible =
            !feasible
            && (table.route(to: number, through: id).map {
                noteImplausible(table[route: $0].seqno, of: number, routerID: offered)
            } ?? false)
        if !hasRoom(forDistanceOf: offered, number) { counters.count(.sourcesFull) }
        guard table[number].selected != RouteTable.none else {
            if !feasible, !isImplausible { requestSeqno(number, routerID: offered, of: [id]) }
            return
        }
        if requests.count > 0 { resolveQuery(table[number].prefix) }
        if seqnoRequests.count > 0 { serveSeqnoRequesters(number) }
    }

    // MARK: Feasibility

    func isFeasible(_ seqno: Seqno, _ metric: Metric, of number: Int, routerID: UInt32) -> Bool {
        guard let entry = sources.find(routerID, from: table[number].firstSource) else { return true }
        return Feasibility.isFeasible(seqno: seqno, metric: metric, distance: sources[entry].distance)
            && (sources[entry].isPlausible(seqno, now: clock) || mutant == .anySeqno)
    }

    func isFeasible(_ route: UInt32) -> Bool {
        let candidate = table[route: route]
        return isFeasible(
            candidate.seqno, candidate.metric, of: Int(candidate.destination), routerID: candidate.routerID)
    }

    private func hasOtherChoice(_ number: Int, than selected: UInt32) -> Bool {
        var route = table[number].firstRoute
        while route != RouteTable.none {
            if route != selected, isFeasible(route) { return true }
            route = table[route: route].next
        }
        return false
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
