import CBench
import Glibc

/// The program: arguments, the benchmarks they name, output. Exit codes: 0 done, 1 failed or nothing could run, 2 usage.
enum BenchCommand {
    static func run(_ arguments: [String]) -> Int32 {
        switch arguments.dropFirst().first {
        case "relay-sender": return RelaySender.main()
        case "relay-sink": return RelaySink.main()
        case "stream-sender": return StreamSender.main()
        case "stream-sink": return StreamSink.main()
        case "hello-probe": return HelloProbe.main()
        case "bare-relay": return BareRelay.main()
        case "mesh-run": return MeshRun.main()
        default: break
        }
        let options: BenchOptions
        do {
            options = try BenchOptions(Array(arguments.dropFirst()))
        } catch {
            complain(error)
            BenchEndpoint.write("\"hypha-bench --help\" shows what there is.\n", to: 2)
            return 2
        }
        if options.help {
            BenchEndpoint.write(helpText, to: 1)
            return 0
        }
        cbench_enter_session()
        return run(options)
    }

    private static func run(_ given: BenchOptions) -> Int32 {
        let isSample = given.benches.isEmpty
        let options = isSample ? given.sample : given
        var result = BenchResult()
        var failed = false
        for bench in options.benches {
            do {
                switch bench {
                case .crypto: result.rows += crypto(options, isSample: isSample)
                case .fib: result.rows += fib(options, isSample: isSample)
                case .relay:
                    result.rows += try relay(options, options.transport)
                    if isSample, options.transport == .udp { result.rows += try relay(options, .tcp, isSample: true) }
                case .ihu: result.rows += try ihu(options, isSample: isSample)
                case .tunnel: result.rows += try tunnel(options, isSample: isSample)
                case .mesh:
                    result.rows += try MeshBench(nodes: options.nodes(isSample ? 200 : 2_000), leaves: options.leaves)
                        .run()
                }
            } catch .interrupted {
                BenchEndpoint.write("hypha-bench: ended by a signal\n", to: 2)
                return 1
            } catch .unavailable(let text) {
                BenchEndpoint.write("hypha-bench: \(bench.rawValue) skipped: \(text)\n", to: 2)
            } catch {
                failed = true
                BenchEndpoint.write("hypha-bench: \(bench.rawValue): ", to: 2)
                complain(error, prefix: "")
            }
        }
        BenchEndpoint.write(options.json ? result.json : result.rows.isEmpty ? "" : result.table, to: 1)
        return failed || result.rows.isEmpty ? 1 : 0
    }

    private static func complain(_ error: BenchError, prefix: String = "hypha-bench: ") {
        switch error {
        case .failed(let text), .unavailable(let text): BenchEndpoint.write("\(prefix)\(text)\n", to: 2)
        case .interrupted: BenchEndpoint.write("\(prefix)ended by a signal\n", to: 2)
        }
    }

    private static func crypto(_ options: BenchOptions, isSample: Bool) -> [BenchRow] {
        let rows = BenchCores.measured {
            CryptoBench.run(
                sizes: options.sizes ?? (isSample ? [64, 1_400] : [64, 80, 128, 512, 1_400, 8_900]),
                seconds: options.seconds(isSample ? 0.02 : 0.2))
        }
        return rows.filter { row in
            guard let suite = options.suite else { return true }
            return row.suite == suite.configured
        }.map { row in
            BenchRow(
                bench: "crypto", name: "\(row.suite) \(row.operation) \(row.provider)", size: row.size,
                pps: 1e9 / row.nanoseconds, gbps: row.gbps, cpuNanosecondsPerPacket: row.nanoseconds, loss: 0, drops: 0,
                details: [
                    ("suite", .text(row.suite)), ("provider", .text(row.provider)), ("operation", .text(row.operation)),
                ])
        }
    }

    private static func fib(_ options: BenchOptions, isSample: Bool) -> [BenchRow] {
        let rows = BenchCores.measured {
            FIBBench.run(prefixes: options.prefixes, seconds: options.seconds(isSample ? 0.05 : 0.2))
        }
        return rows.map { row in
            BenchRow(
                bench: "fib",
                name: "\(row.addresses), " + (row.vector == 1 ? "one by one" : "vectors of \(row.vector)"),
                size: 0, pps: row.lookupsPerSecond, gbps: 0, cpuNanosecondsPerPacket: row.nanoseconds, loss: 0,
                drops: 0,
                details: [
                    ("addresses", .text(row.addresses)), ("vector", .count(UInt64(row.vector))),
                    ("prefixes", .count(UInt64(row.prefixes))), ("hits", .number(row.hits)),
                    ("memory_bytes", .count(UInt64(row.memoryBytes))), ("build_ms", .number(row.buildMilliseconds)),
                ],
                note: "\(row.prefixes) prefixes in \(BenchResult.fixed(Double(row.memoryBytes) / 1_048_576, 1)) MiB")
        }
    }

    private static func relay(
        _ options: BenchOptions, _ transport: Transport, isSample: Bool = false
    ) throws(BenchError) -> [BenchRow] {
        if transport == .tcp {
            let bench = StreamRelayBench(options: options, binary: try options.findBinary(), isSample: isSample)
            try requireTools(["ip"])
            return try bench.run()
        }
        let bench = RelayBench(
            options: options, binary: try options.findBinary(), suite: options.suite ?? .preferred, mode: options.mode)
        try requireTools(options.singles ? ["ip", "ethtool"] : ["ip"])
        return try bench.run()
    }

