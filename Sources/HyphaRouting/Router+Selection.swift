import HyphaBase
import HyphaWire

/// Which route is used, what forwarding is told, and when a prefix is looked at again.
extension Router {
    /// Looks at a prefix after anything about it has changed.
    mutating func reconsider(_ number: Int) {
        let old = table[number].selected
        // Forwarding knows it even if its route is gone.
        let formerNextHop = table[number].installed.first
        let new = choose(number)
        table[number].selected = new
        if new != RouteTable.none {
            if new != old { counters.count(.selections) }
            let isOtherID = table[route: new].routerID != table[number].installed.routerID
            if new != old || isOtherID { poisonNextHop(number) }
            keepUp(number)
            table[number].phase = .reachable
        } else if table[number].phase == .reachable {
            counters.count(.routesLost)
            table[number].phase = .unreachable
            table[number].heldUntil = clock.advanced(byMilliseconds: HoldTime.retraction)
            requestSeqnos(number)
            seekElsewhere(number)
        }
        install(number)
        planAnnouncement(number)
        if let formerNextHop { tellFormerNextHop(formerNextHop, of: number) }
        schedule(number)
    }

    /// The number of the route to use, `RouteTable.none` when none may be used. Neighbours that are silent at the moment
    /// are chosen only where there is nothing else.
    private func choose(_ number: Int) -> UInt32 {
        var contest = RouteSelection.Contest()
        var reserve = RouteSelection.Contest()
        let selected = table[number].selected
        var route = table[number].firstRoute
        while route != RouteTable.none {
            let value = table[route: route]
            if let linkCost = neighbours.metric(of: value.neighbour), isFeasible(route),
                hasRoom(forDistanceOf: value.routerID, number)
            {
                let candidate = RouteSelection.Candidate(metric: value.metric, linkCost: linkCost)
                let isCurrent = route == selected
                if !isCurrent && neighbours.isSuspect(value.neighbour) {
                    reserve.add(candidate, number: route, isCurrent: isCurrent)
                } else {
                    contest.add(candidate, number: route, isCurrent: isCurrent)
                }
            }
            route = value.next
        }
        let winner = (contest.isEmpty ? reserve : contest).winner(hysteresis: configuration.hysteresis)
        return winner ?? RouteTable.none
    }

    /// Tells forwarding if its next hops change.
    mutating func install(_ number: Int) {
        let destination = table[number]
        switch destination.phase {
        case .reachable:
            let nextHops = nextHops(number)
            guard destination.told != .reachable || nextHops.differs(from: destination.installed) else { return }
            table[number].installed = nextHops
            table[number].told = .reachable
            urgent.append(
                .routeChanged(
                    RouteChange(
                        prefix: destination.prefix,
                        outcome: .reachable(ids[nextHops.routerID], nextHops.nextHops))))
        case .unreachable:
            guard destination.told != .unreachable else { return }
            table[number].told = .unreachable
            table[number].installed = InstalledNextHops()
            urgent.append(.routeChanged(RouteChange(prefix: destination.prefix, outcome: .unreachable)))
        case .idle:
            guard destination.told != .idle else { return }
            table[number].told = .idle
            table[number].installed = InstalledNextHops()
            urgent.append(.routeChanged(RouteChange(prefix: destination.prefix, outcome: .removed)))
        }
    }

    /// The selected route, then all others of the same router id that may be used now, cheapest first.
    private func nextHops(_ number: Int) -> InstalledNextHops {
        var installed = InstalledNextHops()
        let selected = table[number].selected
        installed.routerID = table[route: selected].routerID
        let best = table[route: selected]
        if let linkCost = neighbours.metric(of: best.neighbour) {
            installed.append(best.neighbour, cost: best.metric + linkCost)
        }
        var route = table[number].firstRoute
        while route != RouteTable.none {
            let candidate = table[route: route]
            if route != selected, let linkCost = neighbours.metric(of: candidate.neighbour),
                isUsableBeside(route, selected, number)
            {
                installed.insert(candidate.neighbour, cost: candidate.metric + linkCost)
            }
            route = candidate.next
        }
        return installed
    }

    private func isUsableBeside(_ route: UInt32, _ selected: UInt32, _ number: Int) -> Bool {
        let candidate = table[route: route]
        let isSameOrigin = candidate.routerID == table[route: selected].routerID
        switch mutant {
        case .mixedRouterIDs: return isFeasible(route)
        case .frozenAlternates:
            let installed = table[number].installed.nextHops
            return isSameOrigin
                && (isFeasible(route) || installed.contains { $0.neighbour == candidate.neighbour })
        default:
            return isSameOrigin && isFeasible(route)
        }
    }

    // MARK: Timers

    /// Sets the timer of a prefix, or forgets the prefix.
    mutating func schedule(_ number: Int) {
        let destination = table[number]
        if destination.firstRoute == RouteTable.none, destination.firstSource == RouteTable.none,
            destination.phase == .idle, destination.announcement.isBlank
        {
            timers.set(number, nil)
            table.remove(number)
            return
        }
        var next = destination.announcement.due
        if destination.phase == .unreachable { next = min(next, destination.heldUntil) }
        next = min(next, noteAge(number))
        var route = destination.firstRoute
        while route != RouteTable.none {
            next = min(next, table[route: route].expires.instant)
            if destination.selected == RouteTable.none { next = min(next, usableFrom(route)) }
            route = table[route: route].next
        }
        var entry = destination.firstSource
        while entry != RouteTable.none {
            next = min(next, checkDue(entry, of: number))
            entry = sources[entry].next
        }
        timers.set(number, next == .distantFuture ? nil : next)
    }

    /// Tells when the selected route begins and ceases to be near its end. Returns when it will begin.
    private mutating func noteAge(_ number: Int) -> Instant {
        let destination = table[number]
        var begins = Instant.distantFuture
        var isAgeing = false
        if destination.selected != RouteTable.none {
            let left = table[route: destination.selected].expires.instant.milliseconds(since: clock)
            isAgeing = left < Router.refreshBefore
            if !isAgeing { begins = clock.advanced(byMilliseconds: left - Router.refreshBefore + 1) }
        }
        if isAgeing != destination.isAgeing {
            table[number].isAgeing = isAgeing
            urgent.append(.routeAgeing(destination.prefix, isAgeing))
        }
        return begins
    }

    mutating func destinationTimer(_ number: Int) {
        guard table.contains(number) else { return }
        expireRoutes(number)
        expireSources(number)
        if table[number].phase == .unreachable, clock >= table[number].heldUntil { table[number].phase = .idle }
        reconsider(number)
    }

    private mutating func expireRoutes(_ number: Int) {
        var route = table[number].firstRoute
        while route != RouteTable.none {
            let next = table[route: route].next
            if table[route: route].expires.instant <= clock {
                counters.count(.routesExpired)
                removeRoute(route)
            }
            route = next
        }
    }
}
