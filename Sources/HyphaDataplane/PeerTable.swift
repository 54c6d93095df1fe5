import HyphaBase
import HyphaInterchange
import HyphaSession

/// What a worker knows about an end-to-end peer. Owned by the worker.
struct PeerRecord {
    /// The canonical address of the peer's key.
    var address = IPv6Address(high: 0, low: 0)
    /// The peer's public key.
    var key = WorkerCommand.KeyBytes()
    /// End-to-end session to seal with; max for none.
    var sendSlot: UInt32 = .max
    /// First and last parked packet (slot buffers), max for none.
    var firstParked: UInt32 = .max
    var lastParked: UInt32 = .max
    var parkedCount: UInt16 = 0
    /// 1 between `setPeer` and `removePeer`.
    var exists: UInt8 = 0
    /// 1 when sources of its whole /64 are its own.
    var ownsPrefix: UInt8 = 0
    /// 1 when its packets go as stock bodies while there is no session, without asking `negotiation`.
    var isPlain: UInt8 = 0
    /// 1 when its public key is one that gives no shared key.
    var isKeyRefused: UInt8 = 0
    /// 1 when control knows that it marks its stock bodies.
    var isMarkTold: UInt8 = 0
    /// 1 when control knows that stock bodies go to it although it is native; until there is a session.
    var isFallbackTold: UInt8 = 0
    /// Largest end-to-end body that a relay on the way takes, until `maxBodyUntil`.
    var maxBody: UInt32 = .max
    var maxBodyUntil = Instant.zero
    /// A relay had no route to the peer lately: local senders are told until then.
    var noRouteUntil = Instant.zero
    var liveness = Liveness()
    /// What becomes of packets without a session.
    var negotiation: StockNegotiation

    /// A peer of which nothing is known.
    init(_ negotiation: StockNegotiation = StockNegotiation(session: .require, early: .queue)) {
        self.negotiation = negotiation
        isPlain = negotiation.isPlain ? 1 : 0
    }

    /// Takes note of an event of the negotiation.
    mutating func decide(_ event: StockNegotiation.Event, now: Instant) -> StockNegotiation.Decision {
        let decision = negotiation.handle(event, now: now)
        isPlain = negotiation.isPlain ? 1 : 0
        return decision
    }
}

/// All end-to-end peers of a worker by peer id. A handle: copies share the memory, which is touched up to the highest id
/// that was ever given out: control gives out the lowest free one.
struct PeerTable {
    private let records: UnsafeMutablePointer<PeerRecord>
    /// One past the highest id that was ever prepared.
    private let prepared: UnsafeMutablePointer<Int>
    let capacity: Int

    init(capacity: Int) {
        self.capacity = capacity
        records = .allocate(capacity: capacity)
        prepared = .allocate(capacity: 1)
        prepared.initialize(to: 0)
    }

    func deallocate() {
        records.deallocate()
        prepared.deallocate()
    }

    /// The record of an id that was prepared, existing or not; nil for other ids.
    @inline(__always)
    subscript(id: UInt32) -> UnsafeMutablePointer<PeerRecord>? {
        Int(id) < prepared.pointee ? records + Int(id) : nil
    }

    /// The record of an id below `capacity`, made if it was never used.
    func prepare(_ id: UInt32) -> UnsafeMutablePointer<PeerRecord>? {
        guard Int(id) < capacity else { return nil }
        while prepared.pointee <= Int(id) {
            (records + prepared.pointee).initialize(to: PeerRecord())
            prepared.pointee += 1
        }
        return records + Int(id)
    }
}
