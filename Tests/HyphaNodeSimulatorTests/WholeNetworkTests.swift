import HyphaNodeSimulator
import HyphaSimulator
import Testing

/// Short runs; `hypha-sim --whole` makes many.
struct WholeNetworkTests {
    private static func scenario(
        _ topology: Topology, _ faults: Faults = [], seed: UInt64 = 1, links: Scenario.Links = .hypha
    ) -> WholeScenario {
        var scenario = WholeScenario(nodes: 4, topology: topology, faults: faults, seed: seed)
        scenario.links = links
        scenario.startTime = 6_000
        scenario.calmTime = 3_000
        scenario.faultTime = 10_000
        scenario.settleTime = 15_000
        scenario.sendInterval = 100
        return scenario
    }

    @Test(arguments: Scenario.Links.allCases)
    func everythingArrivesWithoutFaults(links: Scenario.Links) {
        for topology in [Topology.line, .star] {
            let outcome = WholeNetwork.run(Self.scenario(topology, links: links))
            #expect(outcome.violations.isEmpty, "\(topology): \(outcome.violations)")
            #expect(outcome.packets > 500 && outcome.delivered == outcome.packets, "\(topology): \(outcome)")
        }
    }

    @Test(arguments: Scenario.Links.allCases, 1...2 as ClosedRange<UInt64>)
    func faultsPass(links: Scenario.Links, seed: UInt64) {
        let outcome = WholeNetwork.run(Self.scenario(.ring, .all, seed: seed, links: links))
        #expect(outcome.violations.isEmpty, "seed \(seed): \(outcome.violations)")
        // They did something, and most packets arrived all the same.
        #expect(outcome.delivered < outcome.packets && outcome.delivered > outcome.packets / 2)
    }

    @Test(arguments: Scenario.Links.allCases)
    func aSeedIsARun(links: Scenario.Links) {
        var scenario = Self.scenario(.random, .all, seed: 5, links: links)
        scenario.keepsLog = true
        let first = WholeNetwork.run(scenario)
        let second = WholeNetwork.run(scenario)
        #expect(first.logHash == second.logHash && first.events == second.events)
        #expect(first.lines == second.lines && !first.lines.isEmpty)
        scenario.seed = 6
        #expect(WholeNetwork.run(scenario).logHash != first.logHash)
    }

    @Test(arguments: [
        (WholeMutant.lostPacket, "does not conserve packets"), (.lostSlot, "slots for"), (.lostSlab, "slabs at rest"),
        (.twice, "comes twice"), (.corrupted, "has changed"), (.misdirected, "for node"), (.loop, "out of hops"),
        (.blackHole, "lost"),
    ])
    func mutantsAreNoticed(mutant: WholeMutant, sign: String) {
        var scenario = Self.scenario(.ring)
        // A loop needs a third node that is no neighbour.
        scenario.nodes = 5
        scenario.mutant = mutant
        let violations = WholeNetwork.run(scenario).violations
        #expect(violations.contains { $0.contains(sign) }, "\(mutant): \(violations)")
        #expect(WholeMutant.allCases.count == 8)
    }
}
