import HyphaBase
import HyphaWire

/// What was refused because a table was full: it is asked for again when there is room.
///
/// A neighbour announces a route once. What came while there was no room would be missed until its next dump, and that of a
/// stock neighbour, which sends none, for good.
extension Router {
    /// Between looks whether there is room for the routes of a neighbour, and least time between two requests to one
    /// neighbour and to any two, in milliseconds.
    static let roomCheck: UInt64 = 10_000
    static let roomSpacing: UInt64 = 60_000
    static let roomStagger: UInt64 = 1_000

    /// How many routes one neighbour may have.
    var neighbourShare: Int {
        max(configuration.limits.routesPerNeighbourFloor, (configuration.limits.routes - table.routeCount) / 4)
    }

    /// A new route of a neighbour was refused.
    mutating func noteRefusal(_ counter: RouterCounter, of id: NeighbourID) {
        counters.count(counter)
        guard counter == .routesFull || counter == .neighbourRoutesFull, let neighbour = neighbours[id],
            neighbour.roomDue == .distantFuture
        else { return }
        let earliest = (neighbour.roomAsked ?? .zero).advanced(byMilliseconds: Router.roomSpacing)
        let due = max(earliest, clock.advanced(byMilliseconds: Router.roomCheck))
        _ = neighbours.update(id) { $0.roomDue = due }
        scheduleNeighbour(id)
    }

    /// At `roomDue`: asks for everything, if the tables are below three quarters; else looks again later. One neighbour after
    /// the other, so that the room is seen to fill.
    mutating func roomTimer(_ id: NeighbourID) {
        guard let neighbour = neighbours[id], clock >= neighbour.roomDue else { return }
        let time = clock
        let stagger = roomAsked?.advanced(byMilliseconds: Router.roomStagger) ?? .zero
        guard table.routeCount < configuration.limits.routes / 4 * 3, neighbour.routeCount < neighbourShare / 4 * 3,
            stagger <= clock
        else {
            let due = stagger > clock ? stagger : clock.advanced(byMilliseconds: Router.roomCheck)
            _ = neighbours.update(id) { $0.roomDue = due }
            return
        }
        roomAsked = clock
        counters.count(.roomRequests)
        _ = neighbours.update(id) { neighbour in
            neighbour.roomDue = .distantFuture
            neighbour.roomAsked = time
            if neighbour.kind == .hypha { neighbour.received.lackAll(now: time) }
        }
        if neighbour.kind == .stock { enqueue(.tlv(.routeRequest(.init(prefix: nil)), id)) }
    }
}
