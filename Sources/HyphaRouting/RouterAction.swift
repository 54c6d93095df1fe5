public import HyphaWire

/// What a router wants done. Actions must be carried out in the order in which `poll` returns them: state is written, and
/// forwarding follows a changed route, before anything that is sent later leaves the node.
public enum RouterAction: Hashable, Sendable {
    /// Write the state to where the next start finds it.
    case persist(RouterState)
    case routeChanged(RouteChange)
    case send(BabelTLV, to: NeighbourID)
    /// The link layer answers each Hello of this stock neighbour with this IHU from now on, as soon as it is there: the
    /// router does not.
    case answerHellos(of: NeighbourID, with: BabelTLV.IHU)
    /// The route to the prefix ends soon (true), or is fresh again or gone (false): while it ends soon, `routeUsed` is to be
    /// told of its use.
    case routeAgeing(Prefix, Bool)
    /// A query of this node found a route to the prefix, or did not within its time.
    case queryResolved(Prefix)
    case queryFailed(Prefix)
    /// The neighbour answers no more: close the link. It is gone from the router already.
    case neighbourDead(NeighbourID)
}
