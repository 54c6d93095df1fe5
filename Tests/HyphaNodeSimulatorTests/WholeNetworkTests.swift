import HyphaNodeSimulator
import HyphaSimulator
import Testing

struct WholeNetworkTests {
    @Test func ringWithoutFaults() {
        let outcome = WholeNetwork.run(WholeScenario(nodes: 4, topology: .ring, faults: [], seed: 1))
        #expect(outcome.violations.isEmpty, "\(outcome.violations)")
        #expect(outcome.delivered > 1_000)
    }
}
