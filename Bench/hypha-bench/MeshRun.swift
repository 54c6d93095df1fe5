import Glibc
import HyphaSimulator

/// `hypha-bench mesh-run`: one simulated mesh in a process of its own, so that its memory is its own.
///
/// | command | answer |
/// |---|---|
/// | `run nodes= relay=` | `ran` and the figures of `MeshBench`; rates in bit/s, times in ms |
enum MeshRun {
    static func main() -> Int32 {
        BenchEndpoint.run { () throws(BenchError) in
            guard let line = readLine() else { throw .interrupted }
            let command = PipeMessage(parsing: line)
            let nodes = Int(clamping: try command.number("nodes"))
            BenchEndpoint.reply(try run(nodes: nodes, leavesRelay: try command.number("relay") == 1))
        }
    }

    private static func run(nodes: Int, leavesRelay: Bool) throws(BenchError) -> PipeMessage {
        var scenario = Scenario(nodes: nodes, topology: .publicPeers, faults: [], seed: 1)
        scenario.announcesHostRoutes = true
        scenario.leavesPassOn = leavesRelay
        scenario.settleTime = 60_000
        scenario.quietTime = 650_000
        let outcome = SimNetwork.run(scenario)
        if let first = outcome.violations.first { throw .failed("the mesh is bad: \(first)") }
        let figures = outcome.measurement
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        let times = [usage.ru_utime, usage.ru_stime].map { $0.tv_sec * 1_000 + $0.tv_usec / 1_000 }
        var fields: [(key: String, value: String)] = [
            ("links", "\(figures.links)"), ("prefixes", "\(figures.prefixes)"),
            ("last_change", "\(figures.lastChange)"), ("quiet_changes", "\(figures.quietChanges.reduce(0, +))"),
            ("leaf_mean", bits(figures.leafTraffic.mean)), ("leaf_max", bits(figures.leafTraffic.largest)),
            ("hub_mean", bits(figures.hubTraffic.mean)), ("hub_max", bits(figures.hubTraffic.largest)),
            ("cpu", "\(times[0] + times[1])"), ("kib", "\(usage.ru_maxrss)"),
        ]
        if let convergence = figures.convergence { fields.append(("convergence", "\(convergence)")) }
        fields += figures.leafParts.map { ("part_\($0.name)", bits($0.rate)) }
        return PipeMessage("ran", fields)
    }

    private static func bits(_ kilobits: Double) -> String { "\(UInt64((kilobits * 1_000).rounded()))" }
}
