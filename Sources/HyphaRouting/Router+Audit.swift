import HyphaBase
import HyphaWire

extension Router {
    /// Whatever in the tables contradicts the rules: empty, always.
    package func inconsistencies() -> [String] {
        var problems: [String] = []
        let limits = configuration.limits
        func expect(_ holds: Bool, _ what: @autoclosure () -> String) {
            if !holds { problems.append(what()) }
        }
        expect(table.routeCount <= limits.routes, "\(table.routeCount) routes")
        expect(sources.count <= limits.sources, "\(sources.count) feasibility distances")
        expect(requests.count <= limits.openQueries, "\(requests.count) queries")
        expect(seqnoRequests.count <= limits.openSeqnoRequests, "\(seqnoRequests.count) seqno requests")
        expect(outbox.count <= limits.outbox, "\(outbox.count) messages wait")
        expect(neighbours.count <= limits.neighbours, "\(neighbours.count) neighbours")
        expect(ids.count <= table.routeCount + sources.count, "\(ids.count) router ids")
        var counted = 0
        var perNeighbour: [NeighbourID: Int] = [:]
        for number in 0..<table.destinationEnd where table.contains(number) {
            let destination = table[number]
            var routes = 0
            var route = destination.firstRoute
            var found = destination.selected == RouteTable.none
            while route != RouteTable.none {
                let value = table[route: route]
                routes += 1
                perNeighbour[value.neighbour, default: 0] += 1
                expect(!value.metric.isInfinite, "a retracted route to \(destination.prefix) is kept")
                expect(neighbours.contains(value.neighbour), "a route to \(destination.prefix) through nobody")
                if route == destination.selected { found = true }
                route = value.next
            }
            counted += routes
            expect(found, "the selected route to \(destination.prefix) is gone")
            expect(routes == destination.routeCount, "\(destination.prefix) has \(routes) routes")
            expect(routes <= limits.routesPerPrefix, "\(destination.prefix) has \(routes) routes")
            expect(
                sources.length(from: destination.firstSource) <= limits.sourcesPerPrefix,
                "\(destination.prefix) has too many feasibility distances")
            expect(
                (destination.phase == .reachable) == (destination.selected != RouteTable.none),
                "\(destination.prefix) is \(destination.phase)")
            guard destination.told == .reachable else { continue }
            for hop in destination.installed.nextHops {
                guard let used = table.route(to: number, through: hop.neighbour) else {
                    problems.append("\(destination.prefix): next hop without a route")
                    continue
                }
                expect(isFeasible(used), "\(destination.prefix): infeasible next hop")
                expect(
                    table[route: used].routerID == destination.installed.routerID,
                    "\(destination.prefix): next hops of two router ids")
            }
        }
        expect(counted == table.routeCount, "\(counted) routes are listed, \(table.routeCount) counted")
        for id in neighbours.ids {
            expect(
                neighbours[id]?.routeCount == perNeighbour[id, default: 0],
                "neighbour \(id.value) counts its routes wrongly")
        }
        return problems
    }
}
