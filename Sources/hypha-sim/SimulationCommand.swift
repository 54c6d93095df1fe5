import HyphaSimulator

/// The program: runs a range of seeds and sums up. Exit codes: 0 all runs were good, 1 some were not, 2 usage.
enum SimulationCommand {
    static func run(_ arguments: [String]) async -> Int32 {
        let options: SimulationOptions
        do {
            options = try SimulationOptions(arguments)
        } catch {
            print("hypha-sim: \(error.text)\n\"hypha-sim --help\" shows what there is.")
            return 2
        }
        if options.isHelp {
            print(helpText, terminator: "")
            return 0
        }
        if options.isWhole { return await WholeCommand.run(options) }
        var summary = RunSummary(options: options)
        await runAll(options) { summary.add($0, $1) }
        summary.print()
        return summary.bad == 0 ? 0 : 1
    }

    /// Runs every scenario, `jobs` at a time, and hands over the outcomes in order.
    private static func runAll(_ options: SimulationOptions, _ take: (Scenario, Outcome) -> Void) async {
        await withTaskGroup(of: (Int, Outcome).self) { group in
            var started = 0
            var taken = 0
            var waiting: [Int: Outcome] = [:]
            func startNext() {
                guard started < options.seeds else { return }
                let run = started
                let scenario = options.scenario(of: run)
                started += 1
                group.addTask { (run, SimNetwork.run(scenario)) }
            }
            for _ in 0..<options.jobs { startNext() }
            while let (run, outcome) = await group.next() {
                startNext()
                waiting[run] = outcome
                while let next = waiting.removeValue(forKey: taken) {
                    take(options.scenario(of: taken), next)
                    taken += 1
                }
            }
        }
    }

    static let helpText = """
        usage: hypha-sim [options]

        Runs meshes of routers in virtual time, one for each seed, and checks at every step that no loop closes, that
        tables stay in bounds, and at the end that every node reaches every other. A run depends on its options and
        its seed alone: a bad one is printed with its seed and can be repeated with --first SEED --seeds 1.

          --nodes N        nodes in the mesh (20)
          --seeds N        runs (100)
          --first SEED     seed of the first run (1)
          --jobs N         runs at a time (1)
          --topology NAME  line, ring, star, random, small-world, public-peers, or all in turn (random)
          --faults LIST    none, all, or of loss,delay,cuts,partitions,restarts,lost-state,costs (all)
          --hostile LIST   none, all, or of forger,jumper,flapper,liar,requests,retractor,flooder,grey: what 1 to 20 percent
                           of the nodes do, until the faults end, on half of the seeds with small tables (none)
          --count N        faults in a run (16)
          --links KIND     hypha, stock, mixed (hypha)
          --leaves KIND    relay: leaves of star and public-peers pass on routes; leaf: they do not (relay)
          --settle MS      time to recover; streams need 17000 (30000; after hostile nodes 600000)
          --quiet MS       then nothing happens for so long while control traffic is measured (0)
          --report         one run without faults and with host routes; prints convergence, traffic and memory
                           (settle 60000, quiet 650000)
          --mutant NAME    breaks a rule, to see that it is noticed: frozenAlternates, noFlush, mixedRouterIDs,
                           anySeqno, hastyForgetting, unboundedTables
          --whole          whole nodes instead of routers: workers, control, and packets of hosts that have to arrive. With
                           --nodes, --seeds, --first, --jobs, --topology, --faults, --count, --links (stock: TCP),
                           --settle (20000), --quiet (how long all must arrive, 5000); mutants: lostPacket, lostSlot,
                           lostSlab, twice, corrupted, misdirected, loop, blackHole
          --log            with --whole: prints what the nodes say and what is done to them
          --help           this text

        Exit codes: 0 every run was good, 1 some were not, 2 usage.

        """
}
