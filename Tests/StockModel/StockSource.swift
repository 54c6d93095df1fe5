/// Whose sequence numbers are compared: a subnet by one router id.
struct StockSource: Hashable, Sendable {
    let subnet: StockSubnet
    let routerID: [UInt8]
}
