public import HyphaRouting

/// How a node takes part in route control.
public struct RoutingSettings: Sendable {
    /// What the last run kept; nil: the node is a new origin.
    public var state: RouterState?
    /// False: routes of others are not passed on.
    public var isTransit: Bool

    public init(state: RouterState? = nil, isTransit: Bool = true) {
        self.state = state
        self.isTransit = isTransit
    }
}
