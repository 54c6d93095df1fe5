import HyphaBase
import HyphaWire

/// Newer seqnos: what makes infeasible routes usable again.
extension Router {
    /// The prefix is lost: asks everybody who announces it for a newer seqno.
    mutating func requestSeqnos(_ number: Int) {
        var asked: [UInt32] = []
        var route = table[number].firstRoute
        while route != RouteTable.none {
            let routerID = table[route: route].routerID
            if !asked.contains(routerID) {
                asked.append(routerID)
                requestSeqno(number, routerID: routerID, of: announcers(number, of: routerID))
            }
            route = table[route: route].next
        }
    }

    /// The neighbours that announce a prefix under a router id.
    private func announcers(_ number: Int, of routerID: UInt32) -> [NeighbourID] {
        var all: [NeighbourID] = []
        var route = table[number].firstRoute
        while route != RouteTable.none {
            if table[route: route].routerID == routerID { all.append(table[route: route].neighbour) }
            route = table[route: route].next
        }
        return all
    }

    /// Asks neighbours for a seqno above the one that stands in the way.
    mutating func requestSeqno(_ number: Int, routerID: UInt32, of neighbours: [NeighbourID]) {
        let key = SeqnoRequests.Key(prefix: table[number].prefix, routerID: ids[routerID])
        let wanted = (distance(number, routerID: routerID)?.seqno ?? Seqno(0)).advanced()
        guard var request = opened(key, mostOpen: configuration.limits.openSeqnoRequests) else { return }
        request.need(wanted)
        if request.attemptDue == .distantFuture { request.attemptDue = clock.advanced(byMilliseconds: 1_000) }
        for id in neighbours { send(&request, to: id, hopCount: SeqnoRequests.hopCount) }
        seqnoRequests[key] = request
    }

    /// A neighbour announces a prefix anew, or another way. What it was asked before it may have had nobody to pass on to:
    /// it can be asked again at once.
    mutating func noteOtherWay(_ prefix: Prefix, _ routerID: RouterID, of id: NeighbourID) {
        guard seqnoRequests.count > 0 else { return }
        let key = SeqnoRequests.Key(prefix: prefix, routerID: routerID)
        guard var request = seqnoRequests[key], request.forgetAsked(id) else { return }
        seqnoRequests[key] = request
    }

    /// The open request of a key, or a new one; nil when there is no room.
    private mutating func opened(_ key: SeqnoRequests.Key, mostOpen: Int) -> OpenSeqnoRequest? {
        if let known = seqnoRequests[key] { return known }
        guard seqnoRequests.count < mostOpen || mutant == .unboundedTables else {
            counters.count(.seqnoRequestsFull)
            return nil
        }
        return OpenSeqnoRequest(prefix: key.prefix, routerID: key.routerID, now: clock)
    }

    /// Asks one neighbour, unless it was asked a moment ago. True when it was sent.
    @discardableResult
    private mutating func send(_ request: inout OpenSeqnoRequest, to id: NeighbourID, hopCount: UInt8) -> Bool {
        guard let neighbour = neighbours[id], let seqno = request.seqno,
            !request.wasAsked(id, within: SeqnoRequests.spacing(neighbour.kind), now: clock)
        else { return false }
        request.noteAsked(id, now: clock)
        enqueue(
            .tlv(
                .seqnoRequest(
                    .init(
                        prefix: request.prefix, routerID: request.routerID, seqno: seqno.value,
                        hopCount: hopCount)), id))
        return true
    }

