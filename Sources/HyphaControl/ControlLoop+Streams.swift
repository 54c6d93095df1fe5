public import HyphaBase
public import HyphaIdentity
import HyphaInterchange
import HyphaRouting
import HyphaWire

/// TCP links, and what packets wait for on the way to stock nodes.
extension ControlLoop {
    /// A place on the local network said that it takes TCP connections. It is dialled unless there is a connection with its
    /// host or another link with the node that has `key`, and forgotten after three dials in a row that came to nothing.
    /// `key`: what its beacon says. At most 64 such places are known at a time.
    public mutating func discovered(endpoint: SocketAddress, key: PublicKey? = nil, now: Instant) {
        streams.discovered(endpoint, key: key, now: now, &context)
    }

    /// Nothing was heard of a place that was `discovered` for long: it is not dialled any more.
    public mutating func unheard(endpoint: SocketAddress) { streams.unheard(endpoint) }

    /// Whether there is a TCP link with the machine at an address, whoever made it.
    public func hasStream(with endpoint: SocketAddress) -> Bool { streams.isConnected(endpoint) }

    /// Whether a place that was `discovered` is known: connected, to be dialled, or standing by.
    public func dials(_ endpoint: SocketAddress) -> Bool {
        streams.targets.contains { $0?.addresses.contains(endpoint) ?? false }
    }

    /// A TCP connection is there.
    mutating func handleOpened(
        _ bytes: UnsafeRawBufferPointer, connection: UInt32, remote: SocketAddress, now: Instant
    ) {
        guard bytes.count >= StreamOpening.size else { return }
        streams.opened(connection, bytes.loadUnaligned(as: StreamOpening.self), remote: remote, now: now, &context)
        settle(now: now)
    }

    /// The Babel body of a control frame.
    mutating func handleStreamControl(_ body: UnsafeRawBufferPointer, connection: UInt32, now: Instant) {
        guard let link = streams.heard(connection) else {
            context.count.streamControlRefused += 1
            return
        }
        context.count.streamControlReceived += 1
        let (sender, isWhole) = routes.receive(stream: body, from: link, now: now)
        if !isWhole { context.count.streamControlRefused += 1 }
        switch sender {
        case .unknown: break
        case .own: streams.isOwn(link, &context)
        case .key(let key): streams.learnt(key, link: link, now: now, &context)
        }
        settle(now: now)
    }

    /// The kernel's round trip on a connection is another one than it was.
    mutating func measured(connection: UInt32, microseconds: UInt32, now: Instant) {
        guard let link = streams.measured(connection, microseconds: microseconds) else { return }
        routes.measured(link, milliseconds: StreamSupervisor.milliseconds(microseconds), now: now)
    }

    /// Packets of this node wait for a route to the /64 with this upper half.
    mutating func needRoute(_ prefix: UInt64, now: Instant) {
        context.count.queries += 1
        switch routes.query(prefix, now: now) {
        case .known: found.insert(prefix)
        case .asked: break
        case .local, .notRoutable, .refused: refuseRoute(prefix)
        }
    }

    /// A handshake was answered. Where routes are asked for, who asked for ours may be unknown here: without a way back the
    /// answer gets nowhere.
    mutating func seekWayBack(to source: IPv6Address, now: Instant) {
        guard !routes.hasRoute(to: source), wayBackLimit.take(now: now) else { return }
        if case .asked = routes.query(source.high, now: now) { context.count.queries += 1 }
    }

    /// There is none.
    mutating func refuseRoute(_ prefix: UInt64) {
        context.count.queriesFailed += 1
        found.remove(prefix)
        context.command(.aboutRoute(.routeFailed, to: prefix))
    }

    /// The worker is about to use up its nonces for stock bodies.
    mutating func renewStockPrefix() {
        context.count.stockPrefixes += 1
        let address = IPv6Address(high: context.random.uint64(), low: 0)
        context.command(WorkerCommand(.setStockPrefix, endpoint: SocketAddress(address: address, port: 0)))
    }
}

extension WorkerCommand {
    /// Hellos on a TCP connection are answered with this, which has no address.
    static func answerHellos(of connection: UInt32, with answer: BabelTLV.IHU) -> WorkerCommand {
        WorkerCommand(
            .answerHellos, id: connection, value: UInt32(answer.interval) << 16 | UInt32(answer.receiveCost))
    }

    /// A command about packets that wait for a route to the /64 with this upper half.
    static func aboutRoute(_ operation: Operation, to prefix: UInt64) -> WorkerCommand {
        let address = IPv6Address(high: prefix, low: 0)
        return WorkerCommand(operation, endpoint: SocketAddress(address: address, port: 0))
    }
}
