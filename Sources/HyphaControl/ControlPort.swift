public import HyphaBase
public import HyphaInterchange
import HyphaPacket

/// Control's ends of the rings of one worker, and the loop behind them. Used by the control thread alone.
public struct ControlPort: ~Copyable {
    public var loop: ControlLoop
    private var handshakes: RingConsumer
    private var punted: RingConsumer
    private var notices: RingConsumer
    private var commands: RingProducer
    private var injected: RingProducer
    private var publisher: SnapshotPublisher
    /// A command, or words on a TCP link, that found the ring full.
    private var kept: ControlAction?

    /// Records taken out of each ring in one turn at most.
    public static let batch = 256

    /// The only control end of `port`. `publisher`: over the cells of all workers.
    public init(port: WorkerPort, publisher: SnapshotPublisher, loop: ControlLoop) {
        handshakes = port.handshakes.makeConsumer()
        punted = port.punted.makeConsumer()
        notices = port.notices.makeConsumer()
        commands = port.commands.makeProducer()
        injected = port.injected.makeProducer()
        self.publisher = publisher
        self.loop = loop
    }

    /// One pass: takes in what the worker handed over, does what is due, hands out what comes of it. What only the
    /// program can do, `resolve` and `log`, goes to `rim`. While a ring towards the worker is full nothing is taken in,
    /// but for packets that may be lost.
    ///
    /// True when anything was done: call again before sleeping, and wake the worker if it sleeps. Otherwise sleep until
    /// `nextDeadline` or until the worker or the program has something.
    public mutating func turn(now: Instant, wallSeconds: UInt64, rim: (ControlAction) -> Void) -> Bool {
        loop.wallSeconds = wallSeconds
        var any = perform(now: now, rim)
        if kept == nil { any = takeNotices(now: now, rim) || any }
        if kept == nil { any = takeHandshakes(now: now, rim) || any }
        if kept == nil { any = takePunted(now: now, rim) || any }
        if kept == nil, let deadline = loop.nextDeadline, deadline <= now {
            any = true
            loop.advance(to: now)
            _ = perform(now: now, rim)
        }
        commands.publish()
        injected.publish()
        publisher.reclaim()
        return any
    }

    /// Asks the worker to take nothing more in, send what is queued, and end.
    public mutating func drain(now: Instant) { loop.drain(now: now) }

    /// True once the worker has said that it drained.
    public var isDrained: Bool { loop.isDrained }

    /// When `turn` has something to do by itself; the nearest possible time while a command waits for room.
    public var nextDeadline: Instant? { kept == nil ? loop.nextDeadline : .zero }

    /// Replaced forwarding tables that the worker may still read.
    public var retiredSnapshots: Int { publisher.retiredCount }

    private mutating func takeNotices(now: Instant, _ rim: (ControlAction) -> Void) -> Bool {
        var left = ControlPort.batch
        while left > 0, kept == nil, let record = notices.peek() {
            left -= 1
            let notice = record.load(as: Notice.self)
            notices.advance()
            loop.handle(notice, now: now)
            _ = perform(now: now, rim)
        }
        notices.release()
        return left < ControlPort.batch
    }

    private mutating func takeHandshakes(now: Instant, _ rim: (ControlAction) -> Void) -> Bool {
        var left = ControlPort.batch
        while left > 0, kept == nil, let record = handshakes.peek() {
            left -= 1
            let head = record.load(as: PuntedPacket.self)
            let length = min(Int(head.length), PuntedPacket.maxHandshake)
            loop.handleHandshake(
                UnsafeRawBufferPointer(start: record + PuntedPacket.headSize, count: length), sender: head.sender,
                socket: head.socket, now: now)
            handshakes.advance()
            _ = perform(now: now, rim)
        }
        handshakes.release()
        return left < ControlPort.batch
    }

    private mutating func takePunted(now: Instant, _ rim: (ControlAction) -> Void) -> Bool {
        var left = ControlPort.batch
        while left > 0, kept == nil, let record = punted.peek() {
            left -= 1
            let head = record.load(as: PuntedPacket.self)
            let length = min(Int(head.length), PuntedPacket.maxPacket)
            loop.handle(
                head, UnsafeRawBufferPointer(start: record + PuntedPacket.headSize, count: length), now: now)
            punted.advance()
            _ = perform(now: now, rim)
        }
        punted.release()
        return left < ControlPort.batch
    }

    /// Does what the loop wants done until a command finds no room.
    private mutating func perform(now: Instant, _ rim: (ControlAction) -> Void) -> Bool {
        var any = false
        while let action = kept ?? loop.poll() {
            kept = nil
            switch action {
            case .command(let command):
                guard let record = commands.reserve() else {
                    kept = action
                    commands.publish()
                    return any
                }
                record.storeBytes(of: command, as: WorkerCommand.self)
                commands.advance()
            case .inject(let head, let bytes):
                // On a TCP link nothing is said twice.
                if !inject(head, bytes), head.kind == .streamControl, bytes.count <= InjectedPacket.maxPacket {
                    kept = action
                    injected.publish()
                    return any
                }
            case .publish(let snapshot):
                // What the commands before it make must be there when the worker reads it.
                commands.publish()
                if !publisher.publish(snapshot) { loop.publicationRefused(now: now) }
            case .resolve, .log, .persist:
                rim(action)
            }
            any = true
        }
        return any
    }

    /// Into the ring; false when it is full: handshakes are repeated by their timers.
    private mutating func inject(_ head: InjectedPacket, _ bytes: [UInt8]) -> Bool {
        guard bytes.count <= InjectedPacket.maxPacket, let record = injected.reserve() else { return false }
        record.storeBytes(of: head, as: InjectedPacket.self)
        bytes.withUnsafeBytes { source in
            guard let base = source.baseAddress else { return }
            (record + InjectedPacket.headSize).copyMemory(from: base, byteCount: source.count)
        }
        injected.advance()
        return true
    }
}
