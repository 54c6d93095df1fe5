import CBench
import HyphaBase
import HyphaIdentity
import HyphaWire

/// A real node between two stock neighbours that reach it over TCP, a sender and a sink, each in a network namespace of
/// its own. Sender and sink run on one core, the node on another.
struct StreamRig {
    let testbed: Testbed
    let cores: BenchCores
    let relay: Namespace
    let node: NodeProcess
    let sender: ChildProcess
    let sink: ChildProcess
    let traffic: (payload: Int, size: Int)

    /// Starts all of it and returns when frames pass. `payload`: bytes behind the header of a data frame.
    init(_ testbed: Testbed, binary: String, payload: Int, workers: Int) throws(BenchError) {
        self.testbed = testbed
        cores = BenchCores()
        traffic = (payload, StockData.headerSize + payload)
        let (a, r, b) = try Namespaces.relay(testbed, mtu: Namespaces.Relay.streamMTU)
        relay = r
        node = try NodeProcess(
            testbed, binary: binary, label: "R", secret: NodeProcess.makeSecret(),
            configuration: StreamRig.configuration(cores, workers: workers), in: r, cpus: cores.second)
        do throws(BenchError) {
            let secrets = (sender: NodeProcess.makeSecret(), sink: NodeProcess.makeSecret())
            guard let source = NodeIdentity(secret: secrets.sender),
                let destination = NodeIdentity(secret: secrets.sink)
            else { throw .failed("no key pairs") }
            var setup = StreamSetup(
                relay: try StreamRig.place(Namespaces.Relay.relayTowardsSink), secret: secrets.sink,
                source: source.address, destination: destination.address, payload: payload,
                seed: BenchLink.randomNumber(), cpus: cores.first)
            sink = try StreamRig.start("stream-sink", setup, testbed, in: b)
            setup.relay = try StreamRig.place(Namespaces.Relay.relayTowardsSender)
            setup.secret = secrets.sender
            sender = try StreamRig.start("stream-sender", setup, testbed, in: a)
        } catch {
            throw node.explain(error)
        }
        do throws(BenchError) {
            try warmUp()
        } catch {
            throw node.explain(error)
        }
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

    /// Where the node listens, at one of its addresses.
    static func place(_ address: String) throws(BenchError) -> SocketAddress {
        guard let address = IPv6Address(address) else { throw .failed("\(address) is no address") }
        return SocketAddress(address: address, port: UInt16(NodeProcess.port))
    }

    private static func configuration(_ cores: BenchCores, workers: Int) -> String {
        """
        [tun]
        enabled = false
        [[listen]]
        uri = "tcp://[::]:\(NodeProcess.port)"
        [tuning]
        cpus = "\(cores.secondName)"
        workers = \(workers)

        """
    }

    /// Sends short bursts until frames arrive: the node announces a route a moment before it forwards by it.
    private func warmUp() throws(BenchError) {
        for _ in 0..<50 {
            try sink.send("arm")
            _ = try sink.answer("armed", within: 5)
            try sender.send("send ns=20000000")
            _ = try sender.answer("sent", within: 10)
            try sink.send("report")
            if try sink.answer("received", within: 10).number("packets") > 0 { return }
        }
        throw .failed("the node forwards nothing between its TCP neighbours")
    }
}
