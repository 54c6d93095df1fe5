import HyphaBase
import HyphaPacket
import HyphaWire

/// What the Hellos on one TCP link are answered with, and how often at most.
struct HelloAnswer {
    /// As many as the router takes of one neighbour.
    static let perSecond: UInt64 = 50
    static let atOnce: UInt64 = 200

    /// Control has said what to answer.
    private(set) var isGiven = false
    private var receiveCost: UInt16 = 0
    private var interval: UInt16 = 0
    private var limit = TokenBucket(rate: HelloAnswer.perSecond, burst: HelloAnswer.atOnce)

    /// The answer from now on; `interval` in centiseconds.
    mutating func set(receiveCost: UInt16, interval: UInt16) {
        isGiven = true
        self.receiveCost = receiveCost
        self.interval = interval
    }

    /// Whether one more Hello may be answered.
    mutating func mayAnswer(now: Instant) -> Bool { limit.take(now: now) }

    /// Calls `body` with the frame of the answer.
    @inline(__always)
    func withFrame<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        var frame: (UInt64, UInt64) = (0, 0)
        return withUnsafeMutableBytes(of: &frame) { bytes in
            // Never empty: 16 bytes.
            StockFrame.writeIHU(bytes.baseAddress.unsafelyUnwrapped, receiveCost: receiveCost, interval: interval)
            return body(UnsafeRawBufferPointer(bytes))
        }
    }
}
