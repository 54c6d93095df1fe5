public import HyphaBase
public import HyphaInterchange
public import HyphaPacket

/// What a worker is told at set-up.
public struct WorkerConfiguration {
    /// The node's canonical overlay address; its /64 is the node's own.
    public var ownAddress: IPv6Address
    /// How packets that enter the overlay here are sealed on their first link.
    public var entryMode: SealMode
    /// Ids of HL1 links are below this; those of TCP links follow.
    public var maxLinks: Int
    /// TCP connections at most.
    public var maxStreams = 0
    /// Slots of the pool that frames waiting for TCP links may hold. Half-received ones have one for each of `maxStreams`
    /// beside them.
    public var streamQueueSlots = 0
    /// Slabs of the pool that half-received long frames of TCP links may hold.
    public var streamSlabs = 0
    public var stock = StockConfiguration.nativeOnly
    /// End-to-end peer ids are below this.
    public var maxPeers: Int
    /// Packets that may wait for a session in all, and as many for a route.
    public var parkedPackets: Int
    /// True when control answers the notice `routeNeeded`; else packets without a route are answered at once.
    public var asksForRoutes = false
    /// The worker's own AEAD context (`caead_context_create`), which outlives the worker.
    public var aead: OpaquePointer

    public init(
        ownAddress: IPv6Address, entryMode: SealMode, maxLinks: Int, maxPeers: Int, parkedPackets: Int,
        aead: OpaquePointer
    ) {
        self.ownAddress = ownAddress
        self.entryMode = entryMode
        self.maxLinks = maxLinks
        self.maxPeers = maxPeers
        self.parkedPackets = parkedPackets
        self.aead = aead
    }

    /// How links are numbered.
    public var links: LinkNumbering { LinkNumbering(datagramLinks: maxLinks, streams: maxStreams) }
}

/// What a turn reports to the loop around it.
public struct TurnResult {
    /// True when there was work: call again before sleeping.
    public var isBusy: Bool
    /// True when control sleeps and something was put into its rings.
    public var mustWakeControl: Bool
}
