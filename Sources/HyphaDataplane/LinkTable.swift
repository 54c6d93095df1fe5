import HyphaBase

/// What a worker knows about a link: where its packets go and how it lives. 128 bytes, owned by the worker.
struct LinkRecord {
    /// The neighbour's underlay address.
    var endpoint = SocketAddress(address: IPv6Address(high: 0, low: 0), port: 0)
    /// UDP socket number at the rim.
    var socket: UInt8 = 0
    /// 1 between `setLink` and `removeLink`.
    var exists: UInt8 = 0
    /// 1 when packets leave fully sealed whatever mode they arrived in.
    var fullOnly: UInt8 = 0
    /// 1 when packets that enter the overlay here leave header-sealed, whatever the node's own choice.
    var headerEntry: UInt8 = 0
    /// 1 for a TCP link: `connection` says which. It has no session and no datagrams.
    var isStream: UInt8 = 0
    var connection: UInt32 = 0
    /// Number of the open train in `Departures`, 0xFF for none.
    var train: UInt8 = 0xFF
    /// Largest datagram (UDP payload) that the path takes.
    var mtu: UInt32 = 1_232
    /// Link session to seal with; max for none.
    var sendSlot: UInt32 = .max
    var liveness = Liveness()
    var use = LinkUse()

    /// Whether packets can leave by it.
    var isUsable: Bool { sendSlot != .max || isStream != 0 }
}

/// All links of a worker by link id. A handle: copies share the memory.
struct LinkTable {
    private let records: UnsafeMutablePointer<LinkRecord>
    let capacity: Int

    init(capacity: Int) {
        self.capacity = capacity
        records = .allocate(capacity: capacity)
        records.initialize(repeating: LinkRecord(), count: capacity)
    }

    func deallocate() { records.deallocate() }

    /// The record of an id below `capacity`, existing or not; nil for other ids.
    @inline(__always)
    subscript(id: UInt32) -> UnsafeMutablePointer<LinkRecord>? {
        Int(id) < capacity ? records + Int(id) : nil
    }
}
