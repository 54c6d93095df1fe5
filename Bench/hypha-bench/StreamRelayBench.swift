import CBench
import HyphaPacket
import HyphaWire

/// `hypha-bench relay --transport tcp`: a real node passes stock frames from one TCP link to another, and in turn with it a
/// bare relay of bytes does.
///
/// A frame that the node drops because the sink is slower costs it half of what a relayed one costs: CPU time is counted
/// over the mean of what came in and what went out.
struct StreamRelayBench {
    let options: BenchOptions
    let binary: String
    let isSample: Bool

    /// Payloads measured when none is asked for: what a full inner packet of 1,400 bytes becomes, and a small one.
    static let payloads = [StockData.commonPayload, 64]

    /// What one burst through the node showed, and one through the bare relay right after it.
    private struct Round {
        var burst: StreamBurst
        var bare: StreamBurst
        var cpuPerPacket: Double
        var cpuPerByte: Double
        /// Over what went out alone.
        var cpuPerByteSent: Double
        var bareCPUPerByte: Double
        /// Bytes in one receive and in one write of the node.
        var perReceive: Double
        var perWrite: Double
        /// Share of its core that the node had.
        var node: Double
        /// Share of the time in which the node had to wait for its core, because of work that is not part of this.
        var nodeWait: Double

        var ratio: Double { cpuPerByte / bareCPUPerByte }
    }

    /// Two rows for each size.
    func run() throws(BenchError) -> [BenchRow] {
        var rows: [BenchRow] = []
        for payload in options.sizes ?? StreamRelayBench.payloads {
            guard StockTraffic.payloads.contains(payload) else {
                let range = StockTraffic.payloads
                throw .failed("--size \(payload): a stock payload has \(range.lowerBound) to \(range.upperBound) bytes")
            }
            rows += try measure(payload: payload)
        }
        return rows
    }

    private func measure(payload: Int) throws(BenchError) -> [BenchRow] {
        let testbed = try Testbed()
        defer { testbed.close() }
        let rig = try StreamRig(testbed, options, binary: binary, payload: payload, withBare: true)
        guard let bare = rig.bare, let barePair = rig.barePair else { return [] }
        do throws(BenchError) {
            var rounds: [Round] = []
            let before = try rig.node.counters()
            for _ in 0..<options.rounds(5) { rounds.append(try round(rig, bare, barePair)) }
            let counters = try rig.node.counters().since(before)
            return [row(payload, rounds, counters), bareRow(payload, rounds)]
        } catch {
            throw rig.node.explain(error)
        }
    }

    private func round(_ rig: StreamRig, _ bare: ChildProcess, _ barePair: StreamPair) throws(BenchError) -> Round {
        let seconds = options.seconds(isSample ? 0.4 : 1)
        let before = try rig.node.counters()
        let usage = rig.node.usage
        let burst = try rig.pair.burst(seconds: seconds)
        let nodeUsage = rig.node.usage - usage
        let counted = try rig.node.counters().since(before)
        guard burst.packets > 0 else {
            let drops = counted.dropReasons.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
            throw .failed(
                "of \(burst.offered) frames none arrived; the node received \(counted[.received]), sent "
                    + "\(counted[.sent]), dropped: \(drops.isEmpty ? "nothing" : drops)")
        }
        let start = try count(bare)
        let bareBurst = try barePair.burst(seconds: seconds)
        let end = try count(bare)
        let frames = (Double(counted[.received]) + Double(counted[.sent])) / 2
        let (bytesIn, bytesOut) = (Double(counted[.streamReceivedBytes]), Double(counted[.streamSentBytes]))
        let cpu = Double(nodeUsage.ran)
        return Round(
            burst: burst, bare: bareBurst, cpuPerPacket: cpu / max(1, frames),
            cpuPerByte: cpu / max(1, (bytesIn + bytesOut) / 2), cpuPerByteSent: cpu / max(1, bytesOut),
            bareCPUPerByte: Double(end.cpu &- start.cpu) / Double(max(1, end.bytes &- start.bytes)),
            perReceive: bytesIn / Double(max(1, counted[.receives])),
            perWrite: bytesOut / Double(max(1, counted[.streamWrites])), node: cpu / burst.duration,
            nodeWait: Double(nodeUsage.waited) / burst.duration)
    }

    private func count(_ bare: ChildProcess) throws(BenchError) -> (bytes: UInt64, cpu: UInt64) {
        try bare.send("count")
        let counted = try bare.answer("counted", within: 5)
        return (try counted.number("bytes"), try counted.number("cpu"))
    }

