import HyphaRouting

/// The command line of the simulator: runs a range of seeds and sums up.
public enum SimulationCommand {
    static let usage = """
        usage: hypha-sim [--nodes N] [--seeds N] [--first SEED] [--faults LIST] [--topology NAME] [--links KIND]
                         [--count N] [--settle MS] [--mutant NAME]
          --nodes N        nodes in the mesh (20)
          --seeds N        runs (100)
          --first SEED     seed of the first run (1)
          --faults LIST    none, all, or of loss,cuts,partitions,restarts,lost-state,costs (all)
          --topology NAME  line, ring, star, random, all (random)
          --links KIND     hypha, stock, mixed (hypha)
          --count N        faults in a run (16)
          --settle MS      time to recover; below 17000 nobody is asked for (30000)
          --mutant NAME    a rule to break: frozenAlternates, noFlush, mixedRouterIDs
        """

    /// Runs with these arguments; the exit status: 0 when every run was good, 1 when not, 2 for a usage error.
    public static func run(_ arguments: [String]) -> Int32 {
        var nodes = 20
        var seeds = 100
        var first: UInt64 = 1
        var faults = Faults.all
        var topologies = [Topology.random]
        var links = "hypha"
        var count = 16
        var settle: UInt64 = 30_000
        var mutant: RouterMutant?
        var index = 0
        while index < arguments.count {
            guard index + 1 < arguments.count else { return refuse(arguments[index]) }
            let value = arguments[index + 1]
            switch arguments[index] {
            case "--nodes":
                guard let number = Int(value), (1...1000).contains(number) else { return refuse(value) }
                nodes = number
            case "--seeds":
                guard let number = Int(value), number > 0 else { return refuse(value) }
                seeds = number
            case "--first":
                guard let number = UInt64(value) else { return refuse(value) }
                first = number
            case "--faults":
                faults = []
                for name in value.split(separator: ",") {
                    guard let known = Faults.names.first(where: { $0.name == name }) else { return refuse(value) }
                    faults.formUnion(known.faults)
                }
            case "--topology":
                if value == "all" {
                    topologies = Topology.allCases
                } else {
                    guard let topology = Topology(rawValue: value) else { return refuse(value) }
                    topologies = [topology]
                }
            case "--links":
                guard ["hypha", "stock", "mixed"].contains(value) else { return refuse(value) }
                links = value
            case "--count":
                guard let number = Int(value), number >= 0 else { return refuse(value) }
                count = number
            case "--settle":
                guard let number = UInt64(value), number <= 3_600_000 else { return refuse(value) }
                settle = number
            case "--mutant":
                guard let known = RouterMutant(rawValue: value) else { return refuse(value) }
                mutant = known
            default: return refuse(arguments[index])
            }
            index += 2
        }
        var events = 0
        var messages = 0
        var failed = 0
        var hash: UInt64 = 0
        for run in 0..<seeds {
            var scenario = Scenario(
                nodes: nodes, topology: topologies[run % topologies.count], faults: faults,
                seed: first &+ UInt64(run))
            scenario.kind = links == "stock" ? .stock : .hypha
            scenario.mixesKinds = links == "mixed"
            scenario.faultCount = count
            scenario.settleTime = settle
            scenario.asksInTheEnd = settle >= 17_000
            scenario.mutant = mutant
            let outcome = SimNetwork.run(scenario)
            events += outcome.events
            messages += outcome.messages
            hash = (hash ^ outcome.logHash) &* 0x0000_0100_0000_01B3
            guard !outcome.violations.isEmpty else { continue }
            failed += 1
            print("seed \(scenario.seed), \(scenario.topology.rawValue):")
            for violation in outcome.violations { print("  \(violation)") }
        }
        print(
            "\(seeds) runs of \(nodes) nodes, \(events) events, \(messages) messages, \(failed) bad, "
                + "log \(String(hash, radix: 16))")
        return failed == 0 ? 0 : 1
    }

    private static func refuse(_ argument: String) -> Int32 {
        print("hypha-sim: not understood: \(argument)\n\(usage)")
        return 2
    }
}
