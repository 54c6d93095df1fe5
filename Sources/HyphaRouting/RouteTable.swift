import HyphaBase
import HyphaWire

/// Everything that the neighbours announced: prefixes under 32-bit numbers, each with its routes in order of arrival.
struct RouteTable: Sendable {
    /// "No route", "no entry".
    static let none = UInt32.max

    private var destinations: [Destination] = []
    private var freeDestinations: [Int] = []
    private var numbers: [Prefix: Int] = [:]
    private var routes: [Route] = []
    private var freeRoutes: [UInt32] = []
    /// How many prefixes there are of each length: only lengths in use are searched.
    private var lengths = [Int](repeating: 0, count: 129)

    /// Routes stored.
    private(set) var routeCount = 0
    /// Prefixes known.
    var destinationCount: Int { numbers.count }
    /// One above the highest number of a prefix.
    var destinationEnd: Int { destinations.count }
    /// One above the highest number of a route.
    var routeEnd: Int { routes.count }

    // MARK: Prefixes

    func number(of prefix: Prefix) -> Int? { numbers[prefix] }

    /// Whether a number is in use.
    func contains(_ number: Int) -> Bool { number < destinations.count && destinations[number].isLive }

    /// The prefix under a number in use.
    subscript(number: Int) -> Destination {
        get { destinations[number] }
        _modify { yield &destinations[number] }
    }

    mutating func insert(_ prefix: Prefix) -> Int {
        if let known = numbers[prefix] { return known }
        let number: Int
        if let reused = freeDestinations.popLast() {
            number = reused
            destinations[number] = Destination(prefix: prefix)
        } else {
            number = destinations.count
            destinations.append(Destination(prefix: prefix))
        }
        numbers[prefix] = number
        lengths[prefix.length] += 1
        return number
    }

    /// Forgets a prefix that has neither routes nor feasibility distances.
    mutating func remove(_ number: Int) {
        let prefix = self[number].prefix
        numbers[prefix] = nil
        lengths[prefix.length] -= 1
        destinations[number].isLive = false
        freeDestinations.append(number)
    }

    /// The longest prefix around `address` that has a route, or had one a moment ago.
    func longestMatch(_ address: IPv6Address) -> Int? {
        var length = 128
        while length >= UpdateFilter.shortestLength {
            if lengths[length] > 0, let number = numbers[Prefix(address, length: length)],
                self[number].phase != .idle
            {
                return number
            }
            length -= 1
        }
        return nil
    }

    /// How many prefixes with routes lie around `address` beside its /64 and its /128: those of one origin key, since all of
    /// its prefixes do.
    func otherPrefixCount(around address: IPv6Address) -> Int {
        var count = 0
        for length in UpdateFilter.shortestLength + 1..<128 where lengths[length] > 0 {
            if let number = numbers[Prefix(address, length: length)], self[number].routeCount > 0 { count += 1 }
        }
        return count
    }

    // MARK: Routes

    subscript(route number: UInt32) -> Route {
        get { routes[Int(number)] }
        _modify { yield &routes[Int(number)] }
    }

    /// The route under a number, nil where the number is free.
    func liveRoute(_ number: Int) -> Route? {
        let route = routes[number]
        return route.destination == RouteTable.none ? nil : route
    }

    /// The route of a neighbour to a prefix.
    func route(to destination: Int, through neighbour: NeighbourID) -> UInt32? {
        var number = self[destination].firstRoute
        while number != RouteTable.none {
            if routes[Int(number)].neighbour == neighbour { return number }
            number = routes[Int(number)].next
        }
        return nil
    }

    /// Adds a route behind those that the prefix has.
    mutating func append(_ route: Route) -> UInt32 {
        var route = route
        route.next = RouteTable.none
        let number: UInt32
        if let reused = freeRoutes.popLast() {
            number = reused
            routes[Int(number)] = route
        } else {
            number = UInt32(truncatingIfNeeded: routes.count)
            routes.append(route)
        }
        let destination = Int(route.destination)
        var last = self[destination].firstRoute
        if last == RouteTable.none {
            self[destination].firstRoute = number
        } else {
            while routes[Int(last)].next != RouteTable.none { last = routes[Int(last)].next }
            routes[Int(last)].next = number
        }
        self[destination].routeCount += 1
        routeCount += 1
        return number
    }

    mutating func removeRoute(_ number: UInt32) {
        let route = routes[Int(number)]
        let destination = Int(route.destination)
        if self[destination].firstRoute == number {
            self[destination].firstRoute = route.next
        } else {
            var previous = self[destination].firstRoute
            while routes[Int(previous)].next != number { previous = routes[Int(previous)].next }
            routes[Int(previous)].next = route.next
        }
        self[destination].routeCount -= 1
        routeCount -= 1
        routes[Int(number)].destination = RouteTable.none
        freeRoutes.append(number)
    }
}
