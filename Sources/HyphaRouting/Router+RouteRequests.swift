public import HyphaBase
import HyphaWire

/// Routes on demand: asking the mesh for a prefix, and answering or passing on what others ask.
extension Router {
    /// A route with less than this left is asked for again while it is used, in milliseconds.
    static let refreshBefore: UInt64 = 60_000
    /// Least time between full dumps on request to one neighbour, in milliseconds.
    static let wildcardSpacing: UInt64 = 60_000
    /// Lost prefixes for which a new stock neighbour is asked.
    static let lostMax = 64

    /// This node has packets for `destination`, or got one from a neighbour that believes so. Asks the mesh for its /64
    /// unless a route is there.
    ///
    /// A neighbour is told that there is none: it may have missed that. Its queries are limited as its route requests are.
    public mutating func query(
        _ destination: IPv6Address, from ingress: NeighbourID? = nil, now: Instant
    ) -> QueryAnswer {
        clock = max(clock, now)
        if ownPrefix.contains(destination) { return .local }
        if let number = table.longestMatch(destination), table[number].phase == .reachable {
            return .known(table[number].prefix)
        }
        let prefix = Prefix(destination, length: UpdateFilter.shortestLength)
        guard UpdateFilter.isRoutable(prefix) else { return .notRoutable }
        if requests[prefix] != nil {
            if ingress == nil { requests.update(prefix) { $0.isWanted = true } }
            return .asked(prefix)
        }
        if let ingress {
            guard admitsQuery(of: ingress) else { return .refused }
            enqueue(.retraction(table.longestMatch(destination).map { table[$0].prefix } ?? prefix, ingress))
        }
        guard ask(prefix, generation: 0, ingress: ingress, isWanted: ingress == nil) else { return .refused }
        if let ingress { _ = neighbours.update(ingress) { $0.openQueries += 1 } }
        return .asked(prefix)
    }

    /// Whether one more query may be made for a neighbour.
    private mutating func admitsQuery(of id: NeighbourID) -> Bool {
        guard configuration.isTransit, !isStopping, let neighbour = neighbours[id] else { return false }
        guard neighbour.openQueries < configuration.limits.openQueriesPerNeighbour || mutant == .unboundedTables else {
            counters.count(.neighbourQueriesFull)
            return false
        }
        let time = clock
        if neighbour.isThrottled, neighbours.update(id, { $0.throttle.take(now: time) }) != true {
            counters.count(.queriesThrottled)
            return false
        }
        return true
    }

    /// Packets to `destination` use their route. Towards the end of its hold time the mesh is asked for it again.
    public mutating func routeUsed(_ destination: IPv6Address, now: Instant) {
        clock = max(clock, now)
        guard let number = table.longestMatch(destination), table[number].selected != RouteTable.none else { return }
        let left = table[route: table[number].selected].expires.instant.milliseconds(since: clock)
        guard left < Router.refreshBefore, requests[table[number].prefix] == nil else { return }
        _ = ask(table[number].prefix, generation: 0, ingress: nil, isWanted: false)
    }

    /// Opens a query and sends it to all neighbours but the one that asks. False when there is no room.
    private mutating func ask(_ prefix: Prefix, generation: UInt8, ingress: NeighbourID?, isWanted: Bool) -> Bool {
        guard requests.count < configuration.limits.openQueries || mutant == .unboundedTables else {
            counters.count(.queriesFull)
            return false
        }
        requests.insert(
            RouteQuery(
                prefix: prefix, ingress: ingress, generation: generation, isWanted: isWanted, asked: clock,
                ends: clock.advanced(byMilliseconds: RouteRequests.life),
                repeatDue: clock.advanced(byMilliseconds: RouteRequests.repeatTimes[0])))
        // Who waits for the introduction hears of open queries with it.
        for id in neighbours.ids where id != ingress && neighbours[id]?.isIntroduced == true {
            enqueue(.tlv(.routeRequest(.init(generation: generation, prefix: prefix)), id))
        }
        return true
    }

    /// The prefix is lost. A stock neighbour tells only what it is asked for: one that did not announce the prefix may know
    /// it all the same. So may one whose route was refused. With the last generation they answer or do nothing: no question
    /// that comes too early is left open in the mesh, where it would stand in the way of later ones.
    mutating func seekElsewhere(_ number: Int) {
        if lost.count >= Router.lostMax { lost.removeFirst() }
        lost.append(table[number].prefix)
        let request = BabelTLV.RouteRequest(generation: RouteRequests.generationLimit, prefix: table[number].prefix)
        let hasOthers = table[number].hasOthers
        guard !isStopping,
            hasOthers || neighbours.ids.contains(where: { neighbours[$0]?.kind == .stock }),
            lossQueries.take(now: clock)
        else { return }
        table[number].hasOthers = false
        for id in neighbours.ids where neighbours.isIntroduced(id) {
            let mayKnow = hasOthers && table.route(to: number, through: id) == nil
            if neighbours.kind(of: id) == .stock {
                enqueue(.tlv(.routeRequest(request), id))
            } else if mayKnow {
                counters.count(.roomRequests)
                enqueue(.tlv(.routeRequest(request), id))
            }
        }
    }

