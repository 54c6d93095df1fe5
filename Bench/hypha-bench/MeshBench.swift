import HyphaSimulator

/// `hypha-bench mesh`: a mesh of `--nodes` routers in virtual time, ten of them hubs that all know each other, the rest leaves
/// with two hubs each: how soon everybody reaches everybody, and what routing costs a leaf at which nothing happens.
///
/// Everybody has a route to everybody. The traffic is that of 650 s, which is longer than the time between two refreshes.
struct MeshBench {
    /// Whether leaves pass on routes, as nodes do unless they are told otherwise.
    enum Leaves: String, CaseIterable {
        case relay, leaf
    }

    let nodes: Int
    /// nil: both.
    let leaves: Leaves?

    /// A run of 2,000 nodes takes two minutes of CPU.
    private static let patience = 7_200.0

    func run() throws(BenchError) -> [BenchRow] {
        let testbed = try Testbed()
        defer { testbed.close() }
        var rows: [BenchRow] = []
        for kind in Leaves.allCases where leaves == nil || leaves == kind { rows.append(try row(testbed, kind)) }
        return rows
    }

    private func row(_ testbed: Testbed, _ kind: Leaves) throws(BenchError) -> BenchRow {
        let child = try testbed.spawn("mesh", [Testbed.ownPath, "mesh-run"], niceness: 0)
        defer { testbed.stop(child) }
        try child.send("run nodes=\(nodes) relay=\(kind == .relay ? 1 : 0)")
        let answer = try child.answer("ran", within: MeshBench.patience)
        let number = { (key: String) throws(BenchError) in Double(try answer.number(key)) }
        let convergence = answer.has("convergence") ? try number("convergence") / 1_000 : nil
        let memory = try number("kib") / Double(nodes)
        let (mean, most) = (try number("leaf_mean") / 1_000, try number("leaf_max") / 1_000)
        let cpu = try number("cpu") / 1_000
        let lastChange = try number("last_change") / 1_000
        var details: [(key: String, value: BenchRow.Value)] = [
            ("nodes", .count(UInt64(nodes))), ("links", .count(try answer.number("links"))),
            ("prefixes", .count(try answer.number("prefixes"))),
            ("convergence_s", .number(convergence ?? .infinity)), ("last_change_s", .number(lastChange)),
            ("quiet_changes", .count(try answer.number("quiet_changes"))), ("kib_per_node", .number(memory)),
            ("cpu_s", .number(cpu)), ("leaf_kbits_mean", .number(mean)), ("leaf_kbits_max", .number(most)),
            ("hub_kbits_mean", .number(try number("hub_mean") / 1_000)),
            ("hub_kbits_max", .number(try number("hub_max") / 1_000)),
        ]
        var parts: [String] = []
        for part in answer.keys where part.hasPrefix("part_") {
            let name = String(part.dropFirst(5))
            let rate = try number(part) / 1_000
            details.append(("leaf_kbits_\(name)", .number(rate)))
            if rate >= 0.05 { parts.append("\(name) \(BenchResult.fixed(rate, 1))") }
        }
        return BenchRow(
            bench: "mesh", name: kind == .relay ? "leaves that relay" : "leaves that do not relay", size: 0, pps: 0,
            gbps: 0, cpuNanosecondsPerPacket: 0, loss: 0, drops: 0, details: details,
            note:
                "\(nodes) nodes: everybody reaches everybody after \(convergence.map { BenchResult.fixed($0, 1) } ?? "-") s, "
                + "last change of a next hop at \(BenchResult.fixed(lastChange, 0)) s; an idle leaf's control traffic "
                + "\(BenchResult.fixed(mean, 1)) kbit/s on average, \(BenchResult.fixed(most, 1)) at most (\(parts.joined(separator: ", "))); "
                + "\(BenchResult.fixed(memory, 0)) KiB a node, \(BenchResult.fixed(cpu, 0)) s of CPU")
    }
}
