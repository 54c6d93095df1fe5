/// Nonces of one worker for all its stock peers: a random prefix and a counter. Neither is kept per peer, so nothing that
/// is evicted and made again can start over, and neither is shared between workers.
///
/// With 2^16 prefixes drawn (2^48 packets) the chance that two are equal is about 2^-33.
public struct StockNonceSource: Sendable {
    /// Nonces left at which a new prefix should be on its way.
    public static let low: UInt64 = 1 << 20

    private var prefix: UInt64 = 0
    private var used: UInt64 = 1 << 32

    /// Empty: gives nothing before `renew`.
    public init() {}

    /// Nonces left under the current prefix.
    public var remaining: UInt64 { (1 << 32) &- used }

    /// Whether a new prefix is due.
    public var isLow: Bool { remaining < StockNonceSource.low }

    /// Begins with a new prefix, which `StockPrefixes` of all workers know already.
    public mutating func renew(prefix: UInt64) {
        self.prefix = prefix
        used = 0
    }

    /// A nonce that was never given before; nil when the prefix is used up.
    @inline(__always)
    public mutating func next() -> StockNonce? {
        guard used < 1 << 32 else { return nil }
        let nonce = StockNonce(prefix: prefix, counter: UInt32(truncatingIfNeeded: used))
        used &+= 1
        return nonce
    }
}
