/// A packet that waits for a route.
enum StockWaiting: Sendable {
    /// The host's, as it came out of the TUN.
    case own([UInt8])
    /// Another node's, its hop limit decremented.
    case relayed(StockDatagram)
}
