import HyphaBase

/// The source of the stock frame looked at last: neighbouring frames often share it.
struct StockSender {
    var address = IPv6Address(high: 0, low: 0)
    var isKnown = false
    /// Its peer; max for none.
    var peer: UInt32 = .max
    var answer = StockKeyAnswer.none

    /// Finds peer and key of a source.
    @inline(never)
    mutating func look(_ source: IPv6Address, _ stock: inout StockEnds, _ context: borrowing StageContext) {
        address = source
        isKnown = true
        peer = .max
        answer = .none
        guard source.high != context.ownAddress.high, let id = stock.peer(of: source, context),
            let record = context.peers[id]
        else { return }
        peer = id
        answer = stock.key(for: record, context)
    }
}
