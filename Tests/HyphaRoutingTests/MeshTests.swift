import HyphaRouting
import HyphaSimulator
import Testing

private func expectGood(_ scenario: Scenario) {
    let outcome = SimNetwork.run(scenario)
    let name = "seed \(scenario.seed), \(scenario.topology), \(scenario.nodes) nodes, \(scenario.links)"
    #expect(outcome.violations.isEmpty, "\(name): \(outcome.violations)")
    #expect(outcome.messages > 0, "\(name)")
}

@Test(arguments: Topology.allCases)
func undisturbedMeshesConverge(topology: Topology) {
    for links in [Scenario.Links.hypha, .stock] {
        var scenario = Scenario(nodes: 8, topology: topology, faults: [], seed: 1)
        scenario.links = links
        scenario.announcesHostRoutes = true
        scenario.auditEvery = 50
        expectGood(scenario)
    }
}

@Test(arguments: Topology.allCases)
func meshesSurviveEverything(topology: Topology) {
    for seed in 1...3 as ClosedRange<UInt64> {
        var scenario = Scenario(nodes: 7, topology: topology, faults: .all, seed: seed)
        scenario.auditEvery = 20
        expectGood(scenario)
    }
}

/// What is measured while nothing happens: all bytes have a kind, and after the first dumps, 300 s apart, no next hop changes.
@Test(arguments: [true, false])
func idleMeshesAreMeasured(leavesPassOn: Bool) {
    var scenario = Scenario(nodes: 15, topology: .publicPeers, faults: [], seed: 5)
    scenario.announcesHostRoutes = true
    scenario.leavesPassOn = leavesPassOn
    scenario.quietTime = 600_000
    let outcome = SimNetwork.run(scenario)
    let figures = outcome.measurement
    #expect(outcome.violations.isEmpty && figures.quietTime == 600_000 && figures.quietChanges.count <= 5)
    let sum = figures.leafParts.reduce(0) { $0 + $1.rate }
    #expect(figures.leafTraffic.mean > 0.5 && abs(sum - figures.leafTraffic.mean) < 0.001 * sum)
    for (name, rate) in figures.leafParts where ["hello", "ihu", "update", "headers"].contains(name) {
        #expect(rate > 0.02 && rate < sum, "\(name)")
    }
    #expect(figures.leafParts.map(\.name).contains("update") && figures.leafParts.count == 6)
}

@Test(arguments: [11, 12] as [UInt64])
func streamsSurviveCutsAndRestarts(seed: UInt64) {
    var scenario = Scenario(nodes: 8, topology: .random, faults: [.cuts, .partitions, .restarts], seed: seed)
    scenario.links = .stock
    scenario.auditEvery = 20
    expectGood(scenario)
}

@Test(arguments: [21, 22] as [UInt64])
func mixedMeshesSurviveEverything(seed: UInt64) {
    var scenario = Scenario(nodes: 8, topology: .random, faults: .all, seed: seed)
    scenario.links = .mixed
    scenario.announcesHostRoutes = true
    scenario.auditEvery = 20
    expectGood(scenario)
}

/// 5643: two router ids, each of two neighbours the next hop of the other. 5983: seqno requests that left the route in use.
@Test(arguments: [31, 5643, 5983] as [UInt64])
func twentyNodesSurviveEverything(seed: UInt64) {
    expectGood(Scenario(nodes: 20, topology: .random, faults: .all, seed: seed))
}

@Test
func theSameSeedGivesTheSameRun() {
    let scenario = Scenario(nodes: 6, topology: .random, faults: .all, seed: 41)
    let first = SimNetwork.run(scenario)
    let second = SimNetwork.run(scenario)
    #expect(first.logHash == second.logHash)
    #expect(first.events == second.events)
    var other = scenario
    other.seed = 42
    #expect(SimNetwork.run(other).logHash != first.logHash)
}

/// The first seed whose run has a forwarding loop, nil when none has.
private func seedsUntilCaught(_ mutant: RouterMutant, _ faults: Faults, nodes: Int, upTo limit: UInt64) -> UInt64? {
    for seed in 1...limit {
        var scenario = Scenario(nodes: nodes, topology: .random, faults: faults, seed: seed)
        scenario.mutant = mutant
        let outcome = SimNetwork.run(scenario)
        if outcome.violations.contains(where: { $0.contains("loop") }) { return seed }
    }
    return nil
}

@Test
func frozenAlternatesAreCaught() {
    #expect(seedsUntilCaught(.frozenAlternates, [.cuts, .costs], nodes: 10, upTo: 20) != nil)
}

@Test
func routesThatSurviveANewSessionAreCaught() {
    #expect(seedsUntilCaught(.noFlush, [.restarts, .costs], nodes: 10, upTo: 20) != nil)
}

@Test
func mixedRouterIDsAreCaught() {
    #expect(seedsUntilCaught(.mixedRouterIDs, [.lostState, .cuts], nodes: 10, upTo: 20) != nil)
}
