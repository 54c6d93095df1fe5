import HyphaBase
import HyphaIdentity

/// All end-to-end peers by id, key and address. Ids are dense: the lowest free one is given out first.
struct FlowBook: Sendable {
    /// By id; nil: free.
    private var peers: [FlowPeer?] = []
    private var idsByAddress: [IPv6Address: UInt32] = [:]
    /// The peers in each /64, by its upper half.
    private var idsBySubnet: [UInt64: [UInt32]] = [:]
    let capacity: Int
    private(set) var count = 0

    init(capacity: Int) { self.capacity = capacity }

    /// All ids in use, rising.
    var ids: [UInt32] { peers.indices.compactMap { peers[$0] == nil ? nil : UInt32($0) } }

    subscript(id: UInt32) -> FlowPeer? {
        id < peers.count ? peers[Int(id)] : nil
    }

    /// The peer with this key, if it is the one known under its address.
    func id(of key: PublicKey) -> UInt32? {
        guard let id = idsByAddress[key.address], self[id]?.key == key else { return nil }
        return id
    }

    func id(at address: IPv6Address) -> UInt32? { idsByAddress[address] }

    /// The peers in the /64 with this upper half, in the order in which they came.
    func ids(in subnet: UInt64) -> [UInt32] { idsBySubnet[subnet] ?? [] }

    /// Changes a peer in place; nil when there is none with this id.
    mutating func update<Result>(_ id: UInt32, _ change: (inout FlowPeer) -> Result) -> Result? {
        guard id < peers.count, var peer = peers[Int(id)] else { return nil }
        peers[Int(id)] = nil
        defer { peers[Int(id)] = peer }
        return change(&peer)
    }

    /// Adds the peer that `make` makes for the id it is given; nil when the book is full or another key has the same
    /// address.
    mutating func add(key: PublicKey, _ make: (UInt32) -> FlowPeer) -> UInt32? {
        let address = key.address
        guard count < capacity, idsByAddress[address] == nil else { return nil }
        let id: UInt32
        if count == peers.count {
            id = UInt32(peers.count)
            peers.append(make(id))
        } else {
            guard let free = peers.firstIndex(where: { $0 == nil }) else { return nil }
            id = UInt32(free)
            peers[free] = make(id)
        }
        count += 1
        idsByAddress[address] = id
        idsBySubnet[address.high, default: []].append(id)
        return id
    }

    mutating func remove(_ id: UInt32) {
        guard let peer = self[id] else { return }
        peers[Int(id)] = nil
        count -= 1
        idsByAddress[peer.address] = nil
        let rest = ids(in: peer.address.high).filter { $0 != id }
        idsBySubnet[peer.address.high] = rest.isEmpty ? nil : rest
    }

    /// The peer to go for a new one: of those that nothing refers to and that have no session in use, the one idle for
    /// longest. A session without data ends after 180 s, so who has none had no data lately.
    var idlest: UInt32? {
        var found: FlowPeer?
        for case let peer? in peers where peer.references == 0 && !peer.machine.isConnected {
            if let best = found, best.lastUse <= peer.lastUse { continue }
            found = peer
        }
        return found?.id
    }
}
