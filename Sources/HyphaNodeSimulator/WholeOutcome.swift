/// What a run of whole nodes came to.
public struct WholeOutcome: Sendable {
    /// What must never happen, with the time in milliseconds; empty in a good run.
    public internal(set) var violations: [String] = []
    /// Events handled, and datagrams and stretches of streams that crossed the underlay.
    public internal(set) var events = 0
    public internal(set) var messages = 0
    /// Packets that hosts sent, and that arrived.
    public internal(set) var packets = 0
    public internal(set) var delivered = 0
    /// From the repair until the last packet was sent that was not answered, in milliseconds; 0 when all were.
    public internal(set) var recovery: UInt64 = 0
    /// From the start until the last packet was sent that was not answered before the faults, in milliseconds.
    public internal(set) var convergence: UInt64 = 0
    /// What the nodes said and what was done to them, with the time in milliseconds; empty unless it was asked for.
    public internal(set) var lines: [String] = []
    /// Of everything that every node sent and got, in order: equal for equal scenarios.
    public internal(set) var logHash: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func log(_ value: UInt64) {
        logHash = (logHash ^ value) &* 0x0000_0100_0000_01B3
        logHash ^= logHash >> 29
    }

    /// The length and the last bytes stand for all of them: what is sealed ends with a tag over the rest.
    mutating func log(_ bytes: [UInt8]) {
        var word = UInt64(bytes.count) << 48
        for byte in bytes.suffix(8) { word = word << 7 ^ word >> 57 ^ UInt64(byte) }
        log(word)
    }
}