    private static func ihu(_ options: BenchOptions, isSample: Bool) throws(BenchError) -> [BenchRow] {
        let bench = HelloBench(options: options, binary: try options.findBinary(), isSample: isSample)
        try requireTools(["ip"])
        return try bench.run()
    }

    private static func tunnel(_ options: BenchOptions, isSample: Bool) throws(BenchError) -> [BenchRow] {
        let bench = TunnelBench(
            options: options, binary: try options.findBinary(), suite: options.suite ?? .preferred, mode: options.mode,
            isSample: isSample)
        try requireTools(["ip", "ping", "iperf3"])
        return try bench.run()
    }

    private static func requireTools(_ names: [String]) throws(BenchError) {
        for name in names where Testbed.find(name) == nil {
            throw .unavailable("the program \"\(name)\" is not installed")
        }
        guard geteuid() == 0 else { throw .unavailable("network namespaces need root") }
    }

    static let helpText = """
        usage: hypha-bench [crypto] [fib] [relay] [ihu] [tunnel] [mesh] [options]

        Measures this build on this machine. Without the name of a benchmark: a short sample of all.

          crypto    sealing and opening of packets, every suite and library that is there
          fib       route lookups in a table of --prefixes random prefixes
          relay     one hypha node forwards from a sender to a sink (root; needs ip)
          ihu       how soon a node answers the Hellos of stock neighbours, idle and at full rate (root; needs ip)
          tunnel    iperf3 through two hypha nodes with TUN (root; needs ip, ping, iperf3)
          mesh      a simulated mesh of --nodes routers: convergence, memory, control traffic of an idle leaf

        relay, ihu and tunnel run real nodes in network namespaces of their own, which the kernel frees when the
        benchmark ends, however it ends. They pin what they start: sender and sink on the first usable core and
        the relay on the second; node A and the iperf3 client on the first, node B and its server on the second.

          --size N[,N...]    crypto: bytes of a packet (64,80,128,512,1400,8900)
                             relay: UDP payload of a datagram, 96 to 8952, smaller is raised to 96 (1400)
                             relay over TCP: payload of a stock frame, 32 to 65535 (1432,64)
                             tunnel: UDP payload inside the tunnel, at most 1352 (64,1352); TCP uses the TUN MTU
          --transport NAME   relay: udp for HL1 links, tcp for stock neighbours (udp)
          --congestion NAME  relay over TCP, ihu: congestion control of TCP (reno, which does not pace)
          --seconds S        crypto and fib: for each figure (0.2); relay: longest burst (0.25, over TCP 1);
                             ihu: idle and again at full rate (5); tunnel: run (2)
          --rounds N         relay: bursts (5); tunnel: runs of each kind (3); figures are medians
          --seal MODE        relay and tunnel: header or full (header)
          --suite NAME       aes or chacha (relay, tunnel: aes where the processor has it; crypto: both)
          --workers N        relay, ihu and tunnel: forwarding threads of a node (1)
          --prefixes N       fib: size of the table (200000)
          --nodes N          mesh: routers, ten of them hubs (2000: 4 GB and 100 s of CPU for each kind of leaf)
          --leaves KIND      mesh: relay for leaves that pass on routes, leaf for such that do not (both in turn)
          --singles          relay: the sender's link carries no trains, the relay gets each datagram alone
          --node-first       ihu: the node runs before ordinary programs on its core (SCHED_FIFO)
          --max-memory SIZE  relay: packets sealed ahead (1.2G); a burst ends when they are used
          --binary PATH      the hypha to run (beside this program, else from PATH)
          --json             one JSON array of results in place of the table
          --help             this text

        relay: pps is what the node sent. Packets are sealed ahead of each burst and sent once, since a second
        copy is a replay. The sink opens some of them and compares content and hop limit. loss is what did not
        arrive of all that the sender offered: a sender faster than the relay overruns its socket. Below 90 % of
        its core the relay was not the bottleneck; the last column says what was.

        relay --transport tcp: sender and sink are stock neighbours; size is that of a frame. In turn with the
        node a bare relay moves the same bytes with recv and send: "of bare" is the node's CPU time per byte over
        its. CPU time of the node counts over the mean of what came in and what went out, because a node drops
        what a slower sink does not take. The links' MTU is 1500.

        mesh: every leaf has two hubs, every node a route to every other. Control traffic is that of 650 s after the first
        minute, both directions together, with UDP and IPv4 headers; it is told by kind of message as well.

        ihu: five neighbours send a Hello every 25 ms each, in turn. The time ends when the kernel has the IHU. Then
        the same while a sender and a sink of data frames keep the node at its limit. Above 1 ms an answer is late;
        what is not there after 1 s is loss. A node waits for its core when other programs run on it, as long as
        their time slices last (some ms): with --node-first it does not, and the figures are its own. The kernel
        leaves it 95 % of its core then (kernel.sched_rt_runtime_us).

        Exit codes: 0 done, 1 failed or nothing could run, 2 usage.

        """
}
