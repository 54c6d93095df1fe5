/// That a subnet was asked for: with which generation, which peers there were, and when in milliseconds.
struct StockRequestMemory: Sendable {
    var generation: UInt8
    var peers: Set<Int>
    var time: UInt64
}
