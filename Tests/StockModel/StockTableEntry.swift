/// What the routing table has for a subnet: routes, at most one a neighbour, or none as long as it is asked for.
struct StockTableEntry: Sendable {
    var routes: [StockRoute] = []
    /// For the key in the router id of the first route; kept as long as there is any route.
    var cipher: StockCipher?

    var isQueried: Bool { routes.isEmpty }
    var selectedIndex: Int? { routes.firstIndex { $0.isSelected } }
    var selected: StockRoute? { selectedIndex.map { routes[$0] } }

    mutating func select(_ index: Int?) {
        for i in routes.indices { routes[i].isSelected = i == index }
    }
}
