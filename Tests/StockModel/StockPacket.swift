/// What a stock node reads out of a stream.
public enum StockPacket: Equatable, Sendable {
    /// A data packet: hop limit, addresses of 16 bytes, payload.
    case data(hopLimit: UInt8, source: [UInt8], destination: [UInt8], payload: [UInt8])
    case hello
    case ihu
    case update(prefix: [UInt8], length: UInt8, seqno: UInt16, metric: UInt16, interval: UInt16, routerID: [UInt8])
    /// An empty prefix with length 0 asks for everything; ::/0 comes as 16 zero bytes.
    case routeRequest(generation: UInt8, prefix: [UInt8], length: UInt8)
    case seqnoRequest(prefix: [UInt8], length: UInt8, seqno: UInt16, hopCount: UInt8, routerID: [UInt8])
}
