public import HyphaWire

/// What forwarding does with a prefix from now on.
public struct RouteChange: Hashable, Sendable {
    public enum Outcome: Hashable, Sendable {
        /// The best next hop, then up to three others that may be used at any time: along all of them no loop can close.
        /// The router id holds the key for end-to-end encryption.
        case reachable(RouterID, [RouteNextHop])
        /// Known, but lost: packets wait or are rejected. No shorter prefix may be used instead.
        case unreachable
        /// Nothing is known any more: as if the prefix had never been.
        case removed
    }

    public var prefix: Prefix
    public var outcome: Outcome

    public init(prefix: Prefix, outcome: Outcome) {
        self.prefix = prefix
        self.outcome = outcome
    }
}
