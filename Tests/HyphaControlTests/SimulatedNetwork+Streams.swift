import HyphaBase
import HyphaControl
import HyphaFIB
import HyphaInterchange
import Testing

/// TCP between nodes: in order, without loss but where the underlay is cut.
extension SimulatedNetwork {
    /// One way, milliseconds.
    private func streamDelay(_ a: Int, _ b: Int) -> UInt64 {
        delays(nodes[a].endpoint, nodes[b].endpoint) ?? delay.lowerBound
    }

    private func isCut(_ a: Int, _ b: Int) -> Bool { cuts(nodes[a].endpoint, nodes[b].endpoint) }

    /// What control wanted of its worker's connections.
    func takeStreams(_ i: Int) {
        let node = nodes[i]
        for (number, to) in node.worker.streams.dials { dial(i, number, to) }
        node.worker.streams.dials = []
        for (connection, bytes) in node.worker.streams.sent {
            guard let (pipe, side) = find(i, connection) else { continue }
            let other = pipes[pipe].nodes[side.other.rawValue]
            guard !isCut(i, other) else { continue }
            schedule(.bytes(pipe: pipe, side: side.other.rawValue, bytes), milliseconds: streamDelay(i, other))
        }
        node.worker.streams.sent = []
        for (connection, packet) in node.worker.streams.packets {
            guard let (pipe, side) = find(i, connection) else { continue }
            let other = pipes[pipe].nodes[side.other.rawValue]
            guard !isCut(i, other) else { continue }
            schedule(.packet(pipe: pipe, side: side.other.rawValue, packet), milliseconds: streamDelay(i, other))
        }
        node.worker.streams.packets = []
        for (connection, reset) in node.worker.streams.closes {
            guard node.worker.streams.close(connection) else { continue }
            node.worker.notices.append(Notice(.streamClosed, id: connection, slot: StreamClosing().slot))
            guard let (pipe, side) = find(i, connection) else { continue }
            pipes[pipe].connections[side.rawValue] = nil
            let other = pipes[pipe].nodes[side.other.rawValue]
            guard !isCut(i, other) else { continue }
            schedule(
                .ended(pipe: pipe, side: side.other.rawValue, error: reset ? 104 : 0),
                milliseconds: streamDelay(i, other))
        }
        node.worker.streams.closes = []
    }

    /// A node started again: it knows nothing of its connections. Whoever writes on one is told so.
    func forgetStreams(of node: Int) {
        for pipe in pipes.indices {
            for side in 0..<2 where pipes[pipe].nodes[side] == node { pipes[pipe].connections[side] = nil }
        }
    }

    private func find(_ node: Int, _ connection: UInt32) -> (pipe: Int, side: SimulatedPipe.Side)? {
        for (i, pipe) in pipes.enumerated().reversed() {
            for side in [SimulatedPipe.Side.dialled, .accepted]
            where pipe.nodes[side.rawValue] == node && pipe.connections[side.rawValue] == connection {
                return (i, side)
            }
        }
        return nil
    }

    private func dial(_ i: Int, _ number: UInt32, _ to: SocketAddress) {
        guard let other = nodes.firstIndex(where: { $0.endpoint == to }) else {
            return schedule(.failed(node: i, number: number, error: 113), milliseconds: 20)
        }
        guard !isCut(i, other), !isCut(other, i) else {
            return schedule(.failed(node: i, number: number, error: 110), milliseconds: 5_000)
        }
        let trip = streamDelay(i, other)
        guard nodes[other].isRunning, nodes[other].configuration.maxStreams > 0 else {
            return schedule(.failed(node: i, number: number, error: 111), milliseconds: 2 * trip)
        }
        pipes.append(
            SimulatedPipe(nodes: [i, other], number: number, port: UInt16(truncatingIfNeeded: 40_000 + pipes.count)))
        schedule(.opened(pipe: pipes.count - 1, side: 0), milliseconds: 2 * trip)
        schedule(.opened(pipe: pipes.count - 1, side: 1), milliseconds: 3 * trip)
    }

