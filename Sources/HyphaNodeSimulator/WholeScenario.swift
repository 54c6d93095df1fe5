public import HyphaSimulator

/// One simulated run of whole nodes, repeatable from these values alone.
public struct WholeScenario: Sendable {
    public var nodes: Int
    public var topology: Topology
    public var faults: Faults
    public var seed: UInt64
    /// What nodes are linked by: HL1 datagrams, TCP streams as to stock nodes, or either at random.
    public var links = Scenario.Links.hypha
    /// From the start until every packet has to arrive, in milliseconds.
    public var startTime: UInt64 = 12_000
    /// How long everything must arrive then, and again after the recovery, in milliseconds.
    public var calmTime: UInt64 = 5_000
    /// How long things go wrong, in milliseconds.
    public var faultTime: UInt64 = 25_000
    /// How long the mesh then has until every packet has to arrive again, in milliseconds.
    public var settleTime: UInt64 = 20_000
    /// Faults in that time.
    public var faultCount = 12
    /// Between two packets of one node, in milliseconds.
    public var sendInterval: UInt64 = 60
    /// Keep what the nodes' control planes say, and what goes wrong.
    public var keepsLog = false
    /// What is made wrong on purpose, to see that it is noticed.
    public var mutant: WholeMutant?

    public init(nodes: Int, topology: Topology, faults: Faults, seed: UInt64) {
        self.nodes = nodes
        self.topology = topology
        self.faults = faults
        self.seed = seed
    }
}
