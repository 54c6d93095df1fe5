import CBench
import Glibc
import HyphaBase
import HyphaIdentity
import HyphaPacket

/// `hypha-bench relay`: a real node between a sender and a sink, each in a network namespace of its own.
///
/// Sender and sink run on one core and the node on another. Each has a link with the node; packets go from the sender's
/// overlay address to the sink's.
struct RelayBench {
    let options: BenchOptions
    let binary: String
    let suite: CipherSuite
    let mode: SealMode

    /// What one burst showed.
    private struct Round {
        var offered: Double
        var sinkRate: Double
        /// Datagrams a second that the node sent.
        var rate: Double
        var cpuPerPacket: Double
        var loss: Double
        var perMessage: Double
        /// Shares of a core.
        var node: Double
        /// Share of the time in which the node had to wait for its core, because of work that is not part of this.
        var nodeWait: Double
        var sender: Double
        var sink: Double
    }

    /// One row for each size.
    func run() throws(BenchError) -> [BenchRow] {
        var rows: [BenchRow] = []
        for size in options.sizes ?? [1_400] {
            let used = max(RelayTraffic.smallestDatagram, size)
            guard used <= RelayTraffic.largestDatagram else {
                throw .failed("--size \(size): a datagram has at most \(RelayTraffic.largestDatagram) bytes here")
            }
            var row = try measure(size: used)
            if used != size {
                row.note = "\(size) asked, \(used) is the smallest datagram" + (row.note.isEmpty ? "" : "; ") + row.note
            }
            rows.append(row)
        }
        return rows
    }

    private func measure(size: Int) throws(BenchError) -> BenchRow {
        let testbed = try Testbed()
        defer { testbed.close() }
        let cores = BenchCores()
        let (a, r, b) = try Namespaces.relay(testbed, singles: options.singles)
        let node = try NodeProcess(
            testbed, binary: binary, label: "R", secret: NodeProcess.makeSecret(), configuration: configuration(cores),
            in: r, cpus: cores.second)
        do throws(BenchError) {
            return try measure(size: size, testbed, sender: a, node: node, sink: b, cores)
        } catch {
            throw node.explain(error)
        }
    }

    private func measure(
        size: Int, _ testbed: Testbed, sender a: Namespace, node: NodeProcess, sink b: Namespace, _ cores: BenchCores
    ) throws(BenchError) -> BenchRow {
        let secrets = (sender: NodeProcess.makeSecret(), sink: NodeProcess.makeSecret())
        guard let source = NodeIdentity(secret: secrets.sender), let destination = NodeIdentity(secret: secrets.sink),
            let senderSide = IPv6Address(Namespaces.Relay.relayTowardsSender),
            let sinkSide = IPv6Address(Namespaces.Relay.relayTowardsSink)
        else { throw .failed("no key pairs") }
        let port = UInt16(NodeProcess.port)
        var setup = RelaySetup(
            relay: SocketAddress(address: sinkSide, port: port), relayKey: node.identity.publicKey,
            secret: secrets.sink, source: source.address, destination: destination.address, size: size, mode: mode,
            suite: suite, memory: options.maxMemory, seed: BenchLink.randomNumber(), cpus: cores.first)
        let sink = try testbed.spawn("relay-sink", [Testbed.ownPath, "relay-sink"], in: b)
        try sink.send(setup.message.description)
        _ = try answer(sink, "ready")
        setup.secret = secrets.sender
        setup.relay = SocketAddress(address: senderSide, port: port)
        let sender = try testbed.spawn("relay-sender", [Testbed.ownPath, "relay-sender"], in: a)
        try sender.send(setup.message.description)
        _ = try answer(sender, "ready")

        var rounds: [Round] = []
        var sampled: UInt64 = 0
        var socketDrops: UInt64 = 0
        let before = try node.counters()
        for _ in 0..<options.rounds(5) {
            let drops = node.socketDrops
            let (round, samples) = try burst(size: size, node: node, sender: sender, sink: sink)
            rounds.append(round)
            sampled += samples
            socketDrops += node.socketDrops &- drops
        }
        let counters = try node.counters().since(before)
        return row(size: size, rounds: rounds, counters: counters, sampled: sampled, socketDrops: socketDrops)
    }

    private func configuration(_ cores: BenchCores) -> String {
        """
        [tun]
        enabled = false
        [[listen]]
        uri = "hl1://[::]:\(NodeProcess.port)"
        [crypto]
        suites = "\(suite.configured)"
        seal = "\(mode.rawValue)"
        [tuning]
        cpus = "\(cores.secondName)"
        workers = \(options.workers)
        socket_buffer = "8M"

        """
    }

    /// The next message of a child, which must be `verb`. Sealing a gigabyte takes seconds on slow machines.
    private func answer(_ child: ChildProcess, _ verb: String) throws(BenchError) -> PipeMessage {
        try child.answer(verb, within: 60)
    }