    /// Returns the nodes that something happened to.
    func take(_ event: SimulatedPipe.Event) -> [Int] {
        switch event {
        case .failed(let i, let number, let error):
            guard nodes[i].isRunning else { return [] }
            nodes[i].worker.notices.append(Notice(.streamFailed, id: number, slot: error))
            return [i]
        case .opened(let pipe, let side):
            let i = pipes[pipe].nodes[side]
            let other = pipes[pipe].nodes[1 - side]
            guard nodes[i].isRunning else { return [] }
            var remote = nodes[other].endpoint
            if side == 1 { remote.port = pipes[pipe].port }
            guard let id = nodes[i].worker.streams.open(remote) else {
                schedule(.ended(pipe: pipe, side: 1 - side, error: 104), milliseconds: streamDelay(i, other))
                return []
            }
            pipes[pipe].connections[side] = id
            let opening = StreamOpening(
                dial: side == 0 ? pipes[pipe].number : .max,
                roundTrip: UInt32(clamping: 2_000 * streamDelay(i, other)))
            let head = PuntedPacket(kind: .streamOpened, length: StreamOpening.size, link: id, sender: remote)
            nodes[i].worker.punts.append((head, withUnsafeBytes(of: opening) { Array($0) }))
            return [i]
        case .bytes(let pipe, let side, let bytes):
            let i = pipes[pipe].nodes[side]
            guard nodes[i].isRunning else { return [] }
            guard let id = pipes[pipe].connections[side], nodes[i].worker.streams.remotes[id] != nil else {
                let other = pipes[pipe].nodes[1 - side]
                schedule(.ended(pipe: pipe, side: 1 - side, error: 104), milliseconds: streamDelay(i, other))
                return []
            }
            for frame in FakeStreams.frames(bytes) {
                let body = Array(frame.dropFirst(8))
                nodes[i].worker.streams.heard(body, on: id)
                nodes[i].worker.punts.append((PuntedPacket(kind: .streamControl, length: body.count, link: id), body))
            }
            return [i]
        case .packet(let pipe, let side, let packet):
            let i = pipes[pipe].nodes[side]
            guard nodes[i].isRunning, let id = pipes[pipe].connections[side] else { return [] }
            nodes[i].worker.receive(packet: packet, connection: id, now: now)
            return [i]
        case .ended(let pipe, let side, let error):
            let i = pipes[pipe].nodes[side]
            guard nodes[i].isRunning, let id = pipes[pipe].connections[side] else { return [] }
            pipes[pipe].connections[side] = nil
            guard nodes[i].worker.streams.close(id) else { return [] }
            nodes[i].worker.notices.append(
                Notice(.streamClosed, id: id, slot: StreamClosing(error: error).slot))
            return [i]
        }
    }

    /// Runs until everybody reaches everybody, where packets ask for the routes that are missing: over TCP nobody is told
    /// of routes that were there before its connection.
    func becomesWhole(seconds: Double) -> Bool {
        for _ in 0..<Int(seconds * 5) {
            if run(seconds: 0.2, until: { isWhole }) { return true }
            for a in nodes where a.isRunning {
                for b in nodes where b.isRunning && a !== b && a.worker.lookup(b.address).kind != .link {
                    act(on: a) { $0.worker.sendFromHost(to: b.address, now: $1) }
                }
            }
        }
        return false
    }

    /// Everybody has TCP links; each edge is dialled by its first end over TCP.
    static func streams(_ count: UInt8, edges: [(UInt8, UInt8)], seed: UInt64 = 1) -> SimulatedNetwork {
        let network = SimulatedNetwork(seed: seed)
        for number in 1...count {
            network.addNode(number, streaming(edges.filter { $0.0 == number }.map(\.1)))
        }
        return network
    }
}

/// TCP peers by their numbers, at 10.0.0.number, and places for 32 TCP links behind 16 of HL1.
func streaming(_ numbers: [UInt8], hl1: [UInt8] = []) -> ControlConfiguration {
    var configuration = dialling(hl1)
    configuration.maxPeers = 16
    configuration.links = LinkNumbering(datagramLinks: 16, streams: 32)
    configuration.streamPeers = numbers.map { ConfiguredStreamPeer(host: "10.0.0.\($0)", port: 9_651) }
    configuration.routing = RoutingSettings()
    return configuration
}
