import HyphaBase
import HyphaControl
import HyphaFIB
import HyphaIdentity
import HyphaInterchange
import HyphaPacket
import HyphaSession

/// A `ControlPort` and the worker's ends of its rings.
final class PortFixture {
    let port: WorkerPort
    /// What the program was asked for.
    private(set) var asked: [String] = []
    private var control: ControlPort
    private var commands: RingConsumer
    private var injected: RingConsumer
    private var handshakes: RingProducer
    private var punted: RingProducer
    private var notices: RingProducer
    private let memory = [TableMemory(capacity: 64, scope: .link), TableMemory(capacity: 64, scope: .flow)]

    init(_ configuration: ControlConfiguration) {
        let first = ForwardingSnapshot(fib: FIBBuilder().build())
        port = WorkerPort(snapshot: first, linkSessions: memory[0].table, flowSessions: memory[1].table)
        let loop = ControlLoop(
            configuration: configuration, identity: SimulatedNetwork.identity(1), network: .open,
            random: SeededRandom(1), linkSessions: memory[0].table, flowSessions: memory[1].table, wallSeconds: 1,
            now: .zero)
        control = ControlPort(
            port: port, publisher: SnapshotPublisher(cells: [port.snapshots], first: first), loop: loop)
        commands = port.commands.makeConsumer()
        injected = port.injected.makeConsumer()
        handshakes = port.handshakes.makeProducer()
        punted = port.punted.makeProducer()
        notices = port.notices.makeProducer()
    }

    var counters: ControlCounters { control.loop.counters }
    var wallSeconds: UInt64 { control.loop.wallSeconds }
    var nextDeadline: Instant? { control.nextDeadline }
    var retiredSnapshots: Int { control.retiredSnapshots }

    func change(_ change: (inout ControlLoop) -> Void) { change(&control.loop) }

    func turn(_ now: Instant, wallSeconds: UInt64 = 7) -> Bool {
        control.turn(now: now, wallSeconds: wallSeconds) { action in
            if case .resolve(let link, let host, let port) = action { asked.append("\(link) \(host) \(port)") }
        }
    }

    func takeCommands() -> [WorkerCommand] {
        var out: [WorkerCommand] = []
        while let record = commands.peek() {
            out.append(record.load(as: WorkerCommand.self))
            commands.advance()
        }
        commands.release()
        return out
    }

    func takeInjected() -> [(head: InjectedPacket, bytes: [UInt8])] {
        var out: [(head: InjectedPacket, bytes: [UInt8])] = []
        while let record = injected.peek() {
            let head = record.load(as: InjectedPacket.self)
            let start = record + InjectedPacket.headSize
            out.append((head, Array(UnsafeRawBufferPointer(start: start, count: Int(head.length)))))
            injected.advance()
        }
        injected.release()
        return out
    }

    func punt(_ head: PuntedPacket) {
        let length = Int(head.length)
        if head.kind == .handshake {
            PortFixture.put(head, length, handshakes.reserve())
            handshakes.advance()
            handshakes.publish()
        } else {
            PortFixture.put(head, length, punted.reserve())
            punted.advance()
            punted.publish()
        }
    }

    /// A record with `length` bytes of zero: the memory of a ring holds anything.
    private static func put(_ head: PuntedPacket, _ length: Int, _ record: UnsafeMutableRawPointer?) {
        record?.storeBytes(of: head, as: PuntedPacket.self)
        record?.advanced(by: PuntedPacket.headSize).initializeMemory(as: UInt8.self, repeating: 0, count: length)
    }

    /// A record of the ring for all but handshakes, with bytes. False when the ring is full.
    func punt(_ head: PuntedPacket, _ bytes: [UInt8]) -> Bool {
        guard let record = punted.reserve() else { return false }
        record.storeBytes(of: head, as: PuntedPacket.self)
        bytes.withUnsafeBytes { source in
            if let base = source.baseAddress {
                (record + PuntedPacket.headSize).copyMemory(from: base, byteCount: source.count)
            }
        }
        punted.advance()
        punted.publish()
        return true
    }

    func notify(_ notice: Notice) {
        notices.reserve()?.storeBytes(of: notice, as: Notice.self)
        notices.advance()
        notices.publish()
    }
}
