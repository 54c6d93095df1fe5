import HyphaBase
import HyphaControl
import HyphaIdentity
import HyphaInterchange
import Testing

/// Nodes joined by an underlay in memory, in virtual time: the same seed gives the same run.
final class SimulatedNetwork {
    private enum Event: Sendable {
        case datagram([UInt8], from: SocketAddress, to: SocketAddress)
        case resolved(node: Int, link: UInt32, host: String, port: UInt16, [ResolvedAddress])
        case stream(SimulatedPipe.Event)
        case tick
    }

    private(set) var now = Instant(nanoseconds: 1_000_000_000)
    private var events = DeadlineQueue<Event>()
    private var chance: Seed
    private(set) var nodes: [SimulatedNode] = []
    /// Names for the resolver; numeric addresses are found without.
    var names: [String: [SocketAddress]] = [:]
    /// Path limit of each address; 1,452 without.
    var pathLimits: [SocketAddress: UInt16] = [:]
    /// Percent.
    var loss: UInt64 = 0
    var duplication: UInt64 = 0
    /// One way, milliseconds: a number in this range for each datagram, so wide ranges reorder.
    var delay: ClosedRange<UInt64> = 10...10
    /// True for datagrams that get lost.
    var cuts: (SocketAddress, SocketAddress) -> Bool = { _, _ in false }
    /// True for datagrams that get lost, by what is in them.
    var drops: ([UInt8]) -> Bool = { _ in false }
    /// In place of `delay` between two places.
    var delays: (SocketAddress, SocketAddress) -> UInt64? = { _, _ in nil }
    /// TCP connections.
    var pipes: [SimulatedPipe] = []
    /// Every datagram that was sent, lost or not.
    private(set) var sent: [(at: Instant, from: SocketAddress, to: SocketAddress, bytes: [UInt8])] = []

    private let start: Instant
    static let wallStart: UInt64 = 1_700_000_000

    init(seed: UInt64) {
        chance = Seed(seed)
        start = now
        events.insert(.tick, at: now)
    }

    /// Seconds since the network began.
    var seconds: Double { Double(now.nanoseconds(since: start)) / 1e9 }

    func wallSeconds(_ offset: Int64) -> UInt64 {
        SimulatedNetwork.wallStart &+ now.nanoseconds(since: start) / 1_000_000_000 &+ UInt64(bitPattern: offset)
    }

    static func identity(_ number: UInt8) -> NodeIdentity {
        var seed = Seed(UInt64(number) &+ 77)
        let secret = (0..<32).map { _ in UInt8(truncatingIfNeeded: seed.next()) }
        guard let identity = NodeIdentity(secret: secret) else { preconditionFailure("32 bytes are a secret") }
        return identity
    }

    /// 10.0.0.`number`:9651.
    static func endpoint(_ number: UInt8) -> SocketAddress {
        SocketAddress(address: .mapped(ipv4: 0x0A00_0000 | UInt32(number)), port: 9_651)
    }

    /// [fd00::`number`]:9651.
    static func endpoint6(_ number: UInt8) -> SocketAddress {
        SocketAddress(address: IPv6Address(high: 0xFD00 << 48, low: UInt64(number)), port: 9_651)
    }

    @discardableResult
    func addNode(
        _ number: UInt8, _ configuration: ControlConfiguration = ControlConfiguration(),
        endpoint: SocketAddress? = nil, clockOffset: Int64 = 0
    ) -> SimulatedNode {
        let node = SimulatedNode(
            identity: SimulatedNetwork.identity(number), configuration: configuration,
            endpoint: endpoint ?? SimulatedNetwork.endpoint(number), seed: chance.next(),
            wallSeconds: wallSeconds(clockOffset), now: now)
        node.clockOffset = clockOffset
        nodes.append(node)
        pump(nodes.count - 1)
        return node
    }

    func restart(_ node: SimulatedNode) {
        node.restart(wallSeconds: wallSeconds(node.clockOffset), now: now)
        if let i = nodes.firstIndex(where: { $0 === node }) {
            forgetStreams(of: i)
            pump(i)
        }
    }

    /// Puts a datagram into the underlay, subject to nothing.
    func deliver(_ bytes: [UInt8], from: SocketAddress, to: SocketAddress) {
        events.insert(.datagram(bytes, from: from, to: to), at: now)
    }

    /// Lets `change` act on a node and does what comes of it.
    func act(on node: SimulatedNode, _ change: (SimulatedNode, Instant) -> Void) {
        change(node, now)
        if let i = nodes.firstIndex(where: { $0 === node }) { pump(i) }
    }

