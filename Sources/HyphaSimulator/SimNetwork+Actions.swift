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
            case .send(let tlv, let id):
                guard isHonest(node) else {
                    let said = nodes[node].hostile?.alter(tlv, to: Int(id.value))
                    if let said { put(said, Int(id.value), from: node, in: &message) }
                    continue
                }
                put(tlv, Int(id.value), from: node, in: &message)
            case .answerHellos(let id, let ihu):
                nodes[node].answers[Int(id.value)] = SimNode.Answer(
                    session: nodes[node].sessions[Int(id.value)], ihu: ihu)
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
        if scenario.isHostile, isHonest(node) { checkBounds(of: node) }
    }

    /// Sends what a hostile node made up.
    mutating func send(_ messages: [HostileNode.Message], from node: Int) {
        var message: SimMessage?
        for said in messages where nodes[node].sessions[said.neighbour] != 0 {
            put(said.tlv, said.neighbour, from: node, in: &message)
        }
        dispatch(&message, from: node)
    }

    /// A stock neighbour's Hellos are answered by the worker, which does not wait for the router.
    mutating func answerHellos(in message: SimMessage, at node: Int) {
        let number = links[message.link].number(at: node)
        guard let answer = nodes[node].answers[number], answer.session == message.session else { return }
        var sent: SimMessage?
        for case .hello in message.entries { put(.ihu(answer.ihu), number, from: node, in: &sent) }
        dispatch(&sent, from: node)
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
        if scenario.isHostile { noteStranger(change, at: node) }
        guard let prefix = number(of: change.prefix) else { return }
        var row = SimForwarding.Row()
        if case .reachable(let routerID, let nextHops) = change.outcome {
            row.routerID = number(of: routerID)
            if scenario.isHostile, isHonest(node) { note(row.routerID, of: prefix) }
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
        guard prefix < prefixCount else {
            if row.routerID != 0 { checkLoop(prefix, from: node) }
            return
        }
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
        nodes[node].strangers = []
    }

    // MARK: Numbers

    /// How many prefixes the nodes announce.
    var prefixCount: Int { scenario.nodes * (scenario.announcesHostRoutes ? 2 : 1) }

    /// Rows of a forwarding table: those prefixes, then some that nobody owns.
    var rowCount: Int { prefixCount + (scenario.isHostile ? HostileNode.trackedNobodies : 0) }

    /// The number of a prefix that a node of the mesh owns: node by node, then the host routes, then prefixes of nobody.
    func number(of prefix: Prefix) -> Int? {
        let owner = SimNode.number(of: prefix)
        if scenario.isHostile, prefix.length == 64 {
            let nobody = owner - HostileNode.firstNobody
            if (0..<HostileNode.trackedNobodies).contains(nobody) { return prefixCount + nobody }
        }
        guard nodes.indices.contains(owner) else { return nil }
        switch prefix.length {
        case 64: return owner
        case 128 where scenario.announcesHostRoutes: return scenario.nodes + owner
        default: return nil
        }
    }

    /// The node that owns a prefix, nil for a prefix of nobody.
    func owner(of prefix: Int) -> Int? {
        guard prefix < prefixCount else { return nil }
        return prefix < scenario.nodes ? prefix : prefix - scenario.nodes
    }

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
