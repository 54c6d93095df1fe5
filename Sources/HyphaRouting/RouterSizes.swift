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
}
