import HyphaBase
import HyphaWire

/// One prefix: its routes, its feasibility distances, what forwarding knows of it and what the neighbours were told.
struct Destination: Sendable {
    enum Phase: Sendable {
        /// Not in use: no selected route.
        case idle
        /// A route is selected.
        case reachable
        /// The last route was lost a moment ago: nothing shorter may be followed until `heldUntil`.
        case unreachable
    }

    let prefix: Prefix
    /// False once the prefix is forgotten and its number is free.
    var isLive = true
    var firstRoute = RouteTable.none
    var selected = RouteTable.none
    var firstSource = RouteTable.none
    var routeCount: UInt8 = 0
    /// Neighbours without a route here announced one, for which there was no room.
    var hasOthers = false
    var phase = Phase.idle
    /// What forwarding was last told.
    var told = Phase.idle
    /// The selected route ends soon, and `RouterAction.routeAgeing` said so.
    var isAgeing = false
    /// End of the phase `unreachable`.
    var heldUntil = Instant.zero
    var installed = InstalledNextHops()
    var announcement = AnnouncementState()

    init(prefix: Prefix) { self.prefix = prefix }
}
