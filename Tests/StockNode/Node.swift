import CKernel
import FoundationEssentials
import Glibc
import HyphaBase
import StockModel

/// The program: one poll loop around the model.
final class Node {
    /// Milliseconds between two looks at the list of peers.
    private static let dialInterval: UInt64 = 5_000
    /// Milliseconds after which the loop runs at the latest.
    private static let tick: Int32 = 20
    /// Packets of the TUN in a row.
    private static let batch = 64

    private let arguments: Arguments
    private var model: StockRouterModel
    private let listener: Int32
    private let tun: Tun?
    private let signals: Int32
    private var streams: [Int: Stream] = [:]
    /// Connections on their way, and links that were dialled, by peer.
    private var dialling: [SocketAddress: Int32] = [:]
    private var dialled: [SocketAddress: Int] = [:]
    private var nextDial: UInt64 = 0
    private var buffer = [UInt8](repeating: 0, count: 1 << 18)

    init(_ arguments: Arguments) throws(Failure) {
        self.arguments = arguments
        var random = SystemRandomNumberGenerator()
        let secret = try KeyFile.load(arguments.keyFile)
        let tail = (0..<6).map { _ in UInt8.random(in: 0...255, using: &random) }
        guard let identity = StockIdentity(secret: secret, random: tail) else {
            throw Failure("\(arguments.keyFile) holds no usable key")
        }
        model = StockRouterModel(
            identity: identity, hasTun: arguments.tun != nil, helloPeriod: arguments.helloPeriod,
            nonceSeed: random.next(), now: Node.now)
        let numbers = [SIGTERM, SIGINT, SIGUSR1]
        guard chy_signals_block(numbers, 3) == 0 else { throw Failure("cannot block signals") }
        signals = chy_signals_open(numbers, 3)
        guard signals >= 0 else { throw Failure.system("cannot open a signalfd", -signals) }
        listener = try TCPSocket.listen(port: arguments.port)
        if let name = arguments.tun {
            tun = try Tun(name: name, address: identity.address, mtu: StockRouterModel.mtu)
        } else {
            tun = nil
        }
        Console.say("ready address=\(identity.address) key=\(Hex.encode(identity.publicKey))")
    }

    private static var now: UInt64 { chy_monotonic() / 1_000_000 }

    /// Runs until a signal or a fatal input; returns the exit code.
    func run() -> Int32 {
        while true {
            if let code = turn() { return code }
        }
    }

    /// Waits once and does what there is to do; the exit code ends the program.
    private func turn() -> Int32? {
        let numbers = model.linkNumbers.filter { streams[$0] != nil }
        let calls = dialling.map { (peer: $0.key, descriptor: $0.value) }
        var polls = [
            pollfd(fd: signals, events: Int16(POLLIN), revents: 0),
            pollfd(fd: listener, events: Int16(POLLIN), revents: 0),
            pollfd(fd: tun?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
        ]
        for number in numbers {
            let events = POLLIN | (streams[number]?.wantsToWrite == true ? POLLOUT : 0)
            polls.append(pollfd(fd: streams[number]?.descriptor ?? -1, events: Int16(events), revents: 0))
        }
        for call in calls { polls.append(pollfd(fd: call.descriptor, events: Int16(POLLOUT), revents: 0)) }
        poll(&polls, nfds_t(polls.count), Node.tick)
        let now = Node.now
        if polls[0].revents != 0, let code = takeSignals(now) { return code }
        if polls[1].revents != 0 { accept(now) }
        if polls[2].revents != 0 { readTun(now) }
        for (i, number) in numbers.enumerated() where polls[3 + i].revents & Int16(~POLLOUT) != 0 {
            read(number, now)
        }
        for (i, call) in calls.enumerated() where polls[3 + numbers.count + i].revents != 0 {
            finish(call.peer, call.descriptor, now)
        }
        if now >= nextDial {
            nextDial = now + Node.dialInterval
            dial()
        }
        model.advance(to: now)
        write(now)
        if let reason = model.aborted {
            Console.warn("aborts: \(reason)")
            return 3
        }
        return nil
    }

    private func takeSignals(_ now: UInt64) -> Int32? {
        while true {
            switch chy_signals_take(signals) {
            case 0: return nil
            case SIGUSR1: report(now)
            default:
                if model.controlPlaneIsDead { Console.warn("the control plane was dead") }
                return 0
            }
        }
    }

    private func report(_ now: UInt64) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(model.report(now: now)) else { return }
        Console.say(String(decoding: data, as: UTF8.self))
    }

    // MARK: - Connections

    private func dial() {
        for peer in arguments.peers where dialling[peer] == nil {
            if let number = dialled[peer], streams[number] != nil { continue }
            dialled[peer] = nil
            dialling[peer] = TCPSocket.dial(peer)
        }
    }

    private func finish(_ peer: SocketAddress, _ descriptor: Int32, _ now: UInt64) {
        dialling[peer] = nil
        let fault = TCPSocket.fault(descriptor)
        guard fault == 0 else {
            Console.warn("cannot connect to \(peer): \(String(cString: strerror(fault)))")
            close(descriptor)
            return
        }
        dialled[peer] = add(descriptor, peer, now)
    }

    private func accept(_ now: UInt64) {
        while let (descriptor, from) = TCPSocket.accept(listener) { _ = add(descriptor, from, now) }
    }

    private func add(_ descriptor: Int32, _ address: SocketAddress, _ now: UInt64) -> Int {
        let number = model.connect("\(address)", isIPv4: address.isIPv4, now: now)
        streams[number] = Stream(descriptor)
        return number
    }

    private func read(_ number: Int, _ now: UInt64) {
        guard let stream = streams[number] else { return }
        if let bytes = stream.receive(&buffer) { model.receive(bytes, from: number, now: now) }
    }

    // MARK: - Packets

    private func readTun(_ now: UInt64) {
        for _ in 0..<Node.batch {
            guard let packet = tun?.read() else { return }
            model.send(packet, now: now)
        }
    }

    /// Hands out all that the model has to say.
    private func write(_ now: UInt64) {
        for packet in model.takeHostPackets() { tun?.write(packet) }
        for number in model.linkNumbers {
            guard let stream = streams[number] else { continue }
            stream.enqueue(model.takeOutput(number))
            stream.flush()
        }
        for number in model.takeClosing() { streams[number] = nil }
        for (number, stream) in streams where stream.isEnded {
            streams[number] = nil
            model.disconnect(number, now: now)
        }
    }
}
