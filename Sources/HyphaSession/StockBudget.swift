public import HyphaBase

/// How many stock bodies may pass between peers that both speak native: at most 64 packets and for at most 2 s from the
/// first, a minute. What an attacker can force out of forward secrecy is bounded by this.
@frozen
public struct StockBudget: Equatable, BitwiseCopyable, Sendable {
    public static let packets: UInt32 = 64
    public static let openMilliseconds: UInt64 = 2_000
    public static let periodMilliseconds: UInt64 = 60_000

    /// When the minute began; zero for none yet.
    private var began = Instant.zero
    private var used: UInt32 = 0

    public init() {}

    /// Takes one packet; false when the budget of this minute is used up.
    public mutating func take(now: Instant) -> Bool {
        if began != .zero, now < began.advanced(byMilliseconds: StockBudget.periodMilliseconds) {
            guard used < StockBudget.packets, now < began.advanced(byMilliseconds: StockBudget.openMilliseconds) else {
                return false
            }
            used += 1
            return true
        }
        began = now
        used = 1
        return true
    }
}
