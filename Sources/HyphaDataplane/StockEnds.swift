import CAEAD
import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire

/// What a worker needs to be an end of stock bodies: shared keys, nonces, what it remembers against replays and
/// reflections, and bodies whose source is not known yet.
///
/// | bound | value | when reached |
/// |---|---|---|
/// | keys | configured, at least 1,024 | the one unused for longest goes |
/// | key agreements | 2,000 a second, at once half the keys or 4,000 | drop `rateLimited` |
/// | peers with remembered nonces | 256 | the one quiet for longest goes |
/// | bodies that wait for their source | see `RouteParking` | drop `parkFull` |
///
/// A slot of a key stays valid for the turn in which it was found: no turn can agree on as many keys as push it out.
struct StockEnds {
    static let waitingBounds = RouteParking.Bounds(prefixes: 64, packets: 256, timeoutMilliseconds: 5_000)
    private static let duplicatePeers = 256
    private static let agreementsPerSecond: UInt64 = 2_000
    private static let agreementsAtOnce = 4_000
    private static let leastKeys = 1_024

    let policy: SessionPolicy
    /// What this node puts into user headers; nil when it never speaks native.
    let mark: NativeMark?
    /// With a peer of which nothing is known.
    let negotiation: StockNegotiation
    let keys: StockKeys
    let prefixes = StockPrefixes()
    let duplicates: StockDuplicates
    var nonces = StockNonceSource()
    /// Whole stock frames whose source nobody knows here yet.
    var waiting: RouteParking
    var questions = SourceQuestions()
    private let counters: WorkerCounters
    private let agree: @Sendable (_ key: UnsafePointer<UInt8>, _ secret: UnsafeMutablePointer<UInt8>) -> Bool
    /// 32 bytes for the result of `agree`, as large as a key so that it can be wiped like one.
    private let secret: UnsafeMutableRawPointer
    private var agreements: TokenBucket
    private var isLowTold = false

    init(_ configuration: StockConfiguration, pool: PacketPool, counters: WorkerCounters) {
        // With native sessions only, none of this is ever used.
        let isOff = configuration.session == .require
        let capacity = isOff ? 1 : max(StockEnds.leastKeys, min(configuration.keys, 65_536))
        policy = configuration.session
        mark = configuration.session == .auto ? NativeMark(capabilities: 0) : nil
        negotiation = StockNegotiation(session: configuration.session, early: configuration.early)
        keys = StockKeys(capacity: capacity, hashKey: configuration.hashKey)
        duplicates = StockDuplicates(capacity: isOff ? 1 : StockEnds.duplicatePeers, key: configuration.hashKey)
        waiting = RouteParking(pool: pool, counters: counters, StockEnds.waitingBounds)
        self.counters = counters
        agree = configuration.agree
        secret = .allocate(byteCount: Int(CAEAD_KEY_SIZE), alignment: 64)
        secret.initializeMemory(as: UInt8.self, repeating: 0, count: Int(CAEAD_KEY_SIZE))
        agreements = TokenBucket(
            rate: StockEnds.agreementsPerSecond, burst: UInt64(min(StockEnds.agreementsAtOnce, max(1, capacity / 2))))
        renewNonces(prefix: configuration.noncePrefix)
    }

    func deallocate() {
        keys.deallocate()
        prefixes.deallocate()
        duplicates.deallocate()
        waiting.deallocate()
        questions.deallocate()
        secret.deallocate()
    }

    /// Nonces begin with `prefix` from now on. One that this process drew before is refused: control draws another when it
    /// is told again.
    mutating func renewNonces(prefix: UInt64) {
        if prefixes.insert(prefix) { nonces.renew(prefix: prefix) }
        isLowTold = false
    }

    /// Tells control once that the nonces run out.
    mutating func checkNonces(_ punts: inout PuntRings) {
        guard nonces.isLow, !isLowTold else { return }
        isLowTold = punts.notice(.stockPrefixLow)
    }

    /// The key shared with a peer, agreed on now if it is not there.
    @inline(__always)
    mutating func key(
        for peer: UnsafeMutablePointer<PeerRecord>, _ context: borrowing StageContext
    ) -> StockKeyAnswer {
        if let slot = keys.find(peer.pointee.address) { return .slot(slot) }
        return makeKey(for: peer, context)
    }

    @inline(never)
    private mutating func makeKey(
        for peer: UnsafeMutablePointer<PeerRecord>, _ context: borrowing StageContext
    ) -> StockKeyAnswer {
        guard peer.pointee.isKeyRefused == 0 else { return .none }
        guard agreements.take(now: context.now) else { return .limited }
        let result = secret.assumingMemoryBound(to: UInt8.self)
        counters.add(.keyAgreements)
        guard peer.pointee.key.withBytes({ agree($0, result) }) else {
            caead_key_wipe(secret)
            peer.pointee.isKeyRefused = 1
            return .none
        }
        let slot = keys.insert(peer.pointee.address, secret: result, context.aead)
        caead_key_wipe(secret)
        return .slot(slot)
    }

    /// The peer that speaks as `source`: the one whose key the route to it carries, if the address is that key's own or in
    /// a /64 that is its alone. Nil when nobody is known.
    func peer(of source: IPv6Address, _ context: borrowing StageContext) -> UInt32? {
        let id = context.fib.lookup(source).peer
        guard let peer = context.peers[id], owns(peer, source) else { return nil }
        return id
    }
}
