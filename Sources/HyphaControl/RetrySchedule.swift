import HyphaBase

/// When an INIT is sent again (docs/protocol.md, "Timers and limits").
enum RetrySchedule {
    /// INITs repeat these bytes for so long; then a new one is made.
    static let sameBytesMilliseconds: UInt64 = 5_000
    /// Between two INITs of a handshake at least.
    static let shortestMilliseconds: UInt64 = 250
    /// A handshake without an answer ends.
    static let giveUpMilliseconds: UInt64 = 90_000
    /// How long the INITs of an eager handshake stay one second apart.
    static let eagerMilliseconds: UInt64 = 30_000

    /// Nanoseconds to the next INIT after `tries` were sent, `elapsed` milliseconds after the first.
    ///
    /// 0.25, 0.5, 1, 2, 5, 5, … s. Eager handshakes, those with configured peers, go on at one second instead, so that
    /// a peer that restarts is found soon after it is back. All within 20 % of that, so that many nodes do not meet.
    static func delay(tries: Int, elapsed: UInt64, eager: Bool, jitter: inout Seed) -> UInt64 {
        let milliseconds: UInt64 =
            switch tries {
            case ...1: shortestMilliseconds
            case 2: 500
            case 3: 1_000
            default:
                if eager {
                    elapsed < eagerMilliseconds ? 1_000 : 5_000
                } else {
                    tries == 4 ? 2_000 : 5_000
                }
            }
        return spread(milliseconds: milliseconds, jitter: &jitter)
    }

    /// `milliseconds` within 20 %, in nanoseconds.
    static func spread(milliseconds: UInt64, jitter: inout Seed) -> UInt64 {
        milliseconds * 1_000 * UInt64.random(in: 800...1_200, using: &jitter)
    }
}
