import HyphaBase

/// What one neighbour may ask of us: a token bucket for each type of message, and strikes for whoever stays above it.
struct PeerBudget: Sendable {
    enum Kind: Sendable { case hello, ihu, update, routeRequest, seqnoRequest }

    enum Verdict: Sendable {
        case granted
        /// Above the rate.
        case exceeded
        /// Nothing is taken from this neighbour for a while.
        case refused
    }

    /// How long above a rate makes a strike, and a pause that ends it, in milliseconds.
    static let strikeAfter: UInt64 = 10_000
    static let pause: UInt64 = 1_000
    static let strikes = 3
    /// How long nothing is taken after the last strike, in milliseconds.
    static let refusal: UInt64 = 60_000

    private var hello: TokenBucket
    private var ihu: TokenBucket
    private var update: TokenBucket
    private var routeRequest: TokenBucket
    private var seqnoRequest: TokenBucket
    private var exceededSince: Instant?
    private var exceededLast: Instant = .zero
    private(set) var strikeCount = 0
    private var refusedUntil: Instant = .zero

    init(limits: RouterLimits, now: Instant) {
        func bucket(_ limit: RouterLimits.Rate) -> TokenBucket {
            TokenBucket(rate: limit.perSecond, burst: limit.burst, now: now)
        }
        hello = bucket(limits.hellos)
        ihu = bucket(limits.ihus)
        update = bucket(limits.updates)
        routeRequest = bucket(limits.routeRequests)
        seqnoRequest = bucket(limits.seqnoRequests)
    }

    mutating func take(_ kind: Kind, now: Instant) -> Verdict {
        if now < refusedUntil { return .refused }
        let granted =
            switch kind {
            case .hello: hello.take(now: now)
            case .ihu: ihu.take(now: now)
            case .update: update.take(now: now)
            case .routeRequest: routeRequest.take(now: now)
            case .seqnoRequest: seqnoRequest.take(now: now)
            }
        if granted { return .granted }
        if now.milliseconds(since: exceededLast) >= PeerBudget.pause { exceededSince = nil }
        exceededLast = now
        let since = exceededSince ?? now
        exceededSince = since
        if now.milliseconds(since: since) >= PeerBudget.strikeAfter {
            strikeCount += 1
            exceededSince = now
            if strikeCount >= PeerBudget.strikes {
                strikeCount = 0
                exceededSince = nil
                refusedUntil = now.advanced(byMilliseconds: PeerBudget.refusal)
            }
        }
        return .exceeded
    }
}
