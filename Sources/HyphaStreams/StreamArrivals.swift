public import HyphaBase

/// How fast connections may come in from one address: an IPv4 address, or an IPv6 /64 on one interface. Whoever comes faster
/// is turned away before anybody works for it.
///
/// A bucket of `burst` connections that fills by `rate` in a second, for each of `places` classes of addresses. Addresses
/// share a class by chance, which `key` hides: nobody can choose one that shares it with another. Burst and rate are for
/// many nodes behind one translated address that come back at the same time. A handle: copies share the memory (32 bytes a
/// class); single-threaded.
public struct StreamArrivals {
    public static let rate: UInt64 = 10
    public static let burst: UInt64 = 64
    /// A power of two.
    static let places = 4_096

    private let buckets: UnsafeMutablePointer<TokenBucket>
    private let key: UInt64

    /// All buckets full at `now`.
    public init(key: UInt64, now: Instant = .zero) {
        self.key = key
        buckets = .allocate(capacity: StreamArrivals.places)
        buckets.initialize(
            repeating: TokenBucket(rate: StreamArrivals.rate, burst: StreamArrivals.burst, now: now),
            count: StreamArrivals.places)
    }

    public func deallocate() { buckets.deallocate() }

    /// Whether a connection of `remote` may come in now. One that may not counts for nothing.
    public func admits(_ remote: SocketAddress, now: Instant) -> Bool {
        (buckets + place(remote)).pointee.take(now: now)
    }

    private func place(_ remote: SocketAddress) -> Int {
        let group = remote.isIPv4 ? remote.address.low : remote.address.high
        var hash = group ^ key
        hash = (hash ^ hash &>> 32 ^ UInt64(remote.isIPv4 ? 0 : remote.scope)) &* 0x9E37_79B9_7F4A_7C15
        hash = (hash ^ hash &>> 29 ^ key) &* 0xBF58_476D_1CE4_E5B9
        return Int(truncatingIfNeeded: (hash ^ hash &>> 32) & UInt64(StreamArrivals.places &- 1))
    }
}
