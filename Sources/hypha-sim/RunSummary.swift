import Glibc
import HyphaSimulator

/// Adds up the outcomes of runs.
struct RunSummary {
    let options: SimulationOptions
    private(set) var bad = 0
    private var runs = 0
    private var events = 0
    private var messages = 0
    private var hash: UInt64 = 0
    private var measured: Measurement?

    init(options: SimulationOptions) { self.options = options }

    /// The next outcome in order of the seeds. Bad ones are printed.
    mutating func add(_ scenario: Scenario, _ outcome: Outcome) {
        runs += 1
        events += outcome.events
        messages += outcome.messages
        hash = (hash ^ outcome.logHash) &* 0x0000_0100_0000_01B3
        measured = outcome.measurement
        guard !outcome.violations.isEmpty else { return }
        bad += 1
        Swift.print("seed \(scenario.seed), \(scenario.topology.rawValue):")
        for violation in outcome.violations { Swift.print("  \(violation)") }
        // At once, also into a pipe.
        fflush(nil)
    }

    func print() {
        Swift.print(
            "\(runs) runs of \(options.nodes) nodes, \(events) events, \(messages) messages, \(bad) bad, "
                + "log \(String(hash, radix: 16))")
        if options.isReport, let measured { print(measured) }
    }

    private func print(_ report: Measurement) {
        let convergence = report.convergence.map { "\(RunSummary.seconds($0)) s" } ?? "never"
        let usage = ProcessUsage.current
        Swift.print(
            """
            \(report.nodes) nodes, \(report.links) links, \(report.prefixes) prefixes
            everybody reached everybody after \(convergence), last change of a next hop at \
            \(RunSummary.seconds(report.lastChange)) s
            until quiet: \(report.messagesBefore) control messages, \(report.bytesBefore / 1_000_000) MB
            quiet for \(RunSummary.seconds(report.quietTime)) s, control traffic in both directions together:
              leaf \(RunSummary.spread(report.leafTraffic))
              hub  \(RunSummary.spread(report.hubTraffic))
              leaf by kind: \(report.leafParts.map { "\($0.name) \(RunSummary.fixed($0.rate))" }.joined(separator: ", "))
              next hops changed, by minute: \(report.quietChanges.map { "\($0)" }.joined(separator: " "))
            fullest node: \(report.routes) routes, \(report.feasibilityDistances) feasibility distances
            simulated in \(RunSummary.seconds(usage.cpuMilliseconds)) s of CPU, peak memory \
            \(usage.peakKibibytes / 1024) MiB, \
            \(RunSummary.fixed(Double(usage.peakKibibytes) / Double(max(1, report.nodes)))) KiB a node
            """)
    }

    private static func spread(_ figure: Measurement.Spread) -> String {
        "\(fixed(figure.mean)) kbit/s on average, \(fixed(figure.largest)) kbit/s at most"
    }

    private static func seconds(_ milliseconds: UInt64) -> String { fixed(Double(milliseconds) / 1000) }

    /// One digit behind the point.
    private static func fixed(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}
