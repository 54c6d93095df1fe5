/// What the source table keeps: the best that was sent for a source.
struct StockDistance: Sendable {
    var seqno: UInt16
    var metric: UInt16
    /// Milliseconds.
    var refreshed: UInt64
}
