public import HyphaBase

/// An IPv6 prefix: what a node owns and announces, nearly always a /64.
public struct StockSubnet: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Bits beyond the length are zero.
    public let address: IPv6Address
    /// 0 to 128.
    public let length: Int

    public init(_ address: IPv6Address, _ length: Int) {
        let (high, low) = (min(length, 64), max(length - 64, 0))
        // A shift by 64 gives 0.
        self.address = IPv6Address(high: address.high & ~(.max >> high), low: address.low & ~(.max >> low))
        self.length = length
    }

    /// From the bytes of a TLV, up to 16.
    init(prefix: [UInt8], length: UInt8) {
        let padded = prefix + [UInt8](repeating: 0, count: 16 - prefix.count)
        self.init(IPv6Address(bytes: padded) ?? IPv6Address(high: 0, low: 0), Int(length))
    }

    /// The /64 around an address.
    static func around(_ address: IPv6Address) -> StockSubnet { StockSubnet(address, 64) }

    /// As few bytes as hold the length.
    public var bytes: [UInt8] { Array(address.bytes.prefix((length + 7) / 8)) }

    public func contains(_ other: IPv6Address) -> Bool { StockSubnet(other, length) == self }

    public func contains(_ other: StockSubnet) -> Bool { other.length >= length && contains(other.address) }

    /// Inside 400::/7.
    var isOverlay: Bool { length >= 7 && StockSubnet.isOverlay(address) }

    static func isOverlay(_ address: IPv6Address) -> Bool { address.high >> 57 == 2 }

    public static func < (left: StockSubnet, right: StockSubnet) -> Bool {
        (left.address, left.length) < (right.address, right.length)
    }

    public var description: String { "\(address)/\(length)" }
}
