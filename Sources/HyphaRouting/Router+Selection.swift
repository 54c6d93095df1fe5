import HyphaBase
import HyphaWire

/// Which route is used, what forwarding is told, and when a prefix is looked at again.
extension Router {
    /// Looks at a prefix after anything about it has changed.
    mutating func reconsider(_ number: Int) {
        let old = table[number].selected
        let new = choose(number)
        table[number].selected = new
        if new != RouteTable.none {
            if new != old { counters.count(.selections) }
            let isOtherID = table[route: new].routerID != table[number].installed.routerID
            if new != old || isOtherID { poisonNextHop(number) }
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
        schedule(number)
    }

    /// The number of the route to use, `RouteTable.none` when none may be used. Neighbours that are silent at the moment
    /// and seqnos that may be forged are chosen only where there is nothing else.
    private func choose(_ number: Int) -> UInt32 {
        var routes: [UInt32] = []
        var candidates: [RouteSelection.Candidate] = []
        var reserves: [UInt32] = []
        var reserveCandidates: [RouteSelection.Candidate] = []
        let selected = table[number].selected
        var route = table[number].firstRoute
        while route != RouteTable.none {
            let value = table[route: route]
            if let neighbour = neighbours[value.neighbour], isFeasible(route) {
                let candidate = RouteSelection.Candidate(metric: value.metric, linkCost: neighbour.metric)
                if isWithheld(route) || neighbour.isSuspect && route != selected {
                    reserves.append(route)
                    reserveCandidates.append(candidate)
                } else {
                    routes.append(route)
                    candidates.append(candidate)
                }
            }
            route = value.next
        }
        if routes.isEmpty { (routes, candidates) = (reserves, reserveCandidates) }
        let best = RouteSelection.best(
            of: candidates, current: routes.firstIndex(of: selected), hysteresis: configuration.hysteresis)
        return best.map { routes[$0] } ?? RouteTable.none
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
        var others: [(cost: Metric, neighbour: NeighbourID)] = []
        var route = table[number].firstRoute
        while route != RouteTable.none {
            let candidate = table[route: route]
            if let neighbour = neighbours[candidate.neighbour] {
                let cost = candidate.metric + neighbour.metric
                if route == selected {
                    installed.append(candidate.neighbour, cost: cost)
                } else if isUsableBeside(route, selected, number) {
                    others.append((cost, candidate.neighbour))
                }
            }
            route = candidate.next
        }
        others.sort { $0.cost != $1.cost ? $0.cost < $1.cost : $0.neighbour < $1.neighbour }
        for other in others { installed.append(other.neighbour, cost: other.cost) }
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
            return isSameOrigin && isFeasible(route) && (!isWithheld(route) || isWithheld(selected))
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
        var next = min(destination.announcement.due, destination.announcement.repeatDue)
        if destination.phase == .unreachable { next = min(next, destination.heldUntil) }
        next = min(next, noteAge(number))
        var route = destination.firstRoute
        while route != RouteTable.none {
            next = min(next, table[route: route].expires.instant)
            route = table[route: route].next
        }
        var entry = destination.firstSource
        while entry != RouteTable.none {
            next = min(next, sources[entry].lastUse.instant.advanced(byMilliseconds: SourceTable.life))
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
        if clock >= table[number].announcement.repeatDue {
            table[number].announcement.repeatDue = .distantFuture
            if !table[number].announcement.isRepeatQueued {
                table[number].announcement.isRepeatQueued = true
                announcements.append(.repetition(number))
            }
        }
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

    private mutating func expireSources(_ number: Int) {
        var entry = table[number].firstSource
        while entry != RouteTable.none {
            let next = sources[entry].next
            if sources[entry].lastUse.instant.advanced(byMilliseconds: SourceTable.life) <= clock {
                if isReferenced(number, routerID: sources[entry].routerID) {
                    sources[entry].lastUse = Tick(clock)
                } else {
                    counters.count(.sourcesExpired)
                    removeSource(entry, of: number)
                }
            }
            entry = next
        }
    }
}
