import HyphaBase
import HyphaWire

/// One neighbour, from the moment its link is up until it is down.
struct Neighbour: Sendable {
    let id: NeighbourID
    let kind: NeighbourLink.Kind
    /// The proven key as a router id without zone and random part; nil where no key is proven.
    let key: RouterID?
    let upSince: Instant
    var cost: LinkCost
    /// The cost in use: it follows `cost` in notable steps.
    var metric: Metric
    var metricSince: Instant
    /// Silent at the moment, says the link layer. Not chosen where there is another.
    var isSuspect = false

    /// Seqno of the next Hello.
    var helloSeqno: UInt16 = 0
    var helloSent: Instant?
    var nextHello: Instant
    /// Last IHU of a stock node, last message of any kind of a hypha node.
    var heard: Instant
    /// Any message came since the link is up.
    var hasSpoken = false
    /// When the IHUs that settle a stock node's cost are due, and then our own prefixes and open queries.
    var burstDue: Instant?
    var introductionDue: Instant?
    /// Of a stock node, which gets no dump: what was announced to the others, or answered, while it waited for its
    /// introduction.
    var missed: [Prefix] = []
    /// It asked before that, and was answered: it hears all that the others hear, above all what is lost.
    var isAnswered = false

    /// Where the running dump of all routes stands: the number of the next prefix, and how many numbers are left, from the
    /// start again after the last one. Nil when none runs.
    var dumpPosition: Int?
    var dumpLeft = 0
    var dumpAllowance: UInt64 = 0
    var dumpContinues: Instant = .distantFuture
    /// In the queue of those whose dump `poll` continues.
    var isDumpReady = false
    /// The running dump also says which prefixes have no route.
    var dumpIsComplete = false
    /// When the last dump started, and when the next one starts by itself, after a share of the refresh period (in
    /// percent): not all neighbours have theirs at the same time.
    var dumped: Instant?
    var refreshShare: UInt64 = 100
    var refreshDue: Instant = .distantFuture
    var wildcardAnswered: Instant?

    /// Updates in both directions; on streams, which lose nothing, they have no numbers.
    var sent: SentUpdates
    var received = ReceivedUpdates()
    var updateSent = Instant.zero
    /// When it was last sent what it missed.
    var answered = Instant.zero
    /// When it was last sent everything because it missed too much.
    var repaired: Instant?
    /// When a Hello tells how many Updates there were, and how many such Hellos there were since the last one.
    var checkDue = Instant.distantFuture
    var checks = 0

    /// Routes of it were refused: when to look whether there is room. And when it was last asked for them again.
    var roomDue = Instant.distantFuture
    var roomAsked: Instant?

    var budget: PeerBudget
    /// Routes stored of this neighbour.
    var routeCount = 0
    /// On a link without a proven key: whose prefixes may be announced with less than the least link cost.
    var presumedOwner: RouterID?
    /// Queries made on its behalf: open ones; and of the latest ones, how many there were and how many found nothing.
    var openQueries = 0
    var queriesEnded = 0
    var queriesFailed = 0
    /// Most of its queries find nothing: it may ask once a second.
    var isThrottled = false
    var throttle: TokenBucket

    init(
        id: NeighbourID, link: NeighbourLink, limits: RouterLimits, epoch: UInt16, firstHello: Instant, now: Instant
    ) {
        self.id = id
        kind = link.kind
        key = RouterID(key: link.key, zone: 0, random: 0)
        upSince = now
        cost = LinkCost(base: link.baseCost, measured: link.roundTrip)
        metric = cost.metric
        metricSince = now
        sent = SentUpdates(epoch: epoch)
        nextHello = firstHello
        heard = now
        budget = PeerBudget(limits: limits, now: now)
        throttle = TokenBucket(rate: 1, burst: 1, now: now)
    }

    /// A complete dump is on its way to it.
    var isBeingToldAll: Bool { dumpIsComplete && dumpPosition != nil }

    /// Whether it acted on all that it was told up to a moment. A hypha node with a new session may have kept what it heard;
    /// but who says nothing at all does not hear us, and forgets, or hears what is gone, too. A stock node says nothing about
    /// it, but a stream delivers in order, and who answers no Hello is dead long before `SourceTable.streamDelay`.
    func hasHeardAll(until moment: Instant, now: Instant) -> Bool {
        switch kind {
        case .hypha: sent.confirmed > moment || upSince > moment && !hasSpoken
        case .stock: upSince > moment || moment.advanced(byMilliseconds: SourceTable.streamDelay) <= now
        }
    }

    /// Whether it was told where we are: before that it hears answers only.
    var isIntroduced: Bool { introductionDue == nil && burstDue == nil }
    /// Whether it hears announcements.
    var isFollowing: Bool { isIntroduced || isAnswered }

    /// The nearest of the neighbour's own deadlines; `deadAfter` in milliseconds.
    func nextDeadline(deadAfter: UInt64) -> Instant {
        var next = min(nextHello, heard.advanced(byMilliseconds: deadAfter), refreshDue, checkDue, received.due)
        next = min(next, roomDue)
        if let burstDue { next = min(next, burstDue) }
        if let introductionDue { next = min(next, introductionDue) }
        if dumpPosition != nil { next = min(next, dumpContinues) }
        return next
    }

    mutating func changed<T>(by change: (inout Neighbour) -> T) -> T { change(&self) }

    /// Notes how a query made on its behalf ended.
    mutating func queryEnded(found: Bool) {
        openQueries = max(0, openQueries - 1)
        queriesEnded += 1
        if !found { queriesFailed += 1 }
        guard queriesEnded >= 200 else { return }
        isThrottled = queriesFailed * 10 > queriesEnded * 9
        queriesEnded = 0
        queriesFailed = 0
    }
}
