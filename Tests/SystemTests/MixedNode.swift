/// A node of either kind, as a topology starts it.
struct MixedNode: Sendable {
    enum Program: Sendable {
        /// The model of a stock node, with further arguments.
        case stock([String])
        /// The program under test, with further arguments and lines of its configuration.
        case hypha([String], configuration: String)
    }

    let program: Program
    let hasTun: Bool
    /// Whether it looks for nodes of the local network.
    var isDiscovering = false

    static func stock(_ arguments: [String] = [], tun: Bool = true) -> MixedNode {
        MixedNode(program: .stock(arguments), hasTun: tun)
    }

    static func hypha(_ arguments: [String] = [], configuration: String = "", tun: Bool = true) -> MixedNode {
        MixedNode(program: .hypha(arguments, configuration: configuration), hasTun: tun)
    }

    var isHypha: Bool {
        if case .hypha = program { return true }
        return false
    }
}
