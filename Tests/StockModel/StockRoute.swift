/// One neighbour's way to a subnet.
struct StockRoute: Equatable, Sendable {
    /// The link's number.
    let neighbour: Int
    /// 40 bytes, of the origin.
    var routerID: [UInt8]
    /// As received, without the link.
    var metric: UInt16
    var seqno: UInt16
    /// Milliseconds.
    var expiry: UInt64
    var isSelected = false
}