    private func row(_ payload: Int, _ rounds: [Round], _ counters: NodeCounters) -> BenchRow {
        let size = StockData.headerSize + payload
        let bits = Double(size) * 8e-9
        let rate = Statistics(rounds) { $0.burst.rate }
        let perByte = Statistics(rounds) { $0.cpuPerByte }
        let ratio = Statistics(rounds) { $0.ratio }
        let share = Statistics(rounds) { $0.node }
        let sender = Statistics(rounds) { $0.burst.sender }
        let sink = Statistics(rounds) { $0.burst.sink }
        let wait = Statistics(rounds) { $0.nodeWait }
        let bottleneck = RelayBench.bottleneck(
            node: share.median + wait.median, sender: sender.median, sink: sink.median)
        let drops = counters.dropReasons
        let percent = { (value: Double) in BenchResult.fixed(value * 100, 0) + " %" }
        return BenchRow(
            bench: "relay", name: "tcp", size: size, pps: rate.median, gbps: rate.median * bits,
            cpuNanosecondsPerPacket: Statistics(rounds) { $0.cpuPerPacket }.median,
            loss: Statistics(rounds) { $0.burst.loss }.median, drops: drops.reduce(0) { $0 + $1.value },
            details: [
                ("transport", .text(Transport.tcp.rawValue)), ("payload", .count(UInt64(payload))),
                ("congestion", .text(options.congestion)),
                ("rounds", .count(UInt64(rounds.count))),
                ("cpu_ns_per_byte", .number(perByte.median)), ("cpu_ns_per_byte_min", .number(perByte.minimum)),
                ("cpu_ns_per_byte_max", .number(perByte.maximum)),
                ("cpu_ns_per_byte_sent", .number(Statistics(rounds) { $0.cpuPerByteSent }.median)),
                ("ratio_to_bare", .number(ratio.median)), ("ratio_to_bare_min", .number(ratio.minimum)),
                ("ratio_to_bare_max", .number(ratio.maximum)),
                ("pps_min", .number(rate.minimum)), ("pps_max", .number(rate.maximum)),
                ("gbps_min", .number(rate.minimum * bits)), ("gbps_max", .number(rate.maximum * bits)),
                ("offered_pps", .number(Statistics(rounds) { $0.burst.offeredRate }.median)),
                ("bytes_per_receive", .number(Statistics(rounds) { $0.perReceive }.median)),
                ("bytes_per_write", .number(Statistics(rounds) { $0.perWrite }.median)),
                ("relay_share", .number(share.median)), ("relay_wait", .number(wait.median)),
                ("sender_share", .number(sender.median)), ("sink_share", .number(sink.median)),
                ("bottleneck", .text(bottleneck)), ("sampled", .count(rounds.reduce(0) { $0 &+ $1.burst.sampled })),
                ("relay_received", .count(counters[.received])), ("relay_sent", .count(counters[.sent])),
                ("drop_reasons", .counts(drops)),
            ],
            note: "\(BenchResult.fixed(perByte.median, 3)) ns a byte, \(BenchResult.fixed(ratio.median, 2)) "
                + "[\(BenchResult.fixed(ratio.minimum, 2))..\(BenchResult.fixed(ratio.maximum, 2))] of bare; "
                + "bottleneck \(bottleneck): relay \(percent(share.median)) of its core, sender "
                + "\(percent(sender.median)) and sink \(percent(sink.median)) of theirs"
                + (wait.median < 0.05 ? "" : "; other work held the relay up for \(percent(wait.median)) of the time"))
    }

    private func bareRow(_ payload: Int, _ rounds: [Round]) -> BenchRow {
        let size = StockData.headerSize + payload
        let rate = Statistics(rounds) { $0.bare.rate }
        let perByte = Statistics(rounds) { $0.bareCPUPerByte }
        return BenchRow(
            bench: "relay", name: "tcp bare", size: size, pps: rate.median, gbps: rate.median * Double(size) * 8e-9,
            cpuNanosecondsPerPacket: perByte.median * Double(size), loss: Statistics(rounds) { $0.bare.loss }.median,
            drops: 0,
            details: [
                ("transport", .text(Transport.tcp.rawValue)), ("payload", .count(UInt64(payload))),
                ("congestion", .text(options.congestion)),
                ("rounds", .count(UInt64(rounds.count))),
                ("cpu_ns_per_byte", .number(perByte.median)), ("cpu_ns_per_byte_min", .number(perByte.minimum)),
                ("cpu_ns_per_byte_max", .number(perByte.maximum)),
            ],
            note: "\(BenchResult.fixed(perByte.median, 3)) ns a byte: recv and send of bytes, nothing else")
    }
}
