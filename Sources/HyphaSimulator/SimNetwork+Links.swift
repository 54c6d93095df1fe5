import HyphaBase
import HyphaRouting

/// Links that come and go, and nodes that restart.
extension SimNetwork {
    func neighbour(_ number: Int) -> NeighbourID { NeighbourID(UInt16(truncatingIfNeeded: number)) }

    /// The session of a link that one of its ends holds, 0 for none.
    func session(_ link: Int, at node: Int) -> UInt32 { nodes[node].sessions[links[link].number(at: node)] }

    /// Whether packets pass: both ends hold the same session.
    func isUp(_ link: Int) -> Bool {
        let session = session(link, at: links[link].a)
        return session != 0 && session == self.session(link, at: links[link].b)
    }

    /// Both ends get a new session, if both nodes run and nothing is cut.
    ///
    /// An end of a datagram link that noticed nothing keeps what it knows, unless its neighbour has started anew. If
    /// neither noticed anything, the old session goes on.
    mutating func connect(_ link: Int) {
        let ends = [links[link].a, links[link].b]
        guard !links[link].isCut, ends.allSatisfy({ nodes[$0].isRunning && !isSilent($0) }) else { return }
        if !links[link].isStream, isUp(link) { return }
        let knows = ends.map { node in
            let other = links[link].other(than: node)
            return !links[link].isStream && session(link, at: node) != 0
                && nodes[node].boots[links[link].number(at: node)] == nodes[other].boot
        }
        links[link].session += 1
        links[link].lastArrivalAtA = now
        links[link].lastArrivalAtB = now
        for node in ends {
            let number = links[link].number(at: node)
            nodes[node].sessions[number] = links[link].session
            nodes[node].boots[number] = nodes[links[link].other(than: node)].boot
        }
        for (node, knows) in zip(ends, knows) {
            let id = neighbour(links[link].number(at: node))
            if knows {
                nodes[node].router.neighbourRenewed(id, hasForgotten: true, now: now)
            } else {
                let isStock = links[link].isStream
                nodes[node].router.neighbourUp(
                    id,
                    NeighbourLink(
                        kind: links[link].kind, baseCost: isStock ? 10 : 4,
                        roundTrip: UInt16(truncatingIfNeeded: links[link].delay * 2), isDialled: node == links[link].a,
                        key: isStock ? [] : SimNode.key(of: links[link].other(than: node))), now: now)
            }
            drain(node)
        }
    }

    /// Each end finds out in its own time that the session is gone, if it does before the link is back.
    mutating func noticeLoss(of link: Int) {
        for node in [links[link].a, links[link].b] {
            let delay = UInt64.random(in: 20...400, using: &seed)
            schedule(.notice(link: link, node: node, session: session(link, at: node)), after: delay)
        }
    }

    /// One end finds out that a session is gone. A link that is not cut is then made anew.
    mutating func notice(_ link: Int, _ node: Int, _ session: UInt32) {
        guard session != 0, nodes[node].isRunning, self.session(link, at: node) == session,
            !isUp(link) || links[link].isCut
        else { return }
        let number = links[link].number(at: node)
        nodes[node].sessions[number] = 0
        nodes[node].router.neighbourDown(neighbour(number), now: now)
        drain(node)
    }

    mutating func crash(_ node: Int, losesState: Bool) {
        guard nodes[node].isRunning else { return }
        nodes[node].isRunning = false
        forget(node)
        if losesState {
            nodes[node].state = nil
            nodes[node].hasLostState = true
        }
        for (number, link) in nodes[node].links.enumerated() {
            nodes[node].sessions[number] = 0
            noticeLoss(of: link)
        }
        schedule(.start(node), after: UInt64.random(in: 10...1500, using: &seed))
    }

    mutating func start(_ node: Int) {
        guard !nodes[node].isRunning, let router = makeRouter(node, state: nodes[node].state) else { return }
        nodes[node].router = router
        nodes[node].isRunning = true
        nodes[node].boot += 1
        nodes[node].handled = 0
        nodes[node].wake = .distantFuture
        drain(node)
        for link in nodes[node].links { connect(link) }
    }

    mutating func repair() {
        endHostility()
        for node in nodes.indices where !nodes[node].isRunning { start(node) }
        for link in links.indices {
            links[link].loss = 0
            links[link].jitter = 0
            guard !isSilent(links[link].a), !isSilent(links[link].b) else { continue }
            links[link].isCut = false
            connect(link)
        }
    }
}
