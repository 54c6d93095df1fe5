import CBench
import HyphaPacket
import HyphaWire

/// `hypha-bench relay --transport tcp`: a real node passes stock frames from one TCP link to another.
///
/// A frame that the node drops because the sink is slower costs it half of what a relayed one costs: CPU time is counted
/// over the mean of what came in and what went out.
struct StreamRelayBench {
    let options: BenchOptions
    let binary: String

    /// Payloads measured when none is asked for: what a full inner packet of 1,400 bytes becomes, and a small one.
    static let payloads = [StockData.commonPayload, 64]

    /// What one burst showed.
    private struct Round {
        /// Frames and bits a second at the sink.
        var rate: Double
        var gbps: Double
        var offered: Double
        var cpuPerPacket: Double
        var cpuPerByte: Double
        /// Over what went out alone.
        var cpuPerByteSent: Double
        var loss: Double
        /// Bytes in one receive and in one write of the node.
        var perReceive: Double
        var perWrite: Double
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
        for payload in options.sizes ?? StreamRelayBench.payloads {
            guard StockTraffic.payloads.contains(payload) else {
                let range = StockTraffic.payloads
                throw .failed("--size \(payload): a stock payload has \(range.lowerBound) to \(range.upperBound) bytes")
            }
            rows.append(try measure(payload: payload))
        }
        return rows
    }

    private func measure(payload: Int) throws(BenchError) -> BenchRow {
        let testbed = try Testbed()
        defer { testbed.close() }
        let rig = try StreamRig(testbed, binary: binary, payload: payload, workers: options.workers)
        do throws(BenchError) {
            var rounds: [Round] = []
            var sampled: UInt64 = 0
            let before = try rig.node.counters()
            for _ in 0..<options.rounds(5) {
                let (round, samples) = try burst(rig)
                rounds.append(round)
                sampled += samples
            }
            return row(rig, rounds, counters: try rig.node.counters().since(before), sampled: sampled)
        } catch {
            throw rig.node.explain(error)
        }
    }

    private func burst(_ rig: StreamRig) throws(BenchError) -> (Round, sampled: UInt64) {
        let seconds = options.seconds(1)
        try rig.sink.send("arm")
        _ = try rig.sink.answer("armed", within: 5)
        let before = try rig.node.counters()
        let usage = rig.node.usage

        try rig.sender.send("send ns=\(UInt64(seconds * 1e9))")
        let sent = try rig.sender.answer("sent", within: seconds + 10)
        try rig.sink.send("report")
        let received = try rig.sink.answer("received", within: 30)
        let nodeUsage = rig.node.usage - usage
        let counted = try rig.node.counters().since(before)

        let (start, end) = (try sent.number("start"), try sent.number("end"))
        let (first, last) = (try received.number("first"), try received.number("last"))
        let (packets, offered) = (try received.number("packets"), try sent.number("packets"))
        guard packets > 0, last > first, end > start else {
            let drops = counted.dropReasons.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
            throw .failed(
                "of \(offered) frames \(packets) arrived; the node received \(counted[.received]), sent "
                    + "\(counted[.sent]), dropped: \(drops.isEmpty ? "nothing" : drops)")
        }
        let bad = try received.number("bad")
        guard bad == 0 else {
            let why = try received.text("why").split(separator: "_").joined(separator: " ")
            throw .failed("\(bad) of \(try received.number("sampled")) sampled frames came out wrong: \(why)")
        }
        // The relay is at work from the first frame in to the last frame out.
        let busy = Double(max(last, end) &- start)
        let rate = Double(try received.number("later")) / Double(last &- first) * 1e9
        let relayed = (Double(counted[.received]) + Double(counted[.sent])) / 2
        let (bytesIn, bytesOut) = (Double(counted[.streamReceivedBytes]), Double(counted[.streamSentBytes]))
        let round = Round(
            rate: rate, gbps: rate * Double(rig.traffic.size) * 8e-9,
            offered: Double(offered) / Double(end &- start) * 1e9,
            cpuPerPacket: Double(nodeUsage.ran) / max(1, relayed),
            cpuPerByte: Double(nodeUsage.ran) / max(1, (bytesIn + bytesOut) / 2),
            cpuPerByteSent: Double(nodeUsage.ran) / max(1, bytesOut),
            loss: max(0, 1 - Double(packets) / Double(max(1, offered))),
            perReceive: bytesIn / Double(max(1, counted[.receives])),
            perWrite: bytesOut / Double(max(1, counted[.streamWrites])), node: Double(nodeUsage.ran) / busy,
            nodeWait: Double(nodeUsage.waited) / busy, sender: Double(try sent.number("cpu")) / busy,
            sink: Double(try received.number("cpu")) / busy)
        return (round, try received.number("sampled"))
    }

