/// How large tables and rates may grow. What happens at each limit stands at it; every time is counted.
public struct RouterLimits: Sendable {
    /// So many events a second on average, `burst` at once.
    public struct Rate: Hashable, Sendable {
        public var perSecond: UInt64
        public var burst: UInt64

        public init(perSecond: UInt64, burst: UInt64) {
            self.perSecond = perSecond
            self.burst = burst
        }
    }

    /// Links. A further one is refused.
    public var neighbours = 4096
    /// Routes of all neighbours. Further ones are refused.
    public var routes = 200_000
    /// Routes of one neighbour: a quarter of what is free, but at least this. Further ones are refused.
    public var routesPerNeighbourFloor = 1024
    /// Prefixes of one origin key, its /64 and its /128 included, which are never refused for this. Further ones are refused.
    public var prefixesPerKey = 4
    /// Next hops of one prefix. The worst infeasible one makes room, else the new one is refused.
    public var routesPerPrefix = 8
    /// Feasibility distances. A route that needs a further one is not used.
    public var sources = 400_000
    /// Router ids of one prefix with a feasibility distance; the same. Stock nodes draw a new one with each start.
    public var sourcesPerPrefix = 16
    /// Open route queries. Further ones are refused.
    public var openQueries = 4096
    /// Open queries on behalf of one neighbour. Further ones are dropped.
    public var openQueriesPerNeighbour = 64
    /// Questions to neighbours for prefixes that were lost. Further ones wait until a packet needs them.
    public var lossQueries = Rate(perSecond: 50, burst: 64)
    /// Remembered seqno requests. Further ones are dropped.
    public var openSeqnoRequests = 4096
    /// Answers and requests that wait for `poll`. Further ones are dropped.
    public var outbox = 65_536
    /// Updates to one neighbour in a full dump.
    public var dump = Rate(perSecond: 2000, burst: 200)
    /// What one neighbour may send. Above it, messages are dropped; 10 s above it is a strike, three strikes refuse the
    /// neighbour for 60 s.
    public var hellos = Rate(perSecond: 50, burst: 200)
    public var ihus = Rate(perSecond: 200, burst: 1000)
    public var updates = Rate(perSecond: 2000, burst: 20_000)
    public var routeRequests = Rate(perSecond: 50, burst: 200)
    public var seqnoRequests = Rate(perSecond: 20, burst: 100)

    public init() {}
}
