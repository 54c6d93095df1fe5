import CAEAD
public import HyphaBase

/// Keys shared with stock peers, by the address of the peer's public key. A key is computed (one X25519) when it is first
/// needed and kept until others push it out: the least recently used goes first, wiped.
///
/// A slot that `find` or `insert` returned stays valid for at least the next `capacity` - 1 calls of `insert`. A handle:
/// copies share the memory; single-threaded. About 1,250 bytes a key, touched when used.
public struct StockKeys {
    /// What a worker keeps about a peer beside its key.
    public struct Peer: BitwiseCopyable, Sendable {
        public let address: IPv6Address
        /// Bodies sealed and opened since the key was last computed.
        public var exposure = StockExposure()
        /// The peer's place among `StockDuplicates`.
        public var duplicates: UInt32 = .max
        fileprivate var previous: UInt32 = .max
        fileprivate var next: UInt32 = .max
        fileprivate var nextInChain: UInt32 = .max
    }

    public let capacity: Int
    private let keys: UnsafeMutableRawPointer
    private let peers: UnsafeMutablePointer<Peer>
    private let chains: UnsafeMutablePointer<UInt32>
    private let chainBits: UInt64
    /// [0] keys held, [1] the peer used last, [2] the one unused for longest.
    private let state: UnsafeMutablePointer<UInt32>
    private let hashKey: UInt64

    /// Room for `capacity` keys, at most 65,536. `hashKey` is random, so that nobody can choose addresses that collide.
    public init(capacity: Int, hashKey: UInt64) {
        let count = max(1, min(capacity, 65_536))
        var bits: UInt64 = 1
        while 1 << bits < count { bits += 1 }
        self.capacity = count
        self.hashKey = hashKey
        chainBits = bits
        keys = .allocate(byteCount: count * Int(CAEAD_KEY_SIZE), alignment: 64)
        peers = .allocate(capacity: count)
        chains = .allocate(capacity: 1 << Int(bits))
        chains.initialize(repeating: .max, count: 1 << Int(bits))
        state = .allocate(capacity: 3)
        state[0] = 0
        state[1] = .max
        state[2] = .max
    }

    /// Wipes all keys and frees the memory.
    public func deallocate() {
        for slot in 0..<count { caead_key_wipe(key(UInt32(slot))) }
        keys.deallocate()
        peers.deallocate()
        chains.deallocate()
        state.deallocate()
    }

    /// Keys held.
    public var count: Int { Int(state[0]) }

    /// The expanded key of a slot.
    @inline(__always)
    public func key(_ slot: UInt32) -> UnsafeMutableRawPointer { keys + Int(slot) &* Int(CAEAD_KEY_SIZE) }

    @inline(__always)
    public func peer(_ slot: UInt32) -> UnsafeMutablePointer<Peer> { peers + Int(slot) }

    /// The slot of a peer's key, which counts as used; nil when it must be computed.
    public func find(_ address: IPv6Address) -> UInt32? {
        var slot = chains[chain(address)]
        while slot != .max, peers[Int(slot)].address != address { slot = peers[Int(slot)].nextInChain }
        guard slot != .max else { return nil }
        if state[1] != slot {
            unlink(slot)
            linkFirst(slot)
        }
        return slot
    }

    /// Expands the 32 bytes of `secret` for a peer, in place of the key that was unused for longest if there is no room, or
    /// of the peer's own. The caller wipes `secret`.
    public func insert(_ address: IPv6Address, secret: UnsafePointer<UInt8>, _ context: OpaquePointer) -> UInt32 {
        let slot: UInt32
        if let own = find(address) {
            slot = own
            caead_key_wipe(key(slot))
        } else {
            if count < capacity {
                slot = state[0]
                state[0] &+= 1
            } else {
                slot = state[2]
                unlink(slot)
                unchain(slot)
                caead_key_wipe(key(slot))
            }
            (peers + Int(slot)).initialize(to: Peer(address: address))
            linkFirst(slot)
            let chain = chain(address)
            peers[Int(slot)].nextInChain = chains[chain]
            chains[chain] = slot
        }
        caead_key_init(context, key(slot), Int32(CAEAD_SUITE_AES_256_GCM), secret)
        return slot
    }

    private func linkFirst(_ slot: UInt32) {
        peers[Int(slot)].previous = .max
        peers[Int(slot)].next = state[1]
        if state[1] != .max { peers[Int(state[1])].previous = slot } else { state[2] = slot }
        state[1] = slot
    }

    private func unlink(_ slot: UInt32) {
        let (before, after) = (peers[Int(slot)].previous, peers[Int(slot)].next)
        if before != .max { peers[Int(before)].next = after } else { state[1] = after }
        if after != .max { peers[Int(after)].previous = before } else { state[2] = before }
    }

    private func unchain(_ slot: UInt32) {
        let chain = chain(peers[Int(slot)].address)
        let after = peers[Int(slot)].nextInChain
        if chains[chain] == slot {
            chains[chain] = after
            return
        }
        var before = chains[chain]
        while before != .max {
            if peers[Int(before)].nextInChain == slot {
                peers[Int(before)].nextInChain = after
                return
            }
            before = peers[Int(before)].nextInChain
        }
    }

    @inline(__always)
    private func chain(_ address: IPv6Address) -> Int {
        var hash = (address.high ^ hashKey) &* 0x9E37_79B9_7F4A_7C15
        hash = (hash ^ hash &>> 32 ^ address.low) &* 0xD6E8_FEB8_6659_FD93
        return Int(truncatingIfNeeded: hash &>> (64 &- chainBits))
    }
}