    private func row(
        _ rig: StreamRig, _ rounds: [Round], counters: NodeCounters, sampled: UInt64
    ) -> BenchRow {
        let rate = Statistics(rounds) { $0.rate }
        let gbps = Statistics(rounds) { $0.gbps }
        let perByte = Statistics(rounds) { $0.cpuPerByte }
        let share = Statistics(rounds) { $0.node }
        let sender = Statistics(rounds) { $0.sender }
        let sink = Statistics(rounds) { $0.sink }
        let wait = Statistics(rounds) { $0.nodeWait }
        let bottleneck = RelayBench.bottleneck(
            node: share.median + wait.median, sender: sender.median, sink: sink.median)
        let drops = counters.dropReasons
        let percent = { (value: Double) in BenchResult.fixed(value * 100, 0) + " %" }
        return BenchRow(
            bench: "relay", name: "tcp, payload \(rig.traffic.payload)", size: rig.traffic.size, pps: rate.median,
            gbps: gbps.median, cpuNanosecondsPerPacket: Statistics(rounds) { $0.cpuPerPacket }.median,
            loss: Statistics(rounds) { $0.loss }.median, drops: drops.reduce(0) { $0 + $1.value },
            details: [
                ("transport", .text(Transport.tcp.rawValue)), ("payload", .count(UInt64(rig.traffic.payload))),
                ("rounds", .count(UInt64(rounds.count))),
                ("cpu_ns_per_byte", .number(perByte.median)), ("cpu_ns_per_byte_min", .number(perByte.minimum)),
                ("cpu_ns_per_byte_max", .number(perByte.maximum)),
                ("cpu_ns_per_byte_sent", .number(Statistics(rounds) { $0.cpuPerByteSent }.median)),
                ("pps_min", .number(rate.minimum)), ("pps_max", .number(rate.maximum)),
                ("gbps_min", .number(gbps.minimum)), ("gbps_max", .number(gbps.maximum)),
                ("offered_pps", .number(Statistics(rounds) { $0.offered }.median)),
                ("bytes_per_receive", .number(Statistics(rounds) { $0.perReceive }.median)),
                ("bytes_per_write", .number(Statistics(rounds) { $0.perWrite }.median)),
                ("relay_share", .number(share.median)), ("relay_wait", .number(wait.median)),
                ("sender_share", .number(sender.median)), ("sink_share", .number(sink.median)),
                ("bottleneck", .text(bottleneck)), ("sampled", .count(sampled)),
                ("relay_received", .count(counters[.received])), ("relay_sent", .count(counters[.sent])),
                ("drop_reasons", .counts(drops)),
            ],
            note: "\(BenchResult.fixed(perByte.median, 3)) ns/byte "
                + "[\(BenchResult.fixed(perByte.minimum, 3))..\(BenchResult.fixed(perByte.maximum, 3))] "
                + "bottleneck \(bottleneck): relay \(percent(share.median)) of its core, sender "
                + "\(percent(sender.median)) and sink \(percent(sink.median)) of theirs"
                + (wait.median < 0.05 ? "" : "; other work held the relay up for \(percent(wait.median)) of the time"))
    }
}
