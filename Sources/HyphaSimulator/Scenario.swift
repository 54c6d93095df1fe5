public import HyphaRouting

/// One simulated run, repeatable from these values alone.
public struct Scenario: Sendable {
    public var nodes: Int
    public var topology: Topology
    public var faults: Faults
    public var seed: UInt64
    /// Links between hypha nodes, or streams as to stock nodes.
    public var kind = NeighbourLink.Kind.hypha
    /// Both kinds, link by link at random.
    public var mixesKinds = false
    /// How long things go wrong, and how long the mesh then has to recover, in milliseconds.
    public var faultTime: UInt64 = 40_000
    public var settleTime: UInt64 = 30_000
    /// Whether every node then asks for every other, 17 s before the end: meshes of streams know nobody until they ask.
    public var asksInTheEnd = true
    /// Faults in that time.
    public var faultCount = 16
    public var announcesHostRoutes = false
    /// Check every router's tables after every so many events; 0 never.
    public var auditEvery = 0
    package var mutant: RouterMutant?
    /// Limits of the nodes' tables.
    public var limits = RouterLimits()

    public init(nodes: Int, topology: Topology, faults: Faults, seed: UInt64) {
        self.nodes = nodes
        self.topology = topology
        self.faults = faults
        self.seed = seed
    }
}