    /// Runs for a time.
    func run(seconds: Double) {
        let end = now.advanced(byNanoseconds: UInt64(seconds * 1e9))
        while let next = nextTime, next <= end {
            now = max(now, next)
            step()
        }
        now = end
    }

    /// Runs until something holds; false when it does not within a time.
    func run(seconds: Double, until condition: () -> Bool) -> Bool {
        let end = now.advanced(byNanoseconds: UInt64(seconds * 1e9))
        if condition() { return true }
        while let next = nextTime, next <= end {
            now = max(now, next)
            step()
            if condition() { return true }
        }
        now = end
        return false
    }

    /// Something happens to a TCP connection later.
    func schedule(_ event: SimulatedPipe.Event, milliseconds: UInt64) {
        events.insert(.stream(event), at: now.advanced(byMilliseconds: milliseconds))
    }

    // MARK: - Steps

    private var nextTime: Instant? {
        var times = nodes.filter(\.isRunning).compactMap(\.loop.nextDeadline)
        if let event = events.nextDeadline { times.append(event) }
        return times.min()
    }

    private func step() {
        for i in nodes.indices where nodes[i].isRunning {
            guard let deadline = nodes[i].loop.nextDeadline, deadline <= now else { continue }
            nodes[i].loop.advance(to: now)
            pump(i)
        }
        guard let event = events.popDue(now: now) else { return }
        switch event {
        case .datagram(let bytes, let from, let to):
            guard let i = nodes.firstIndex(where: { $0.endpoint == to && $0.isRunning }) else { return }
            nodes[i].worker.receive(bytes, sender: from, now: now)
            pump(i)
        case .resolved(let i, let link, let host, let port, let addresses):
            guard nodes[i].isRunning else { return }
            nodes[i].loop.resolved(link: link, host: host, port: port, addresses: addresses, now: now)
            pump(i)
        case .stream(let event): take(event).forEach(pump)
        case .tick:
            for i in nodes.indices where nodes[i].isRunning {
                nodes[i].worker.tick(now: now)
                pump(i)
            }
            events.insert(.tick, at: now.advanced(byMilliseconds: 50))
        }
    }

    /// Carries everything between control, worker and underlay of one node until it rests.
    private func pump(_ i: Int) {
        let node = nodes[i]
        node.loop.wallSeconds = wallSeconds(node.clockOffset)
        var isBusy = true
        while isBusy {
            isBusy = false
            while let action = node.loop.poll() {
                isBusy = true
                perform(action, node: i)
            }
            let notices = node.worker.notices
            let punts = node.worker.punts
            let datagrams = node.worker.datagrams
            node.worker.notices = []
            node.worker.punts = []
            node.worker.datagrams = []
            for notice in notices { node.loop.handle(notice, now: now) }
            for (head, bytes) in punts { bytes.withUnsafeBytes { node.loop.handle(head, $0, now: now) } }
            for (to, bytes) in datagrams { send(bytes, from: node.endpoint, to: to) }
            takeStreams(i)
            isBusy = isBusy || !notices.isEmpty || !punts.isEmpty
        }
        #expect(node.worker.faults.isEmpty && node.worker.streams.unsafeFrames.isEmpty)
    }

    private func perform(_ action: ControlAction, node i: Int) {
        let node = nodes[i]
        switch action {
        case .command(let command): node.worker.apply(command, now: now)
        case .inject(let head, let bytes): node.worker.inject(head, bytes, now: now)
        case .publish(let snapshot): node.worker.snapshot = snapshot
        case .persist(let state): node.state = state
        case .log(let level, let text, _): node.log.append("\(level) \(text)")
        case .resolve(let link, let host, let port):
            let found =
                names[host]
                ?? [SocketAddress("\(host):\(port)") ?? SocketAddress("[\(host)]:\(port)")]
                .compactMap { $0 }
            events.insert(
                .resolved(
                    node: i, link: link, host: host, port: port,
                    found.map { ResolvedAddress(address: $0, largestDatagram: pathLimits[$0] ?? 1_452) }),
                at: now.advanced(byMilliseconds: 1))
        }
    }

    private func send(_ bytes: [UInt8], from: SocketAddress, to: SocketAddress) {
        sent.append((now, from, to, bytes))
        guard !cuts(from, to), !drops(bytes) else { return }
        for _ in 0..<(chance.next() % 100 < duplication ? 2 : 1) {
            guard chance.next() % 100 >= loss else { continue }
            let pause = delays(from, to) ?? UInt64.random(in: delay, using: &chance)
            events.insert(.datagram(bytes, from: from, to: to), at: now.advanced(byMilliseconds: pause))
        }
    }
}
