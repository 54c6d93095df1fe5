/// What a simulated run came to.
public struct Outcome: Sendable {
    /// What must never happen, with the time in milliseconds; empty in a good run.
    public var violations: [String] = []
    /// Events handled, entries of control messages delivered.
    public var events = 0
    public var messages = 0
    /// Of everything that every node did, in order: equal for equal scenarios.
    public var logHash: UInt64 = 0xCBF2_9CE4_8422_2325
    public var measurement = Measurement()

    mutating func log(_ value: UInt64) {
        logHash = (logHash ^ value) &* 0x0000_0100_0000_01B3
        logHash ^= logHash >> 29
    }
}
