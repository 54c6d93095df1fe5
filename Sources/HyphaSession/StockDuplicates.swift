/// The last nonces of stock peers that are active, to drop bodies that come twice. Stock bodies have no counter, so this is
/// all the replay protection there can be: what is older than the last 4,096 to 8,192 bodies of a peer passes again, and so
/// does everything of a peer that lost its place, and what comes in through another worker.
///
/// Per peer two tables of 8,192 tags of 4 bytes. The newer takes up to 4,096 nonces, then it becomes the older and that one
/// is emptied. A tag is a keyed hash, so about one body in 10^9 is dropped although it is new. At most `capacity` peers: then
/// the one that was quiet for longest loses its place. A handle: copies share the memory; single-threaded.
public struct StockDuplicates {
    /// Nonces that are certainly remembered.
    public static let window = 4_096
    private static let places = 8_192
    /// Bytes of memory per peer.
    public static let bytesPerPeer = 2 * places * 4

    private struct Peer {
        var owner: UInt32 = .max
        var newer: UInt32 = 0
        var entries: UInt32 = 0
        /// Neighbours in the order of use; `next` leads to the longer quiet.
        var previous: UInt32 = .max
        var next: UInt32 = .max
    }

    public let capacity: Int
    private let tags: UnsafeMutablePointer<UInt32>
    private let peers: UnsafeMutablePointer<Peer>
    /// [0] the peer used last, [1] the one that was quiet for longest.
    private let ends: UnsafeMutablePointer<UInt32>
    private let key: UInt64

    /// Memory is touched when used. `key` is random.
    public init(capacity: Int = 256, key: UInt64) {
        let count = max(1, min(capacity, 65_536))
        self.capacity = count
        self.key = key
        tags = .allocate(capacity: count * 2 * StockDuplicates.places)
        peers = .allocate(capacity: count)
        ends = .allocate(capacity: 2)
        for i in 0..<count {
            let neighbours = (i == 0 ? UInt32.max : UInt32(i - 1), i == count - 1 ? UInt32.max : UInt32(i + 1))
            (peers + i).initialize(to: Peer(previous: neighbours.0, next: neighbours.1))
        }
        ends[0] = 0
        ends[1] = UInt32(count - 1)
    }

    public func deallocate() {
        tags.deallocate()
        peers.deallocate()
        ends.deallocate()
    }

    /// Remembers the nonce of a body that opened; false when it came before. `owner` names the peer, and `place` is what
    /// the peer keeps for this: .max at first.
    public func admit(_ nonce: StockNonce, owner: UInt32, place: inout UInt32) -> Bool {
        if Int(place) >= capacity || peers[Int(place)].owner != owner { place = assign(owner) }
        touch(place)
        let peer = peers + Int(place)
        let mixed = mix(nonce)
        let tag = max(1, UInt32(truncatingIfNeeded: mixed &>> 32))
        let start = Int(mixed & UInt64(StockDuplicates.places - 1))
        let older = table(place, 1 - Int(peer.pointee.newer))
        if older[find(tag, from: start, in: older)] != 0 { return false }
        var newer = table(place, Int(peer.pointee.newer))
        var free = find(tag, from: start, in: newer)
        if newer[free] != 0 { return false }
        if peer.pointee.entries == StockDuplicates.window {
            peer.pointee.newer = 1 &- peer.pointee.newer
            peer.pointee.entries = 0
            newer = older
            newer.update(repeating: 0, count: StockDuplicates.places)
            free = start
        }
        newer[free] = tag
        peer.pointee.entries &+= 1
        return true
    }

    /// Where the tag stands, or the free place where it belongs. A table is never more than half full.
    @inline(__always)
    private func find(_ tag: UInt32, from start: Int, in table: UnsafeMutablePointer<UInt32>) -> Int {
        var place = start
        while table[place] != 0, table[place] != tag { place = (place &+ 1) & (StockDuplicates.places - 1) }
        return place
    }

    @inline(__always)
    private func table(_ place: UInt32, _ which: Int) -> UnsafeMutablePointer<UInt32> {
        tags + (Int(place) &* 2 &+ which) &* StockDuplicates.places
    }

    /// The place of the peer that was quiet for longest, emptied for a new one.
    private func assign(_ owner: UInt32) -> UInt32 {
        let place = ends[1]
        peers[Int(place)].owner = owner
        peers[Int(place)].newer = 0
        peers[Int(place)].entries = 0
        table(place, 0).initialize(repeating: 0, count: 2 * StockDuplicates.places)
        return place
    }

    /// Moves a peer to the front of the order of use.
    private func touch(_ place: UInt32) {
        guard ends[0] != place else { return }
        let peer = peers + Int(place)
        let (before, after) = (peer.pointee.previous, peer.pointee.next)
        if before != .max { peers[Int(before)].next = after }
        if after != .max { peers[Int(after)].previous = before } else { ends[1] = before }
        peer.pointee.previous = .max
        peer.pointee.next = ends[0]
        peers[Int(ends[0])].previous = place
        ends[0] = place
    }

    @inline(__always)
    private func mix(_ nonce: StockNonce) -> UInt64 {
        var hash = (nonce.prefix ^ key) &* 0x9E37_79B9_7F4A_7C15
        hash ^= hash &>> 29 ^ UInt64(nonce.counter)
        hash = hash &* 0xD6E8_FEB8_6659_FD93
        hash ^= hash &>> 32
        hash = hash &* 0xBF58_476D_1CE4_E5B9
        return hash ^ hash &>> 31
    }
}