    private func burst(
        size: Int, node: NodeProcess, sender: ChildProcess, sink: ChildProcess
    ) throws(BenchError) -> (Round, sampled: UInt64) {
        try sender.send("prepare")
        _ = try answer(sender, "prepared")
        try sink.send("arm")
        _ = try answer(sink, "armed")
        let before = try node.counters()
        let usage = node.usage

        try sender.send("send ns=\(UInt64(options.seconds(0.25) * 1e9))")
        let sent = try answer(sender, "sent")
        try sink.send("report")
        let received = try answer(sink, "received")
        let nodeUsage = node.usage - usage
        let counted = try node.counters().since(before)

        let (start, end) = (try sent.number("start"), try sent.number("end"))
        let (first, last) = (try received.number("first"), try received.number("last"))
        let packets = Double(try received.number("packets"))
        let sentPackets = Double(try sent.number("packets"))
        guard packets > 0, last > first, end > start else {
            let drops = counted.dropReasons.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
            throw .failed(
                "of \(UInt64(sentPackets)) packets none arrived; the node received \(counted[.received]), sent "
                    + "\(counted[.sent]), dropped: \(drops.isEmpty ? "nothing" : drops)")
        }
        let bad = try received.number("bad")
        guard bad == 0 else {
            let why = try received.text("why").split(separator: "_").joined(separator: " ")
            throw .failed("\(bad) of \(try received.number("sampled")) sampled packets came out wrong: \(why)")
        }
        // The relay is at work from the first train in to the last train out.
        let busy = Double(max(last, end) &- start)
        let nodeSent = Double(counted[.sent])
        let sinkRate = Double(try received.number("later")) / Double(last &- first) * 1e9
        let round = Round(
            offered: sentPackets / Double(end &- start) * 1e9, sinkRate: sinkRate,
            // What the sink's own socket lost was sent all the same.
            rate: sinkRate * max(1, nodeSent / packets), cpuPerPacket: Double(nodeUsage.ran) / max(1, nodeSent),
            loss: max(0, 1 - packets / max(1, sentPackets)),
            perMessage: packets / Double(max(1, try received.number("messages"))), node: Double(nodeUsage.ran) / busy,
            nodeWait: Double(nodeUsage.waited) / busy, sender: Double(try sent.number("cpu")) / busy,
            sink: Double(try received.number("cpu")) / busy)
        return (round, try received.number("sampled"))
    }

    private func row(
        size: Int, rounds: [Round], counters: NodeCounters, sampled: UInt64, socketDrops: UInt64
    ) -> BenchRow {
        let rate = Statistics(rounds) { $0.rate }
        let gbps = Double(size) * 8e-9
        let share = Statistics(rounds) { $0.node }
        let sender = Statistics(rounds) { $0.sender }
        let sink = Statistics(rounds) { $0.sink }
        let wait = Statistics(rounds) { $0.nodeWait }
        let bottleneck = RelayBench.bottleneck(
            node: share.median + wait.median, sender: sender.median, sink: sink.median)
        let drops = counters.dropReasons
        let percent = { (value: Double) in BenchResult.fixed(value * 100, 0) + " %" }
        return BenchRow(
            bench: "relay", name: "\(mode.rawValue) \(suite.rawValue)" + (options.singles ? " singles" : ""),
            size: size,
            pps: rate.median, gbps: rate.median * gbps,
            cpuNanosecondsPerPacket: Statistics(rounds) { $0.cpuPerPacket }.median,
            loss: Statistics(rounds) { $0.loss }.median, drops: drops.reduce(0) { $0 + $1.value },
            details: [
                ("seal", .text(mode.rawValue)), ("suite", .text(suite.rawValue)),
                ("rounds", .count(UInt64(rounds.count))),
                ("pps_min", .number(rate.minimum)), ("pps_max", .number(rate.maximum)),
                ("gbps_min", .number(rate.minimum * gbps)), ("gbps_max", .number(rate.maximum * gbps)),
                ("sink_pps", .number(Statistics(rounds) { $0.sinkRate }.median)),
                ("offered_pps", .number(Statistics(rounds) { $0.offered }.median)),
                ("per_message", .number(Statistics(rounds) { $0.perMessage }.median)),
                ("relay_share", .number(share.median)), ("relay_wait", .number(wait.median)),
                ("sender_share", .number(sender.median)),
                ("sink_share", .number(sink.median)), ("bottleneck", .text(bottleneck)),
                ("sampled", .count(sampled)), ("relay_received", .count(counters[.received])),
                ("relay_sent", .count(counters[.sent])), ("relay_socket_drops", .count(socketDrops)),
                ("drop_reasons", .counts(drops)),
            ],
            note: "[\(BenchResult.fixed(rate.minimum / 1e6, 3))..\(BenchResult.fixed(rate.maximum / 1e6, 3))] "
                + "bottleneck \(bottleneck): relay \(percent(share.median)) of its core, sender "
                + "\(percent(sender.median)) and sink \(percent(sink.median)) of theirs"
                + (wait.median < 0.05 ? "" : "; other work held the relay up for \(percent(wait.median)) of the time"))
    }

    /// Below nine tenths of its core, and of what other work left of it, the relay was not what held the packets up.
    static func bottleneck(node: Double, sender: Double, sink: Double) -> String {
        if node >= 0.9 { return "relay" }
        if sender + sink < 0.9 { return "none" }
        return sender >= sink ? "sender" : "sink"
    }
}
