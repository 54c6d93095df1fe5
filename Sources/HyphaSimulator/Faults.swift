/// What goes wrong in a simulated mesh.
public struct Faults: OptionSet, Sendable {
    public let rawValue: UInt32

    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Messages get lost on links that may lose them.
    public static let loss = Faults(rawValue: 1)
    /// Links are cut, each end notices in its own time, and heal.
    public static let cuts = Faults(rawValue: 2)
    /// All links between two halves are cut, and heal.
    public static let partitions = Faults(rawValue: 4)
    /// Nodes restart with the state they wrote.
    public static let restarts = Faults(rawValue: 8)
    /// Nodes restart without it: under a new router id.
    public static let lostState = Faults(rawValue: 16)
    /// Round trip times change.
    public static let costs = Faults(rawValue: 32)
    /// Messages are late, and overtake each other on links that do not keep the order.
    public static let delay = Faults(rawValue: 64)

    public static let all: Faults = [.loss, .cuts, .partitions, .restarts, .lostState, .costs, .delay]

    /// The names by which a command line knows them.
    public static let names: [(name: String, faults: Faults)] = [
        ("none", []), ("loss", .loss), ("cuts", .cuts), ("partitions", .partitions), ("restarts", .restarts),
        ("lost-state", .lostState), ("costs", .costs), ("delay", .delay), ("all", .all),
    ]
}
