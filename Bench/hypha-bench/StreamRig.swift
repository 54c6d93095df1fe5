import CBench

/// A real node between two stock neighbours that reach it over TCP. Sender and sink run on one core, the node on another.
/// Beside it, for comparison, a bare relay between two neighbours of the same kind, in the same namespaces and on the same
/// cores.
struct StreamRig {
    let testbed: Testbed
    let cores = BenchCores()
    let relay: Namespace
    let node: NodeProcess
    let pair: StreamPair
    let bare: ChildProcess?
    let barePair: StreamPair?

    private static let barePort: UInt16 = 9_652

    /// Starts all of it and returns when frames pass. `payload`: bytes behind the header of a data frame;
    /// `runsFirst`: the node runs before ordinary programs.
    init(
        _ testbed: Testbed, _ options: BenchOptions, binary: String, payload: Int, withBare: Bool,
        runsFirst: Bool = false
    ) throws(BenchError) {
        self.testbed = testbed
        let (a, r, b) = try Namespaces.relay(testbed, mtu: Namespaces.Relay.streamMTU)
        for namespace in [a, r, b] {
            try Namespaces.setCongestionControl(testbed, namespace, options.congestion)
        }
        relay = r
        let node = try NodeProcess(
            testbed, binary: binary, label: "R", secret: NodeProcess.makeSecret(),
            configuration: StreamRig.configuration(cores, workers: options.workers), in: r, cpus: cores.second,
            runsFirst: runsFirst)
        self.node = node
        do throws(BenchError) {
            pair = try StreamPair(
                testbed, sender: a, sink: b, port: UInt16(NodeProcess.port), payload: payload, steps: 1,
                cpus: cores.first)
        } catch {
            throw node.explain(error)
        }
        guard withBare else {
            (bare, barePair) = (nil, nil)
            return
        }
        let bare = try testbed.spawn("bare-relay", [Testbed.ownPath, "bare-relay"], in: r)
        try bare.send("setup port=\(StreamRig.barePort) cpus=\(cores.second)")
        _ = try bare.answer("ready", within: 5)
        barePair = try StreamPair(
            testbed, sender: a, sink: b, port: StreamRig.barePort, payload: payload, steps: 0, cpus: cores.first)
        self.bare = bare
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
}
