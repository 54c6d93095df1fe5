/// How full the tables of a router are.
public struct RouterSizes: Hashable, Sendable {
    public var neighbours: Int
    public var routes: Int
    public var prefixes: Int
    public var sources: Int
    public var routerIDs: Int
    public var queries: Int
    public var seqnoRequests: Int
    public var outbox: Int

    /// All of them by their stable names, in a fixed order.
    public var all: [(name: String, value: Int)] {
        [
            ("table_neighbours", neighbours), ("table_routes", routes), ("table_prefixes", prefixes),
            ("table_sources", sources), ("table_router_ids", routerIDs), ("table_queries", queries),
            ("table_seqno_requests", seqnoRequests), ("table_outbox", outbox),
        ]
    }
}
