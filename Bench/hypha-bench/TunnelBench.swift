import CBench
import Glibc
import HyphaBase
import HyphaIdentity
import HyphaPacket

/// `hypha-bench tunnel`: iperf3 between two namespaces through a node with TUN in each.
struct TunnelBench {
    /// MTU of the TUN.
    static let mtu = 1_400
    /// Bytes of IPv6 and UDP header inside the tunnel.
    private static let udpOverhead = 48

    let options: BenchOptions
    let binary: String
    let suite: CipherSuite
    let mode: SealMode
    let isSample: Bool

    /// What iperf3 sends.
    private enum Traffic {
        case tcp
        /// The server sends.
        case tcpReverse
        /// Bytes of UDP payload.
        case udp(Int)

        var name: String {
            switch self {
            case .tcp: "tcp"
            case .tcpReverse: "tcp reverse"
            case .udp: "udp"
            }
        }

        /// Bytes of an inner packet, as far as it has a fixed size.
        var size: Int {
            switch self {
            case .tcp, .tcpReverse: TunnelBench.mtu
            case .udp(let payload): payload
            }
        }

        var arguments: [String] {
            switch self {
            case .tcp: ["-C", "cubic"]
            case .tcpReverse: ["-C", "cubic", "-R"]
            case .udp(let payload): ["-u", "-b", "0", "-l", "\(payload)"]
            }
        }
    }

    private struct Round {
        var pps: Double
        var gbps: Double
        var cpuPerPacket: Double
        var loss: Double
        var retransmits: Double
        var nodeA: Double
        var nodeB: Double
    }

    private struct Nodes {
        var a: NodeProcess
        var b: NodeProcess
        var namespaceA: Namespace
        var namespaceB: Namespace
        var cores: BenchCores
    }

    func run() throws(BenchError) -> [BenchRow] {
        guard access("/dev/net/tun", R_OK | W_OK) == 0 else { throw .unavailable("no /dev/net/tun on this machine") }
        var traffic: [Traffic] = [.tcp]
        if !isSample { traffic.append(.tcpReverse) }
        for size in options.sizes ?? (isSample ? [64] : [64, 1_352]) {
            guard size >= 16, size <= TunnelBench.mtu - TunnelBench.udpOverhead else {
                throw .failed(
                    "--size \(size): the tunnel takes 16 to \(TunnelBench.mtu - TunnelBench.udpOverhead) bytes of UDP")
            }
            traffic.append(.udp(size))
        }
        let testbed = try Testbed()
        defer { testbed.close() }
        let nodes = try start(testbed)
        do throws(BenchError) {
            return try measure(traffic, nodes, testbed)
        } catch {
            throw nodes.b.explain(nodes.a.explain(error))
        }
    }

    private func measure(
        _ traffic: [Traffic], _ nodes: Nodes, _ testbed: Testbed
    ) throws(BenchError) -> [BenchRow] {
        try waitForLink(nodes, testbed)
        var rows: [BenchRow] = []
        for kind in traffic {
            var rounds: [Round] = []
            let before = try nodes.a.counters() + nodes.b.counters()
            for _ in 0..<options.rounds(3) { rounds.append(try measure(kind, nodes, testbed)) }
            let counters = (try nodes.a.counters() + nodes.b.counters()).since(before)
            rows.append(row(kind, rounds, counters))
        }
        return rows
    }

    private func start(_ testbed: Testbed) throws(BenchError) -> Nodes {
        let cores = BenchCores()
        let (a, b) = try Namespaces.tunnel(testbed)
        let secrets = (a: NodeProcess.makeSecret(), b: NodeProcess.makeSecret())
        guard let keyA = NodeIdentity(secret: secrets.a)?.publicKey,
            let keyB = NodeIdentity(secret: secrets.b)?.publicKey
        else { throw .failed("no key pairs") }
        let nodeA = try NodeProcess(
            testbed, binary: binary, label: "A", secret: secrets.a,
            configuration: configuration(peer: keyB, at: Namespaces.Tunnel.b, core: cores.firstName), in: a,
            cpus: cores.first)
        let nodeB = try NodeProcess(
            testbed, binary: binary, label: "B", secret: secrets.b,
            configuration: configuration(peer: keyA, at: Namespaces.Tunnel.a, core: cores.secondName), in: b,
            cpus: cores.second)
        return Nodes(a: nodeA, b: nodeB, namespaceA: a, namespaceB: b, cores: cores)
    }

    /// Pings until the link and the session between the two nodes are there.
    private func waitForLink(_ nodes: Nodes, _ testbed: Testbed) throws(BenchError) {
        let ping = ["ping", "-6", "-c", "1", "-W", "1", nodes.b.identity.address.description]
        let deadline = cbench_now() &+ 10_000_000_000
        while true {
            do throws(BenchError) {
                try testbed.run(ping, in: nodes.namespaceA)
                return
            } catch {
                guard case .failed = error, cbench_now() < deadline else { throw error }
            }
            try testbed.sleep(0.1)
        }
    }

