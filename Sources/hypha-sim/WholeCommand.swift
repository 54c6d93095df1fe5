import Glibc
import HyphaNodeSimulator
import HyphaSimulator

/// Runs of whole nodes: one for each seed, and a summary. Exit codes: 0 all runs were good, 1 some were not.
enum WholeCommand {
    static func run(_ options: SimulationOptions) async -> Int32 {
        var summary = WholeSummary(nodes: options.nodes)
        await withTaskGroup(of: (Int, WholeOutcome).self) { group in
            var started = 0
            var taken = 0
            var waiting: [Int: WholeOutcome] = [:]
            func startNext() {
                guard started < options.seeds else { return }
                let run = started
                let scenario = scenario(options, run)
                started += 1
                group.addTask { (run, WholeNetwork.run(scenario)) }
            }
            for _ in 0..<options.jobs { startNext() }
            while let (run, outcome) = await group.next() {
                startNext()
                waiting[run] = outcome
                while let next = waiting.removeValue(forKey: taken) {
                    summary.add(scenario(options, taken), next)
                    taken += 1
                }
            }
        }
        summary.print()
        return summary.bad == 0 ? 0 : 1
    }

    /// The scenario of a run, from 0 on: what the command line says of routers holds for nodes, too.
    private static func scenario(_ options: SimulationOptions, _ run: Int) -> WholeScenario {
        let common = options.scenario(of: run)
        var scenario = WholeScenario(
            nodes: common.nodes, topology: common.topology, faults: common.faults, seed: common.seed)
        scenario.links = common.links
        scenario.faultCount = common.faultCount
        scenario.settleTime = options.settle ?? scenario.settleTime
        scenario.calmTime = max(scenario.calmTime, common.quietTime)
        scenario.keepsLog = options.showsLog
        scenario.mutant = options.wholeMutant
        return scenario
    }
}
