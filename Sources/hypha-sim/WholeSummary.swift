import Glibc
import HyphaNodeSimulator
import HyphaSimulator

/// Adds up the outcomes of runs of whole nodes.
struct WholeSummary {
    let nodes: Int
    private(set) var bad = 0
    private var runs = 0
    private var total = (events: 0, messages: 0, packets: 0, delivered: 0)
    private var slowest = (convergence: UInt64(0), recovery: UInt64(0))
    private var hash: UInt64 = 0

    init(nodes: Int) { self.nodes = nodes }

    /// The next outcome in order of the seeds. Bad ones are printed.
    mutating func add(_ scenario: WholeScenario, _ outcome: WholeOutcome) {
        runs += 1
        total.events += outcome.events
        total.messages += outcome.messages
        total.packets += outcome.packets
        total.delivered += outcome.delivered
        slowest.convergence = max(slowest.convergence, outcome.convergence)
        slowest.recovery = max(slowest.recovery, outcome.recovery)
        hash = (hash ^ outcome.logHash) &* 0x0000_0100_0000_01B3
        for line in outcome.lines { Swift.print(line) }
        guard !outcome.violations.isEmpty else { return }
        bad += 1
        Swift.print("seed \(scenario.seed), \(scenario.topology.rawValue):")
        for violation in outcome.violations { Swift.print("  \(violation)") }
        // At once, also into a pipe.
        fflush(nil)
    }

    func print() {
        Swift.print(
            """
            \(runs) runs of \(nodes) whole nodes, \(total.events) events, \(total.messages) messages, \(bad) bad, \
            log \(String(hash, radix: 16))
            hosts sent \(total.packets) packets, \(total.delivered) arrived; the last that was not answered was sent \
            \(slowest.convergence) ms after a start, \(slowest.recovery) ms after a repair
            """)
    }
}
