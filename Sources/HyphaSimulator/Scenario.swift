public import HyphaRouting

/// One simulated run, repeatable from these values alone.
public struct Scenario: Sendable {
    /// What nodes are linked by: datagrams as between hypha nodes, streams as to stock nodes, or either at random.
    public enum Links: String, CaseIterable, Sendable {
        case hypha, stock, mixed
    }

    public var nodes: Int
    public var topology: Topology
    public var faults: Faults
    public var seed: UInt64
    public var links = Links.hypha
    /// How long things go wrong, and how long the mesh then has to recover, in milliseconds.
    public var faultTime: UInt64 = 40_000
    public var settleTime: UInt64 = 30_000
    /// How long that takes after hostile nodes at most, in milliseconds. Over streams silence is noticed after 43 s and a forged
    /// seqno forgotten 240 s after the last word about it, which may be the loss of a neighbour that believed it, too.
    public static let settleAfterHostility: UInt64 = 600_000
    /// How long nothing happens after that, while traffic is measured, in milliseconds.
    public var quietTime: UInt64 = 0
    /// Whether leaves (of topologies with hubs) pass on routes.
    public var leavesPassOn = true
    /// Faults in that time.
    public var faultCount = 16
    public var announcesHostRoutes = false
    /// Check every router's tables after every so many events; 0 never.
    public var auditEvery = 0
    /// What hostile nodes do, each one of these; empty: there are none. With them there is an end of all faults even if there
    /// are no others.
    public var hostile: [HostileRole] = []
    package var mutant: RouterMutant?
    /// Limits of the nodes' tables.
    public var limits = RouterLimits()

    public init(nodes: Int, topology: Topology, faults: Faults, seed: UInt64) {
        self.nodes = nodes
        self.topology = topology
        self.faults = faults
        self.seed = seed
    }

    var isHostile: Bool { !hostile.isEmpty }

    /// Breaks one of the routers' rules on purpose. False when no mutant has this name.
    public mutating func breakRule(_ name: String) -> Bool {
        guard let known = RouterMutant(rawValue: name) else { return false }
        mutant = known
        return true
    }
}
