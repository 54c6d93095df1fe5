public import HyphaBase
public import HyphaWire

/// The route control of one node, as one value: neighbours tell it what they announce, it says which next hops to use and
/// what to tell the neighbours.
///
/// A distance vector protocol derived from Babel (RFC 8966), in the dialect of Mycelium nodes. Events go in through
/// `handle`, `neighbourUp`, `neighbourDown`, `costChanged` and `query`; time through `advance(to:)`, at the latest at
/// `nextDeadline`; what is to be done comes out of `poll`, which must be called until it returns nil after every event.
/// The same events at the same times give the same actions.
///
/// What keeps it free of loops: a next hop is used only while its announcement is strictly better than the best that this
/// node ever announced itself (`FeasibilityDistance`), all next hops of a prefix have one router id, both are checked
/// again in the step that announces, and nothing of a neighbour survives a new link session.
public struct Router: Sendable {
    let configuration: RouterConfiguration
    /// The /64 that belongs to this node, and the prefixes that it announces.
    let ownPrefix: Prefix
    let ownPrefixes: [Prefix]

    var own: OwnOrigin
    var neighbours: NeighbourTable
    var ids = RouterIDTable()
    var table = RouteTable()
    var sources = SourceTable()
    var requests = RouteRequests()
    var lossQueries: TokenBucket
    /// The latest prefixes that were lost, at most `lostMax`; some may have a route again.
    var lost: [Prefix] = []
    var seqnoRequests = SeqnoRequests()
    /// By number of the prefix, and by number of the neighbour.
    var timers = DeadlineSlots()
    var neighbourTimers = DeadlineSlots()
    var ownAnnouncementDue: Instant
    /// When a neighbour was last asked for what had been refused.
    var roomAsked: Instant?

    var urgent = ActionRing<RouterAction>()
    var held: RouterAction?
    var announcements = ActionRing<Announced>()
    var broadcast: Broadcast?
    var outbox = ActionRing<Outgoing>()
    var dumpReady = ActionRing<NeighbourID>()

    /// The latest time that came in.
    var clock: Instant
    var seed: Seed
    /// The last one of serials; the first is drawn.
    var epoch: UInt16
    var isStopping = false
    package var mutant: RouterMutant?

    public internal(set) var counters = RouterCounters()

    /// Nil when the key has not 32 bytes. `state` is what the last `persist` action of an earlier run held, nil when there
    /// is none; `seed` draws the random part of a router id, and must then be unpredictable.
    public init?(configuration: RouterConfiguration, state: RouterState?, seed: UInt64, now: Instant) {
        var seed = Seed(seed)
        let random = state?.random ?? seed.next()
        guard let id = RouterID(key: configuration.key, zone: configuration.zone, random: random) else { return nil }
        self.configuration = configuration
        epoch = UInt16(truncatingIfNeeded: seed.next())
        self.seed = seed
        let address = configuration.addressOfKey(id)
        ownPrefix = Prefix(address, length: 64)
        let hostRoute = Prefix(address, length: 128)
        ownPrefixes = configuration.announcesHostRoute ? [ownPrefix, hostRoute] : [ownPrefix]
        own = OwnOrigin(id: id, seqno: state.map { Seqno($0.seqno).advanced() } ?? Seqno(0), now: now)
        neighbours = NeighbourTable(capacity: configuration.limits.neighbours)
        clock = now
        let rate = configuration.limits.lossQueries
        lossQueries = TokenBucket(rate: rate.perSecond, burst: rate.burst, now: now)
        ownAnnouncementDue = now
        ownAnnouncementDue = now.advanced(byMilliseconds: ownPeriod)
        urgent.append(.persist(own.state))
    }

    /// The router id under which this node announces its prefixes.
    public var routerID: RouterID { own.id }
    public var seqno: UInt16 { own.seqno.value }

    public var sizes: RouterSizes {
        RouterSizes(
            neighbours: neighbours.count, routes: table.routeCount, prefixes: table.destinationCount,
            sources: sources.count, routerIDs: ids.count, queries: requests.count,
            seqnoRequests: seqnoRequests.count, outbox: outbox.count)
    }

    // MARK: Messages

    /// One Babel packet of a stream (magic, version, length, TLVs).
    public mutating func handle(packet: [UInt8], from id: NeighbourID, now: Instant) {
        for reading in BabelTLVPacket.read(packet) { handle(reading, from: id, now: now) }
    }

    /// One TLV: its type in stock's numbering (4 to 10) and its body.
    public mutating func handle(type: UInt8, body: [UInt8], from id: NeighbourID, now: Instant) {
        let isNumbered = neighbours.kind(of: id) == .hypha
        handle(BabelTLV.decode(type: type, body: body, isNumbered: isNumbered), from: id, now: now)
    }

    /// One TLV as it was read; refusals are counted.
    public mutating func handle(_ reading: BabelTLVReading, from id: NeighbourID, now: Instant) {
        switch reading {
        case .refused(let refusal): counters.count(refusal)
        case .tlv(let tlv, let strayBits):
            if strayBits { counters.count(.strayBits) }
            handle(tlv, from: id, now: now)
        }
    }

    /// One message of a neighbour that is up; of others nothing is taken.
    public mutating func handle(_ tlv: BabelTLV, from id: NeighbourID, now: Instant) {
        clock = max(clock, now)
        let time = clock
        let kind: PeerBudget.Kind =
            switch tlv {
            case .hello: .hello
            case .ihu: .ihu
            case .update: .update
            case .routeRequest: .routeRequest
            case .seqnoRequest: .seqnoRequest
            }
        let verdict = neighbours.update(id) { neighbour in
            if neighbour.kind == .hypha { neighbour.heard = time }
            neighbour.hasSpoken = true
            return neighbour.budget.take(kind, now: time)
        }
        switch verdict {
        case nil: counters.count(.strangers)
        case .exceeded: counters.count(.rateExceeded)
        case .refused: counters.count(.neighbourRefused)
        case .granted:
            switch tlv {
            case .hello(let hello): handleHello(hello, from: id)
            case .ihu: handleIHU(from: id)
            case .update(let update): if accepts(update, from: id) { handleUpdate(update, from: id) }
            case .routeRequest(let request): handleRouteRequest(request, from: id)
            case .seqnoRequest(let request): handleSeqnoRequest(request, from: id)
            }
        }
    }

    // MARK: Time

    /// When `advance(to:)` must be called at the latest.
    public var nextDeadline: Instant {
        var next = min(ownAnnouncementDue, own.changeDue)
        for deadline in [timers.next, neighbourTimers.next, requests.nextDeadline, seqnoRequests.nextDeadline] {
            if let deadline { next = min(next, deadline) }
        }
        return next
    }

    /// Does what is due at `now`.
    public mutating func advance(to now: Instant) {
        clock = max(clock, now)
        while let place = neighbourTimers.popDue(now: clock) {
            neighbourTimer(NeighbourID(UInt16(truncatingIfNeeded: place)))
        }
        while let number = timers.popDue(now: clock) { destinationTimer(number) }
        while let query = requests.popDue(now: clock) { queryTimer(query) }
        while let request = seqnoRequests.popDue(now: clock) { seqnoRequestTimer(request) }
        ownTimer()
    }
}
