import HyphaBase
import HyphaPacket

/// TCP between nodes: in order and without loss; a cut holds back what is sent until it heals, or ends the connection.
extension WholeNetwork {
    /// What is sent and not acknowledged for so long ends the connection (TCP_USER_TIMEOUT), in milliseconds.
    private static let userTimeout: UInt64 = 12_000
    /// A lost segment is sent again after this, in milliseconds.
    private static let retransmit: UInt64 = 200
    private static let dials = 4
    private static let refused: Int32 = 111
    private static let timedOut: Int32 = 110
    private static let reset: Int32 = 104

    /// What a turn of a worker wanted of its connections.
    mutating func takeStreams(_ node: Int, _ machine: WholeMachine) {
        while machine.dialsSeen < machine.io.dialled.count {
            let dial = machine.io.dialled[machine.dialsSeen]
            machine.dialsSeen += 1
            self.dial(node, nodes[node].boot, dial.connection, to: dial.address, attempt: 0)
        }
        for (pipe, end) in nodes[node].pipes {
            guard let connection = pipes[pipe].ends[end].connection else { continue }
            let bytes = machine.io.takeWritten(connection)
            if !bytes.isEmpty { send(bytes, pipe, towards: 1 - end) }
            if let wasReset = machine.io.wasReset(connection) {
                pipes[pipe].ends[end].connection = nil
                sendEnd(pipe, towards: 1 - end, error: wasReset ? WholeNetwork.reset : 0)
            }
        }
        nodes[node].pipes.removeAll { pipes[$0.pipe].ends[$0.end].connection == nil }
    }

    mutating func handleStream(_ event: WholeEvent) {
        switch event {
        case .dial(let node, let boot, let connection, let address, let attempt):
            dial(node, boot, connection, to: address, attempt: attempt)
        case .dialEnded(let node, let boot, let connection, let error):
            guard let machine = nodes[node].machine, nodes[node].boot == boot else { return }
            machine.io.endByPeer(connection, error: error)
            pump(node)
        case .answered(let pipe): answered(pipe)
        case .bytes(let bytes, let pipe, let end): arrive(bytes, pipe, end)
        case .ended(let pipe, let end, let error): arriveEnd(pipe, end, error)
        case .stuck(let pipe, let since):
            guard pipes[pipe].stuckSince == since else { return }
            pipes[pipe].isOver = true
            for end in 0..<2 { finish(pipe, end, error: WholeNetwork.timedOut) }
        default: break
        }
    }

    // MARK: Opening

    /// A SYN, or its repetition.
    private mutating func dial(_ node: Int, _ boot: Int, _ connection: UInt32, to address: SocketAddress, attempt: Int)
    {
        guard nodes[node].boot == boot, nodes[node].machine != nil else { return }
        guard let to = WholeNode.number(at: address), nodes.indices.contains(to),
            let link = linksBetween[pair(node, to)], links[link].isStream
        else {
            return schedule(
                .dialEnded(node: node, boot: boot, connection: connection, error: WholeNetwork.refused), after: 1)
        }
        let lost = links[link].isCut || happens(links[link].loss)
        guard !lost else {
            guard attempt < WholeNetwork.dials else {
                return schedule(
                    .dialEnded(node: node, boot: boot, connection: connection, error: WholeNetwork.timedOut), after: 1)
            }
            return schedule(
                .dial(node: node, boot: boot, connection: connection, to: address, attempt: attempt + 1),
                after: 1_000 << UInt64(attempt))
        }
        let trip = links[link].delay
        guard nodes[to].machine != nil else {
            return schedule(
                .dialEnded(node: node, boot: boot, connection: connection, error: WholeNetwork.refused),
                after: 2 * trip)
        }
        pipes.append(
            UnderlayPipe(
                link: link,
                ends: [
                    UnderlayPipe.End(node: node, boot: boot, connection: connection),
                    UnderlayPipe.End(node: to, boot: nodes[to].boot),
                ]))
        nodes[node].pipes.append((pipes.count - 1, 0))
        schedule(.answered(pipe: pipes.count - 1), after: 2 * trip)
    }

    /// The handshake is over: both ends are open, and the dialled one hears of it.
    private mutating func answered(_ pipe: Int) {
        let (from, to) = (pipes[pipe].ends[0], pipes[pipe].ends[1])
        guard let dialler = nodes[from.node].machine, nodes[from.node].boot == from.boot,
            let connection = from.connection
        else { return }
        var remote = nodes[from.node].endpoint
        remote.port = UInt16(truncatingIfNeeded: 20_000 + pipe % 40_000)
        guard let target = nodes[to.node].machine, nodes[to.node].boot == to.boot,
            let accepted = target.io.accept(from: remote)
        else {
            dialler.io.endByPeer(connection, error: WholeNetwork.refused)
            pipes[pipe].ends[0].connection = nil
            return pump(from.node)
        }
        pipes[pipe].ends[1].connection = accepted
        nodes[to.node].pipes.append((pipe, 1))
        dialler.io.answer(connection, remote: nodes[to.node].endpoint)
        pump(to.node)
        pump(from.node)
    }

