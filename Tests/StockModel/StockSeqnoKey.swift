/// A sequence number of a source that somebody wants.
struct StockSeqnoKey: Hashable, Sendable {
    let source: StockSource
    let seqno: UInt16
}
