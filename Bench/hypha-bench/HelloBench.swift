import CBench
import HyphaIdentity
import HyphaWire

/// `hypha-bench ihu`: how long a stock neighbour waits for the answer to its Hello, at an idle node and while two others
/// send as much as they can through it.
struct HelloBench {
    let options: BenchOptions
    let binary: String
    let isSample: Bool

    private var seconds: Double { options.seconds(isSample ? 1 : 5) }

    /// Nanoseconds between Hellos.
    private static let interval: UInt64 = 5_000_000

    func run() throws(BenchError) -> [BenchRow] {
        let testbed = try Testbed()
        defer { testbed.close() }
        let rig = try StreamRig(
            testbed, options, binary: binary, payload: StockData.commonPayload, withBare: false,
            runsFirst: options.nodeFirst)
        do throws(BenchError) {
            let c = try Namespaces.third(testbed, of: rig.relay)
            let secret = NodeProcess.makeSecret()
            guard let identity = NodeIdentity(secret: secret) else { throw .failed("no key pair") }
            let setup = StreamSetup(
                relay: try StreamPair.place(Namespaces.Relay.relayTowardsThird, UInt16(NodeProcess.port)),
                secret: secret, source: identity.address, destination: identity.address,
                payload: StockData.commonPayload, seed: 0, steps: 1, cpus: rig.cores.first)
            let probe = try StreamPair.start("hello-probe", setup, testbed, in: c)
            // What a node says on a new link is over by then.
            try testbed.sleep(0.5)
            return [try idle(rig, probe), try loaded(rig, probe)]
        } catch {
            throw rig.node.explain(error)
        }
    }

    private func idle(_ rig: StreamRig, _ probe: ChildProcess) throws(BenchError) -> BenchRow {
        let (probed, usage) = try ask(probe, rig.node)
        return try row("idle", probed, usage, gbps: 0)
    }

    private func loaded(_ rig: StreamRig, _ probe: ChildProcess) throws(BenchError) -> BenchRow {
        try rig.pair.begin(seconds: seconds + 1)
        try rig.testbed.sleep(0.3)
        let (probed, usage) = try ask(probe, rig.node)
        let burst = try rig.pair.end(seconds: seconds + 1)
        return try row("while data flows", probed, usage, gbps: burst.rate * Double(rig.pair.size) * 8e-9)
    }

    /// What the probe says, and shares of a core that the node had and had to wait for meanwhile.
    private func ask(
        _ probe: ChildProcess, _ node: NodeProcess
    ) throws(BenchError) -> (PipeMessage, usage: (ran: Double, waited: Double)) {
        let before = node.usage
        let start = cbench_now()
        try probe.send("probe ns=\(UInt64(seconds * 1e9)) interval=\(HelloBench.interval)")
        let probed = try probe.answer("probed", within: seconds * 2 + 30)
        let usage = node.usage - before
        let duration = Double(max(1, cbench_now() &- start))
        return (probed, (Double(usage.ran) / duration, Double(usage.waited) / duration))
    }

    private func row(
        _ name: String, _ probed: PipeMessage, _ usage: (ran: Double, waited: Double), gbps: Double
    ) throws(BenchError) -> BenchRow {
        let micros = { (key: String) throws(BenchError) in Double(try probed.number(key)) / 1_000 }
        let samples = try probed.number("samples")
        let lost = try probed.number("lost")
        let late = try probed.number("late")
        let (median, tail, longest) = (
            try micros("arrived_p50"), try micros("arrived_p99"), try micros("arrived_max")
        )
        let isFirst = try probed.number("first") == 1
        let figures = [median, tail, longest].map { BenchResult.fixed($0, 0) }
        return BenchRow(
            bench: "ihu", name: name, size: 0, pps: 0, gbps: gbps, cpuNanosecondsPerPacket: 0,
            loss: Double(lost) / Double(max(1, samples &+ lost)), drops: 0,
            details: [
                ("samples", .count(samples)), ("late", .count(late)), ("p50_us", .number(median)),
                ("p99_us", .number(tail)),
                ("max_us", .number(longest)), ("read_p50_us", .number(try micros("read_p50"))),
                ("read_p99_us", .number(try micros("read_p99"))), ("read_max_us", .number(try micros("read_max"))),
                ("stamped", .count(try probed.number("stamped"))), ("runs_first", .count(isFirst ? 1 : 0)),
                ("node_first", .count(options.nodeFirst ? 1 : 0)), ("node_share", .number(usage.ran)),
                ("node_wait", .number(usage.waited)),
            ],
            note: "answer after \(figures[0]) us (median), \(figures[1]) (99 %), \(figures[2]) (longest) of \(samples) "
                + "Hellos, \(late) above 1 ms; node \(BenchResult.fixed(usage.ran * 100, 0)) % of its core, and waited for it "
                + "\(BenchResult.fixed(usage.waited * 100, 0)) % of the time"
                + (options.nodeFirst ? "; it ran before ordinary programs" : "")
                + (isFirst ? "" : "; the probe could not run before other work"))
    }
}
