/// How often nonces of a stock peer may have met. Its random 96-bit nonces can equal each other and ours, under one key that
/// never changes; the chance is about received x (received / 2 + sent) / 2^96. We cannot mend that, but say when it is no
/// longer negligible.
@frozen
public struct StockExposure: Equatable, BitwiseCopyable, Sendable {
    /// Bodies sealed for the peer.
    public var sent: UInt64
    /// Bodies of the peer that opened.
    public var received: UInt64

    @inlinable
    public init(sent: UInt64 = 0, received: UInt64 = 0) {
        self.sent = sent
        self.received = received
    }

    /// Whether it is time to look at `isHigh`: once in 65,536 bodies of the peer.
    @inlinable @inline(__always)
    public var isCheckDue: Bool { received & 0xFFFF == 0 }

    /// Whether the chance passed 2^-33: worth a warning.
    public var isHigh: Bool {
        let (others, overflow) = (received / 2).addingReportingOverflow(sent)
        let product = received.multipliedFullWidth(by: overflow ? .max : others)
        return product.high > 0 || product.low > 1 << 63
    }
}
