import HyphaBase
import HyphaInterchange

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
    /// When control was last asked for a session.
    var asked = Instant.zero
    /// Largest end-to-end body that a relay on the way takes, until `maxBodyUntil`.
    var maxBody: UInt32 = .max
    var maxBodyUntil = Instant.zero
    /// A relay had no route to the peer lately: local senders are told until then.
    var noRouteUntil = Instant.zero
    var liveness = Liveness()
}

/// All end-to-end peers of a worker by peer id. A handle: copies share the memory.
struct PeerTable {
    private let records: UnsafeMutablePointer<PeerRecord>
    let capacity: Int

    init(capacity: Int) {
        self.capacity = capacity
        records = .allocate(capacity: capacity)
        records.initialize(repeating: PeerRecord(), count: capacity)
    }

    func deallocate() { records.deallocate() }

    @inline(__always)
    subscript(id: UInt32) -> UnsafeMutablePointer<PeerRecord>? {
        Int(id) < capacity ? records + Int(id) : nil
    }
}