    mutating func handleSeqnoRequest(_ message: BabelTLV.SeqnoRequest, from id: NeighbourID) {
        counters.count(.seqnoRequests)
        guard UpdateFilter.isRoutable(message.prefix) else { return counters.count(.prefixNotRoutable) }
        let seqno = Seqno(message.seqno)
        if ownPrefix.contains(message.prefix.address) {
            guard message.routerID == own.id, ownPrefixes.contains(message.prefix) else { return }
            if seqno.isNewer(than: own.seqno) {
                own.requestBump()
                return own.hear(Seqno(message.seqno &- 1), now: clock)
            }
            counters.count(.requestsAnswered)
            return enqueue(.own(id))
        }
        guard let number = table.number(of: message.prefix) else { return counters.count(.requestsUnanswered) }
        let selected = table[number].selected
        if selected != RouteTable.none {
            let route = table[route: selected]
            if ids[route.routerID] != message.routerID || !seqno.isNewer(than: route.seqno) {
                guard route.neighbour != id else { return counters.count(.requestsUnanswered) }
                counters.count(.requestsAnswered)
                return enqueue(.route(message.prefix, id))
            }
        }
        guard message.hopCount >= 2 else { return counters.count(.hopCountExceeded) }
        forward(message, of: number, from: id)
    }

    /// Passes a request on to one neighbour: the next hop, so that the answer renews what is in use; else one that is nearer
    /// to the origin; else any that announces the prefix.
    private mutating func forward(_ message: BabelTLV.SeqnoRequest, of number: Int, from id: NeighbourID) {
        let key = SeqnoRequests.Key(prefix: message.prefix, routerID: message.routerID)
        // The last quarter of the room is for what this node needs itself.
        guard var request = opened(key, mostOpen: configuration.limits.openSeqnoRequests / 4 * 3) else { return }
        request.addRequester(id, Seqno(message.seqno))
        var candidates: [(rank: Int, cost: Metric, neighbour: NeighbourID)] = []
        var route = table[number].firstRoute
        while route != RouteTable.none {
            let candidate = table[route: route]
            if candidate.neighbour != id, let neighbour = neighbours[candidate.neighbour] {
                let rank = route == table[number].selected ? 0 : isFeasible(route) ? 1 : 2
                candidates.append((rank, candidate.metric + neighbour.metric, candidate.neighbour))
            }
            route = candidate.next
        }
        candidates.sort { a, b in
            if a.rank != b.rank { return a.rank < b.rank }
            return a.cost != b.cost ? a.cost < b.cost : a.neighbour < b.neighbour
        }
        var isSent = false
        for candidate in candidates where !isSent {
            isSent = send(&request, to: candidate.neighbour, hopCount: message.hopCount - 1)
        }
        counters.count(isSent ? .requestsRelayed : candidates.isEmpty ? .requestsUnanswered : .duplicateRequests)
        seqnoRequests[key] = request
    }

    /// A route is selected: if it has the seqno that neighbours asked for, they are told.
    mutating func serveSeqnoRequesters(_ number: Int) {
        let selected = table[number].selected
        guard selected != RouteTable.none else { return }
        let route = table[route: selected]
        let key = SeqnoRequests.Key(prefix: table[number].prefix, routerID: ids[route.routerID])
        guard var request = seqnoRequests[key] else { return }
        request.needNoMore()
        for id in request.takeServed(by: route.seqno) { enqueue(.route(key.prefix, id)) }
        seqnoRequests[key] = request.seqno == nil ? nil : request
    }

    mutating func seqnoRequestTimer(_ request: OpenSeqnoRequest) {
        let key = SeqnoRequests.Key(prefix: request.prefix, routerID: request.routerID)
        guard clock.milliseconds(since: request.last) < SeqnoRequests.life else {
            seqnoRequests[key] = nil
            return
        }
        var request = request
        request.attempts = min(request.attempts + 1, 7)
        request.attemptDue = .distantFuture
        var isAsked = false
        if request.own != nil, let number = table.number(of: request.prefix),
            let routerID = ids.number(of: request.routerID),
            table[number].selected == RouteTable.none
        {
            let wait = min(SeqnoRequests.longestSpacing, 1_000 << UInt64(request.attempts))
            for id in announcers(number, of: routerID) {
                isAsked = true
                request.attemptDue = clock.advanced(byMilliseconds: wait)
                send(&request, to: id, hopCount: SeqnoRequests.hopCount)
            }
        }
        if !isAsked { request.needNoMore() }
        seqnoRequests[key] = request.seqno == nil ? nil : request
    }
}
