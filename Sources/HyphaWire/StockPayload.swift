/// Where things stand in the end-to-end sealed payload of a stock data packet: AES-256-GCM without associated data, tag
/// and nonce behind it.
///
/// | off | size | field |
/// |---|---|---|
/// | 0 | 4 | `StockUserHeader`, sealed |
/// | 4 | N | content, sealed |
/// | 4 + N | 16 | tag |
/// | 20 + N | 12 | nonce |
public enum StockPayload {
    public static let tagSize = 16
    public static let nonceSize = 12
    /// Bytes of a payload beside its content; also the smallest payload.
    public static let overhead = StockUserHeader.size + tagSize + nonceSize

    /// Bytes of the sealed part (user header and content) of a payload; nil when it is too short to be one.
    @inlinable @inline(__always)
    public static func sealedLength(_ payloadLength: Int) -> Int? {
        payloadLength >= overhead ? payloadLength &- tagSize &- nonceSize : nil
    }
}
