public import HyphaBase

/// An IPv6 prefix: the addresses that share their first `length` bits with `address`.
///
/// Text form: address, slash, length in decimal, "400::/7" (RFC 4291 section 2.3).
/// Order: by address, then by length, so a prefix stands before everything inside it.
public struct Prefix: Hashable, Sendable {
    /// The first address of the prefix: bits beyond `length` are zero.
    public let address: IPv6Address
    /// Bits that count, 0...128.
    public let length: Int

    /// Clears the bits of `address` beyond `length`; `length` is clamped to 0...128.
    @inlinable
    public init(_ address: IPv6Address, length: Int) {
        let length = min(max(length, 0), 128)
        let mask = Prefix.mask(length)
        self.address = IPv6Address(high: address.high & mask.high, low: address.low & mask.low)
        self.length = length
    }

    /// The first `length` bits set; `length` in 0...128.
    @inlinable @inline(__always)
    static func mask(_ length: Int) -> IPv6Address {
        // `<<` and not `&<<`: shifting out all 64 bits must give zero.
        IPv6Address(
            high: ~0 << UInt64(truncatingIfNeeded: 64 &- min(length, 64)),
            low: ~0 << UInt64(truncatingIfNeeded: 128 &- max(length, 64)))
    }

    /// The last address of the prefix.
    @inlinable
    public var lastAddress: IPv6Address {
        let mask = Prefix.mask(length)
        return IPv6Address(high: address.high | ~mask.high, low: address.low | ~mask.low)
    }

    /// Whether `a` is inside.
    @inlinable
    public func contains(_ a: IPv6Address) -> Bool {
        let mask = Prefix.mask(length)
        return (a.high ^ address.high) & mask.high | (a.low ^ address.low) & mask.low == 0
    }
}

extension Prefix: Comparable {
    @inlinable
    public static func < (a: Prefix, b: Prefix) -> Bool {
        a.address != b.address ? a.address < b.address : a.length < b.length
    }
}

extension Prefix: CustomStringConvertible {
    public var description: String { "\(address)/\(length)" }

    /// Parses "400::/7"; nil without a slash, or when the address or the length (decimal, 0...128, no sign and no
    /// leading zero) is malformed. Bits beyond the length are cleared, as by `init(_:length:)`.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let address = IPv6Address(parts[0]) else { return nil }
        let digits = parts[1].utf8
        guard (1...3).contains(digits.count), digits.allSatisfy({ (48...57).contains($0) }),
            digits.count == 1 || digits.first != 48, let length = Int(parts[1]), length <= 128
        else { return nil }
        self.init(address, length: length)
    }
}
