import CBench
import HyphaBase
import HyphaIdentity
import HyphaWire

/// A sender and a sink, stock neighbours of one relay, each in a namespace of its own and both on one core.
struct StreamPair {
    let sender: ChildProcess
    let sink: ChildProcess
    /// Bytes of a frame.
    let size: Int

    /// Starts both and returns when frames pass. `payload`: bytes behind the header of a data frame. `port`: where the relay
    /// listens. `steps`: how much the relay takes off the hop limit.
    init(
        _ testbed: Testbed, sender a: Namespace, sink b: Namespace, port: UInt16, payload: Int, steps: UInt8,
        cpus: UInt64
    ) throws(BenchError) {
        size = StockData.headerSize + payload
        let secrets = (sender: NodeProcess.makeSecret(), sink: NodeProcess.makeSecret())
        guard let source = NodeIdentity(secret: secrets.sender), let destination = NodeIdentity(secret: secrets.sink)
        else { throw .failed("no key pairs") }
        var setup = StreamSetup(
            relay: try StreamPair.place(Namespaces.Relay.relayTowardsSink, port), secret: secrets.sink,
            source: source.address, destination: destination.address, payload: payload,
            seed: BenchLink.randomNumber(), steps: steps, cpus: cpus)
        sink = try StreamPair.start("stream-sink", setup, testbed, in: b)
        setup.relay = try StreamPair.place(Namespaces.Relay.relayTowardsSender, port)
        setup.secret = secrets.sender
        sender = try StreamPair.start("stream-sender", setup, testbed, in: a)
        try warmUp()
    }

    /// Starts this program once more as a stock neighbour and waits until it is ready.
    static func start(
        _ role: String, _ setup: StreamSetup, _ testbed: Testbed, in namespace: Namespace
    ) throws(BenchError) -> ChildProcess {
        let child = try testbed.spawn(role, [Testbed.ownPath, role], in: namespace)
        try child.send(setup.message.description)
        _ = try child.answer("ready", within: 15)
        return child
    }

    /// Where a relay listens, at one of its addresses.
    static func place(_ address: String, _ port: UInt16) throws(BenchError) -> SocketAddress {
        guard let address = IPv6Address(address) else { throw .failed("\(address) is no address") }
        return SocketAddress(address: address, port: port)
    }

    /// Sends short bursts until frames arrive: a node announces a route a moment before it forwards by it.
    private func warmUp() throws(BenchError) {
        for _ in 0..<50 where try burst(seconds: 0.02).packets > 0 { return }
        throw .failed("the relay forwards nothing between its TCP neighbours")
    }

    /// Sends for so long and waits until the sink hears nothing more.
    func burst(seconds: Double) throws(BenchError) -> StreamBurst {
        try begin(seconds: seconds)
        return try end(seconds: seconds)
    }

    /// Starts a burst.
    func begin(seconds: Double) throws(BenchError) {
        try sink.send("arm")
        _ = try sink.answer("armed", within: 5)
        try sender.send("send ns=\(UInt64(seconds * 1e9))")
    }

    /// Waits for the end of a burst that was started for so long.
    func end(seconds: Double) throws(BenchError) -> StreamBurst {
        let sent = try sender.answer("sent", within: seconds + 30)
        try sink.send("report")
        return try StreamBurst(sent: sent, received: sink.answer("received", within: 30))
    }
}