    private func configuration(peer: PublicKey, at address: String, core: String) -> String {
        """
        [tun]
        name = "hypha0"
        mtu = \(TunnelBench.mtu)
        [[listen]]
        uri = "hl1://0.0.0.0:\(NodeProcess.port)"
        [[peer]]
        uri = "hl1://\(peer.hex)@\(address):\(NodeProcess.port)"
        [[route]]
        key = "\(peer.hex)"
        via = "\(peer.hex)"
        [crypto]
        suites = "\(suite.configured)"
        seal = "\(mode.rawValue)"
        [tuning]
        cpus = "\(core)"
        workers = \(options.workers)

        """
    }

    /// One run of iperf3, with a server of its own.
    private func measure(_ traffic: Traffic, _ nodes: Nodes, _ testbed: Testbed) throws(BenchError) -> Round {
        let server = try testbed.spawn(
            "iperf3 server", ["iperf3", "--server", "--one-off", "--forceflush"], in: nodes.namespaceB,
            cpus: nodes.cores.second)
        defer { testbed.stop(server) }
        while let line = try server.readLine(within: 5), !line.contains("listening") {}
        // iperf3 takes whole seconds.
        let seconds = options.seconds(isSample ? 1 : 2).rounded(.up)
        let before = (a: try nodes.a.counters(), b: try nodes.b.counters())
        let usage = (a: nodes.a.usage, b: nodes.b.usage)
        let start = cbench_now()
        let json = try testbed.run(
            ["iperf3", "--json", "--client", nodes.b.identity.address.description, "--time", "\(Int(seconds))"]
                + traffic.arguments,
            in: nodes.namespaceA, cpus: nodes.cores.first, niceness: Testbed.niceness, within: seconds + 20)
        let elapsed = Double(cbench_now() &- start)
        let used = (a: nodes.a.usage - usage.a, b: nodes.b.usage - usage.b)
        let a = try nodes.a.counters().since(before.a)
        let b = try nodes.b.counters().since(before.b)
        let report = try IperfReport(parsing: json)
        let sent: UInt64
        let delivered: UInt64
        if case .tcpReverse = traffic {
            (sent, delivered) = (b[.tunReceived], a[.delivered])
        } else {
            (sent, delivered) = (a[.tunReceived], b[.delivered])
        }
        // The client counts whole seconds of its own; packets are counted over the whole run.
        let time = max(report.seconds, 0.001)
        var gbps = report.bitsPerSecond * 1e-9
        if case .udp(let payload) = traffic { gbps = Double(delivered) * Double(payload) * 8 / time * 1e-9 }
        return Round(
            pps: Double(delivered) / time, gbps: gbps,
            cpuPerPacket: Double(used.a.ran &+ used.b.ran) / Double(max(1, delivered)),
            loss: max(0, 1 - Double(delivered) / Double(max(1, sent))),
            retransmits: report.retransmits,
            nodeA: Double(used.a.ran) / elapsed, nodeB: Double(used.b.ran) / elapsed)
    }

    private func row(_ traffic: Traffic, _ rounds: [Round], _ counters: NodeCounters) -> BenchRow {
        let pps = Statistics(rounds) { $0.pps }
        let gbps = Statistics(rounds) { $0.gbps }
        let a = Statistics(rounds) { $0.nodeA }
        let b = Statistics(rounds) { $0.nodeB }
        let retransmits = Statistics(rounds) { $0.retransmits }
        let drops = counters.dropReasons
        let percent = { (value: Double) in BenchResult.fixed(value * 100, 0) + " %" }
        var note =
            "[\(BenchResult.fixed(gbps.minimum, 2))..\(BenchResult.fixed(gbps.maximum, 2))] "
            + "node A \(percent(a.median)), node B \(percent(b.median)) of a core"
        if case .udp = traffic {} else { note += ", \(BenchResult.fixed(retransmits.median, 0)) retransmits" }
        return BenchRow(
            bench: "tunnel", name: "\(traffic.name) \(mode.rawValue) \(suite.rawValue)", size: traffic.size,
            pps: pps.median, gbps: gbps.median, cpuNanosecondsPerPacket: Statistics(rounds) { $0.cpuPerPacket }.median,
            loss: Statistics(rounds) { $0.loss }.median, drops: drops.reduce(0) { $0 + $1.value },
            details: [
                ("traffic", .text(traffic.name)), ("seal", .text(mode.rawValue)), ("suite", .text(suite.rawValue)),
                ("rounds", .count(UInt64(rounds.count))), ("pps_min", .number(pps.minimum)),
                ("pps_max", .number(pps.maximum)), ("gbps_min", .number(gbps.minimum)),
                ("gbps_max", .number(gbps.maximum)),
                ("retransmits", .number(retransmits.median)), ("node_a_share", .number(a.median)),
                ("node_b_share", .number(b.median)), ("drop_reasons", .counts(drops)),
            ],
            note: note)
    }
}