    // MARK: Bytes

    private mutating func send(_ bytes: [UInt8], _ pipe: Int, towards end: Int) {
        outcome.log(now.nanoseconds &+ UInt64(pipe))
        outcome.log(bytes)
        outcome.messages += 1
        guard !pipes[pipe].isOver else { return }
        events.insert(.bytes(bytes, pipe: pipe, end: end), at: arrival(pipe, end))
    }

    private mutating func sendEnd(_ pipe: Int, towards end: Int, error: Int32) {
        guard !pipes[pipe].isOver else { return }
        events.insert(.ended(pipe: pipe, end: end, error: error), at: arrival(pipe, end))
    }

    /// When what is sent now arrives: behind all that was sent before.
    private mutating func arrival(_ pipe: Int, _ end: Int) -> Instant {
        let link = links[pipes[pipe].link]
        var delay = link.delay + UInt64.random(in: 0...3 + link.jitter, using: &seed)
        if happens(link.loss) { delay += WholeNetwork.retransmit }
        let time = max(now.advanced(byMilliseconds: delay), pipes[pipe].ends[end].lastArrival)
        pipes[pipe].ends[end].lastArrival = time
        return time
    }

    private mutating func arrive(_ bytes: [UInt8], _ pipe: Int, _ end: Int) {
        guard !isHeld(pipe, end) else {
            pipes[pipe].ends[end].held.append(bytes)
            return stick(pipe)
        }
        deliver(bytes, pipe, end)
    }

    private mutating func deliver(_ bytes: [UInt8], _ pipe: Int, _ end: Int) {
        let place = pipes[pipe].ends[end]
        guard let connection = place.connection, let machine = nodes[place.node].machine,
            nodes[place.node].boot == place.boot
        else {
            // Nobody is there: who sent it hears of it.
            if !pipes[pipe].isOver {
                schedule(
                    .ended(pipe: pipe, end: 1 - end, error: WholeNetwork.reset), after: links[pipes[pipe].link].delay)
            }
            return
        }
        machine.io.arrive(bytes, on: connection)
        pump(place.node)
    }

    private mutating func arriveEnd(_ pipe: Int, _ end: Int, _ error: Int32) {
        guard !isHeld(pipe, end) else {
            pipes[pipe].ends[end].heldEnd = error
            return stick(pipe)
        }
        pipes[pipe].isOver = true
        finish(pipe, end, error: error)
    }

    /// Whether a cut keeps back what arrives at an end.
    private func isHeld(_ pipe: Int, _ end: Int) -> Bool {
        links[pipes[pipe].link].isCut || !pipes[pipe].ends[end].held.isEmpty
    }

    private mutating func stick(_ pipe: Int) {
        guard pipes[pipe].stuckSince == nil else { return }
        pipes[pipe].stuckSince = now
        schedule(.stuck(pipe: pipe, since: now), after: WholeNetwork.userTimeout)
    }

    /// A link works again: what waited goes on.
    mutating func releaseStreams(of link: Int) {
        for pipe in pipes.indices where pipes[pipe].link == link && pipes[pipe].stuckSince != nil {
            pipes[pipe].stuckSince = nil
            for end in 0..<2 {
                let held = pipes[pipe].ends[end].held
                let heldEnd = pipes[pipe].ends[end].heldEnd
                pipes[pipe].ends[end].held = []
                pipes[pipe].ends[end].heldEnd = nil
                for bytes in held where !pipes[pipe].isOver {
                    events.insert(.bytes(bytes, pipe: pipe, end: end), at: arrival(pipe, end))
                }
                if let heldEnd { sendEnd(pipe, towards: end, error: heldEnd) }
            }
        }
    }

    /// The end of a connection as one side sees it.
    private mutating func finish(_ pipe: Int, _ end: Int, error: Int32) {
        let place = pipes[pipe].ends[end]
        guard let connection = place.connection else { return }
        pipes[pipe].ends[end].connection = nil
        nodes[place.node].pipes.removeAll { $0.pipe == pipe && $0.end == end }
        guard let machine = nodes[place.node].machine, nodes[place.node].boot == place.boot else { return }
        machine.io.endByPeer(connection, error: error)
        pump(place.node)
    }

    /// A process ended: its kernel ends its connections.
    mutating func endStreams(of node: Int) {
        let ended = nodes[node].pipes
        nodes[node].pipes = []
        for (pipe, end) in ended {
            pipes[pipe].ends[end].connection = nil
            sendEnd(pipe, towards: 1 - end, error: WholeNetwork.reset)
        }
    }
}
