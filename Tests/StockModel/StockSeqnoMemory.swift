/// Who asked for a sequence number and whom we asked for it, with times in milliseconds.
struct StockSeqnoMemory: Sendable {
    var requesters: [Int] = []
    var asked: [Int: UInt64] = [:]
    let first: UInt64
}
