public import HyphaBase

/// A data packet between its ends.
public struct StockDatagram: Equatable, Sendable {
    public var hopLimit: UInt8
    public var source: IPv6Address
    public var destination: IPv6Address
    /// Ciphertext, tag 16, nonce 12.
    public var payload: [UInt8]

    public init(hopLimit: UInt8, source: IPv6Address, destination: IPv6Address, payload: [UInt8]) {
        self.hopLimit = hopLimit
        self.source = source
        self.destination = destination
        self.payload = payload
    }
}
