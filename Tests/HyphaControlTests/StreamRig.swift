import HyphaBase
import HyphaControl
import HyphaFIB
import HyphaIdentity
import HyphaInterchange
import HyphaRouting
import HyphaSession
import HyphaWire

/// One control loop and a test in the place of its worker and its program.
final class StreamRig {
    /// What came out, in order.
    enum Step: Equatable {
        case dial(UInt32, SocketAddress)
        case close(UInt32, reset: Bool)
        case resolved(UInt64)
        case failed(UInt64)
        case command(WorkerCommand.Operation)
        case publish
        case resolve(UInt32, String, UInt16)
    }

    var loop: ControlLoop
    private(set) var now: Instant
    let own: NodeIdentity
    private(set) var steps: [Step] = []
    /// Everything written on connections.
    private(set) var written: [(at: Instant, connection: UInt32, bytes: [UInt8])] = []
    private(set) var commands: [WorkerCommand] = []
    /// What the worker is to answer Hellos with, by connection.
    private(set) var answers: [UInt32: BabelTLV.IHU] = [:]
    private(set) var log: [String] = []
    private(set) var snapshot: ForwardingSnapshot?
    /// Tables are not taken.
    var refusesTables = false
    private let memory = [TableMemory(capacity: 64, scope: .link), TableMemory(capacity: 64, scope: .flow)]

    init(_ configuration: ControlConfiguration, number: UInt8 = 1, seed: UInt64 = 1) {
        now = Instant(nanoseconds: 1_000_000_000)
        own = SimulatedNetwork.identity(number)
        loop = ControlLoop(
            configuration: configuration, identity: own, network: .open, random: SeededRandom(seed),
            linkSessions: memory[0].table, flowSessions: memory[1].table, wallSeconds: 1, now: now)
        take()
    }

    func take() {
        while let action = loop.poll() {
            switch action {
            case .command(let command):
                commands.append(command)
                switch command.operation {
                case .openStream: steps.append(.dial(command.id, command.endpoint))
                case .closeStream: steps.append(.close(command.id, reset: command.value == 1))
                case .answerHellos: answers[command.id] = FakeStreams.answer(command)
                case .routeResolved: steps.append(.resolved(command.endpoint.address.high))
                case .routeFailed: steps.append(.failed(command.endpoint.address.high))
                default: steps.append(.command(command.operation))
                }
            case .inject(let head, let bytes):
                if head.kind == .streamControl { written.append((now, head.link, bytes)) }
            case .publish(let next):
                if refusesTables {
                    loop.publicationRefused(now: now)
                } else {
                    snapshot = next
                    steps.append(.publish)
                }
            case .resolve(let link, let host, let port): steps.append(.resolve(link, host, port))
            case .log(let level, let text, _): log.append("\(level) \(text)")
            case .persist: break
            }
        }
    }

    /// Returns and clears the steps so far.
    func takeSteps() -> [Step] {
        defer { steps = [] }
        return steps
    }

    /// Dials since the last look.
    func takeDials() -> [(number: UInt32, to: SocketAddress)] {
        takeSteps().compactMap { if case .dial(let number, let to) = $0 { (number, to) } else { nil } }
    }

    func takeCloses() -> [UInt32] {
        takeSteps().compactMap { if case .close(let id, true) = $0 { id } else { nil } }
    }

    func takeWritten() -> [(at: Instant, connection: UInt32, bytes: [UInt8])] {
        defer { written = [] }
        return written
    }

    /// Lets time pass, deadline by deadline.
    func run(milliseconds: UInt64) {
        let end = now.advanced(byMilliseconds: milliseconds)
        while let next = loop.nextDeadline, next <= end {
            now = max(now, next)
            loop.advance(to: now)
            take()
        }
        now = end
    }

    /// Lets time pass until the loop wants to dial or ask for addresses; the milliseconds that took.
    func runToNextTry(atMost milliseconds: UInt64 = 2_000_000) -> UInt64? {
        let start = now
        let end = now.advanced(byMilliseconds: milliseconds)
        _ = takeSteps()
        while let next = loop.nextDeadline, next <= end {
            now = max(now, next)
            loop.advance(to: now)
            take()
            let isTry = steps.contains { step in
                switch step {
                case .dial, .resolve: true
                default: false
                }
            }
            if isTry { return now.milliseconds(since: start) }
        }
        now = end
        return nil
    }

    func resolved(_ index: UInt32, _ host: String, port: UInt16 = 9_651, _ addresses: [SocketAddress]) {
        loop.resolved(
            link: 0x8000_0000 | index, host: host, port: port,
            addresses: addresses.map { ResolvedAddress(address: $0, largestDatagram: 0) }, now: now)
        take()
    }

    /// A beacon of the local network came.
    func found(_ endpoint: SocketAddress, as number: UInt8? = nil) {
        let key = number.map { SimulatedNetwork.identity($0).publicKey }
        loop.discovered(endpoint: endpoint, key: key, now: now)
        take()
    }

    func notice(_ notice: Notice) {
        loop.handle(notice, now: now)
        take()
    }

    func opened(_ id: UInt32, dial: UInt32 = .max, from remote: SocketAddress, microseconds: UInt32 = 20_000) {
        let opening = StreamOpening(dial: dial, roundTrip: microseconds)
        withUnsafeBytes(of: opening) {
            loop.handle(
                PuntedPacket(kind: .streamOpened, length: $0.count, link: id, sender: remote), $0, now: now)
        }
        take()
    }

    func closed(_ id: UInt32, error: UInt16 = 0, end: UInt8 = 0) {
        notice(Notice(.streamClosed, id: id, slot: StreamClosing(error: error, end: end).slot))
    }

    func control(_ id: UInt32, body: [UInt8]) {
        body.withUnsafeBytes {
            loop.handle(PuntedPacket(kind: .streamControl, length: $0.count, link: id), $0, now: now)
        }
        take()
    }

    func control(_ id: UInt32, _ tlv: BabelTLV) {
        control(id, body: [tlv.type, UInt8(tlv.body.count)] + tlv.body)
    }

    /// Says on a connection what a stock node says first.
    func introduce(_ id: UInt32, as number: UInt8, metric: UInt16 = 0, zone: UInt16 = 0, seqno: UInt16 = 0) {
        control(id, .update(StreamRig.update(number, metric: metric, zone: zone, seqno: seqno)))
    }

    static func update(
        _ number: UInt8, metric: UInt16 = 0, zone: UInt16 = 0, seqno: UInt16 = 0, length: Int = 64
    ) -> BabelTLV.Update {
        let key = SimulatedNetwork.identity(number).publicKey
        guard let id = RouterID(key: key.bytes, zone: zone, random: 7) else {
            preconditionFailure("a key has 32 bytes")
        }
        return BabelTLV.Update(
            prefix: Prefix(key.address, length: length), routerID: id, seqno: seqno, metric: metric, interval: 30_000)
    }

    var streams: [StreamStatus] { loop.status(now: now).streams }
    var counters: ControlCounters { loop.counters }

    /// The next hop to a node, by the last table.
    func lookup(_ number: UInt8) -> NextHop {
        snapshot?.fib.view.lookup(SimulatedNetwork.identity(number).address) ?? .none
    }

    static func address(_ text: String) -> SocketAddress {
        guard let address = SocketAddress(text) else { preconditionFailure("\(text) is no address") }
        return address
    }
}
