import HyphaBase
import HyphaIdentity

/// All links by id and by neighbour. Ids are dense: the lowest free one is given out first.
struct PeerBook: Sendable {
    /// By id; nil: free.
    private var links: [Link?] = []
    private var idsByKey: [PublicKey: [UInt32]] = [:]
    /// Links at most.
    let capacity: Int
    private(set) var count = 0

    init(capacity: Int) { self.capacity = capacity }

    /// All ids in use, rising.
    var ids: [UInt32] { links.indices.compactMap { links[$0] == nil ? nil : UInt32($0) } }

    subscript(id: UInt32) -> Link? {
        id < links.count ? links[Int(id)] : nil
    }

    /// Changes a link in place; nil when there is none with this id.
    mutating func update<Result>(_ id: UInt32, _ change: (inout Link) -> Result) -> Result? {
        guard id < links.count, var link = links[Int(id)] else { return nil }
        // Out of the array while it changes, so that its own arrays are not copied.
        links[Int(id)] = nil
        defer { links[Int(id)] = link }
        return change(&link)
    }

    /// Adds the link that `make` makes for the id it is given; nil when the book is full.
    mutating func add(key: PublicKey, _ make: (UInt32) -> Link) -> UInt32? {
        guard count < capacity else { return nil }
        let id: UInt32
        if count == links.count {
            id = UInt32(links.count)
            links.append(make(id))
        } else {
            guard let free = links.firstIndex(where: { $0 == nil }) else { return nil }
            id = UInt32(free)
            links[free] = make(id)
        }
        count += 1
        idsByKey[key, default: []].append(id)
        return id
    }

    mutating func remove(_ id: UInt32) {
        guard let link = self[id] else { return }
        links[Int(id)] = nil
        count -= 1
        let rest = (idsByKey[link.key] ?? []).filter { $0 != id }
        idsByKey[link.key] = rest.isEmpty ? nil : rest
    }

    /// The links with this neighbour, in the order in which they came.
    func links(with key: PublicKey) -> [Link] {
        (idsByKey[key] ?? []).compactMap { self[$0] }
    }

    /// The link that a handshake with `key` over the family of `address` belongs to: the one connected over that
    /// family, else one that is not connected, whose family is open.
    func link(with key: PublicKey, over address: SocketAddress) -> UInt32? {
        let links = links(with: key)
        let sameFamily = links.first { $0.isConnected && $0.endpoint?.isIPv4 == address.isIPv4 }
        return (sameFamily ?? links.first { !$0.isConnected })?.id
    }

    /// True when a link other than `id` is connected with `key` over the family of `address`.
    func isTaken(_ key: PublicKey, over address: SocketAddress, except id: UInt32) -> Bool {
        links(with: key).contains { $0.id != id && $0.isConnected && $0.endpoint?.isIPv4 == address.isIPv4 }
    }
}
