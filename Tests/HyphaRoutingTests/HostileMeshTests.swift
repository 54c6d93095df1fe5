import HyphaRouting
import HyphaSimulator
import Testing

private func hostile(_ roles: [HostileRole], _ links: Scenario.Links, seed: UInt64) -> Scenario {
    var scenario = Scenario(nodes: 10, topology: .random, faults: .all, seed: seed)
    scenario.hostile = roles
    scenario.links = links
    scenario.settleTime = Scenario.settleAfterHostility
    scenario.auditEvery = 500
    return scenario
}

@Test(arguments: HostileRole.allCases, [Scenario.Links.hypha, .stock])
func honestNodesOutlastHostileOnes(role: HostileRole, links: Scenario.Links) {
    let outcome = SimNetwork.run(hostile([role], links, seed: 1))
    #expect(outcome.violations.isEmpty, "\(role), \(links): \(outcome.violations)")
    #expect(outcome.messages > 0)
}

@Test
func theSameSeedGivesTheSameHostileRun() {
    let scenario = hostile(HostileRole.allCases, .mixed, seed: 3)
    let first = SimNetwork.run(scenario)
    let second = SimNetwork.run(scenario)
    #expect(first.logHash == second.logHash)
    #expect(first.events == second.events)
    var undisturbed = scenario
    undisturbed.hostile = []
    #expect(SimNetwork.run(undisturbed).logHash != first.logHash)
}

/// Whether one of some runs is bad in a way that `what` names.
private func isNoticed(_ mutant: RouterMutant, _ role: HostileRole, _ what: String) -> Bool {
    (1...20 as ClosedRange<UInt64>).contains { seed in
        var scenario = hostile([role], .hypha, seed: seed)
        scenario.mutant = mutant
        return SimNetwork.run(scenario).violations.contains { $0.contains(what) }
    }
}

@Test
func tablesWithoutLimitsAreNoticed() {
    #expect(isNoticed(.unboundedTables, .flooder, "routes"))
}
