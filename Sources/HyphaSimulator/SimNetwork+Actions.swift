import HyphaBase
import HyphaRouting
import HyphaWire

/// What routers want done.
extension SimNetwork {
    /// Does what a router wants, and sees to it that it is woken.
    mutating func drain(_ node: Int) {
        var message: SimMessage?
        while let action = nodes[node].router.poll() {
            outcome.log(now.nanoseconds &+ UInt64(node))
            switch action {
            case .send(let tlv, let id): put(tlv, Int(id.value), from: node, in: &message)
            case .persist(let state):
                dispatch(&message, from: node)
                outcome.log(1 << 32 | UInt64(state.seqno))
                nodes[node].state = state
            case .routeAgeing: break
            case .routeChanged(let change): install(change, at: node)
            case .queryResolved: outcome.log(2 << 32)
            case .queryFailed: outcome.log(3 << 32)
            case .neighbourDead(let id):
                outcome.log(4 << 32 | UInt64(id.value))
                close(nodes[node].links[Int(id.value)], at: node)
            }
        }
        dispatch(&message, from: node)
        if let wake = nodes[node].setWake(now: now) { events.insert(.wake(node), at: wake) }
    }

    /// The connection is closed, and made again a moment later.
    private mutating func close(_ link: Int, at node: Int) {
        nodes[node].sessions[links[link].number(at: node)] = 0
        noticeLoss(of: link)
        if !links[link].isCut {
            links[link].isCut = true
            schedule(.heal(link), after: 1_000)
        }
    }

    private mutating func install(_ change: RouteChange, at node: Int) {
        outcome.log(5 << 32 | change.prefix.address.high & 0xFFFF_FFFF)
        guard let prefix = number(of: change.prefix) else { return }
        var row = SimForwarding.Row()
        if case .reachable(let routerID, let nextHops) = change.outcome {
            row.routerID = number(of: routerID)
            for (place, hop) in nextHops.enumerated() {
                outcome.log(UInt64(hop.neighbour.value) << 16 | UInt64(hop.cost))
                switch place {
                case 0: row.hops.0 = hop.neighbour.value
                case 1: row.hops.1 = hop.neighbour.value
                case 2: row.hops.2 = hop.neighbour.value
                default: row.hops.3 = hop.neighbour.value
                }
            }
        }
        let old = nodes[node].forwarding[prefix]
        nodes[node].forwarding[prefix] = row
        if old.first != row.first { report.noteChange(now: now) }
        if (old.routerID == 0) != (row.routerID == 0) {
            report.installed += row.routerID == 0 ? -1 : 1
            if report.installed == report.expected { report.converged = now }
        }
        if row.routerID != 0 { checkLoop(prefix, from: node) }
    }

    /// Nothing is forwarded any more.
    mutating func forget(_ node: Int) {
        for prefix in 0..<prefixCount where nodes[node].forwarding[prefix].routerID != 0 { report.installed -= 1 }
        nodes[node].forwarding.removeAll()
    }

    // MARK: Numbers

    /// How many prefixes the nodes announce.
    var prefixCount: Int { scenario.nodes * (scenario.announcesHostRoutes ? 2 : 1) }

    /// The number of a prefix that a node of the mesh owns: node by node, then the host routes.
    func number(of prefix: Prefix) -> Int? {
        let owner = SimNode.number(of: prefix)
        guard nodes.indices.contains(owner) else { return nil }
        switch prefix.length {
        case 64: return owner
        case 128 where scenario.announcesHostRoutes: return scenario.nodes + owner
        default: return nil
        }
    }

    /// The node that owns a prefix.
    func owner(of prefix: Int) -> Int { prefix < scenario.nodes ? prefix : prefix - scenario.nodes }

    private mutating func number(of id: RouterID) -> UInt32 {
        if let known = routerIDs[id] { return known }
        let new = UInt32(truncatingIfNeeded: routerIDs.count + 1)
        routerIDs[id] = new
        return new
    }

    // MARK: Messages

    /// Adds an entry to the message under way; another neighbour or a full one sends it first.
    private mutating func put(_ tlv: BabelTLV, _ number: Int, from node: Int, in message: inout SimMessage?) {
        let link = nodes[node].links[number]
        outcome.log(6 << 32 | UInt64(tlv.type) << 24 | UInt64(link) << 8)
        let isStream = links[link].isStream
        let size = SimMessage.size(of: tlv, isStream: isStream)
        let limit = isStream ? SimMessage.stockLimit : SimMessage.hyphaLimit
        if let open = message, open.link != link || open.size + size > limit { dispatch(&message, from: node) }
        if message == nil {
            message = SimMessage(
                link: link, to: links[link].other(than: node), session: nodes[node].sessions[number])
        }
        message?.entries.append(tlv)
        message?.size += size
    }

    /// Sends the message under way, if there is one.
    private mutating func dispatch(_ message: inout SimMessage?, from node: Int) {
        guard let sent = message.take() else { return }
        let link = sent.link
        guard sent.session != 0, sent.session == links[link].session else { return }
        let isStream = links[link].isStream
        nodes[node].sent.count(sent, isStream: isStream)
        guard !links[link].isCut else { return }
        if !isStream, links[link].loss > 0, UInt64.random(in: 0..<1000, using: &seed) < links[link].loss { return }
        var delay = links[link].delay
        if !isStream { delay += UInt64.random(in: 0...3 + links[link].jitter, using: &seed) }
        var arrival = now.advanced(byMilliseconds: delay)
        if isStream {
            // In order: equal times leave the queue as they came.
            if node == links[link].a {
                arrival = max(arrival, links[link].lastArrivalAtB)
                links[link].lastArrivalAtB = arrival
            } else {
                arrival = max(arrival, links[link].lastArrivalAtA)
                links[link].lastArrivalAtA = arrival
            }
        }
        events.insert(.deliver(sent), at: arrival)
    }
}