    /// A stock neighbour is there that was not when prefixes were lost a moment ago: it is asked for them, too. It may have
    /// had a route before this link, and would not speak of it.
    mutating func seekLost(at id: NeighbourID) {
        var asked: Set<Prefix> = []
        for prefix in lost {
            guard let number = table.number(of: prefix), table[number].phase == .unreachable,
                asked.insert(prefix).inserted
            else { continue }
            enqueue(.tlv(.routeRequest(.init(generation: RouteRequests.generationLimit, prefix: prefix)), id))
        }
    }

    mutating func handleRouteRequest(_ request: BabelTLV.RouteRequest, from id: NeighbourID) {
        counters.count(.routeRequests)
        guard let prefix = request.prefix else {
            if let missing = request.missing { return handleMissing(missing, from: id) }
            return handleWildcard(from: id)
        }
        guard UpdateFilter.isRoutable(prefix) else { return counters.count(.prefixNotRoutable) }
        if ownPrefix.contains(prefix.address) {
            counters.count(.requestsAnswered)
            return enqueue(.own(id))
        }
        if let number = table.number(of: prefix), table[number].selected != RouteTable.none {
            // When the asker is the next hop there is nothing to say.
            guard table[route: table[number].selected].neighbour != id else {
                return counters.count(.requestsUnanswered)
            }
            counters.count(.requestsAnswered)
            enqueue(.route(prefix, id))
            return answerHostRoute(in: prefix, number, to: id)
        }
        // A prefix that was just lost is asked for as well: another way may be known behind neighbours that have no route
        // themselves.
        guard requests[prefix] == nil else { return counters.count(.duplicateRequests) }
        guard request.generation < RouteRequests.generationLimit else { return counters.count(.generationExceeded) }
        guard admitsQuery(of: id) else { return }
        guard ask(prefix, generation: request.generation + 1, ingress: id, isWanted: false) else { return }
        counters.count(.requestsRelayed)
        _ = neighbours.update(id) { $0.openQueries += 1 }
    }

    /// Who asks for a /64 is told of the origin's own address, too: held as lost it would stand in the way of the /64.
    private mutating func answerHostRoute(in prefix: Prefix, _ number: Int, to id: NeighbourID) {
        let host = Prefix(ids.origin(table[route: table[number].selected].routerID), length: 128)
        guard prefix.length < 128, let place = table.number(of: host), table[place].selected != RouteTable.none,
            table[route: table[place].selected].neighbour != id
        else { return }
        enqueue(.route(host, id))
    }

    private mutating func handleWildcard(from id: NeighbourID) {
        counters.count(.wildcardRequests)
        guard let neighbour = neighbours[id] else { return }
        if let last = neighbour.wildcardAnswered, clock.milliseconds(since: last) < Router.wildcardSpacing {
            return counters.count(.wildcardsIgnored)
        }
        let time = clock
        _ = neighbours.update(id) { $0.wildcardAnswered = time }
        startDump(to: id)
    }

    /// A route to the prefix is there: whoever asked for it has it or hears of it by the announcement.
    mutating func resolveQuery(_ prefix: Prefix) {
        guard let query = requests.remove(prefix) else { return }
        counters.count(.queriesResolved)
        if let ingress = query.ingress {
            _ = neighbours.update(ingress) { $0.queryEnded(found: true) }
            enqueue(.route(prefix, ingress))
        }
        if query.isWanted { urgent.append(.queryResolved(prefix)) }
    }

    mutating func queryTimer(_ query: RouteQuery) {
        guard clock < query.ends else {
            _ = requests.remove(query.prefix)
            counters.count(.queriesFailed)
            if let ingress = query.ingress { _ = neighbours.update(ingress) { $0.queryEnded(found: false) } }
            if query.isWanted { urgent.append(.queryFailed(query.prefix)) }
            return
        }
        let done = Int(query.repeats) + 1
        let due =
            done < RouteRequests.repeatTimes.count
            ? query.asked.advanced(byMilliseconds: RouteRequests.repeatTimes[done]) : .distantFuture
        requests.update(query.prefix) { query in
            query.repeats += 1
            query.repeatDue = due
        }
        for id in neighbours.ids where id != query.ingress && neighbours[id]?.kind == .hypha {
            enqueue(.tlv(.routeRequest(.init(generation: query.generation, prefix: query.prefix)), id))
        }
    }
}
