public import HyphaWire

/// A stock body that opened and passed its checks. Offsets count from the first byte of the payload.
@frozen
public enum StockBody: Equatable, Sendable {
    /// An IPv6 packet with its hop limit set, to be delivered.
    case packet(offset: Int, length: Int)
    /// Content of the message subsystem.
    case message(offset: Int, length: Int)
    /// An ICMPv6 error about a packet of ours. Its quote is opened next, with the key of `target`.
    case report(StockICMP.Report, offset: Int)
    /// An error whose quote is a native packet (`NativePayload`): a hint, nothing more.
    case nativeReport(StockICMP.Report, offset: Int)
    case refused(StockRefusal)
}
