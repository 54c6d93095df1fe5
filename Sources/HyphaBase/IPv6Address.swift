/// An IPv6 address: 16 bytes as two numbers whose big-endian bytes are the address.
///
/// Text form: RFC 5952 on output; RFC 4291 section 2.2 on input, with an IPv4 tail allowed.
@frozen
public struct IPv6Address: Hashable, Comparable, BitwiseCopyable, Sendable {
    /// Bytes 0 to 7 as a number.
    public var high: UInt64
    /// Bytes 8 to 15 as a number.
    public var low: UInt64

    @inlinable @inline(__always)
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Reads 16 bytes at `bytes`, any alignment.
    @inlinable @inline(__always)
    public init(loading bytes: UnsafeRawPointer) {
        high = UInt64(bigEndian: unsafe bytes.loadUnaligned(as: UInt64.self))
        low = UInt64(bigEndian: unsafe bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }

    /// Writes 16 bytes at `bytes`, any alignment.
    @inlinable @inline(__always)
    public func store(to bytes: UnsafeMutableRawPointer) {
        unsafe bytes.storeBytes(of: high.bigEndian, as: UInt64.self)
        unsafe bytes.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
    }

    /// The 16 bytes in network order.
    public var bytes: [UInt8] {
        var out = [UInt8](repeating: 0, count: 16)
        for i in 0..<8 {
            out[i] = UInt8(truncatingIfNeeded: high &>> UInt64(56 - 8 * i))
            out[8 + i] = UInt8(truncatingIfNeeded: low &>> UInt64(56 - 8 * i))
        }
        return out
    }

    /// From exactly 16 bytes in network order, else nil.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 16 else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for (i, byte) in bytes.enumerated() {
            if i < 8 { high = high &<< 8 | UInt64(byte) } else { low = low &<< 8 | UInt64(byte) }
        }
        self.init(high: high, low: low)
    }

    @inlinable
    public static func < (a: IPv6Address, b: IPv6Address) -> Bool {
        a.high != b.high ? a.high < b.high : a.low < b.low
    }

    /// ::ffff:a.b.c.d, the form in which IPv4 addresses travel (RFC 4291 section 2.5.5.2).
    @inlinable
    public static func mapped(ipv4: UInt32) -> IPv6Address {
        IPv6Address(high: 0, low: 0x0000_FFFF_0000_0000 | UInt64(ipv4))
    }

    /// The IPv4 address inside ::ffff:0:0/96, host order, else nil.
    @inlinable
    public var mappedIPv4: UInt32? {
        high == 0 && low &>> 32 == 0xFFFF ? UInt32(truncatingIfNeeded: low) : nil
    }
}

extension IPv6Address: CustomStringConvertible {
    /// Group `i` of 0..<8.
    private func group(_ i: Int) -> UInt16 {
        UInt16(truncatingIfNeeded: (i < 4 ? high : low) &>> UInt64(48 - 16 * (i & 3)))
    }

    public var description: String {
        if let v4 = mappedIPv4 {
            return "::ffff:\(v4 >> 24).\(v4 >> 16 & 255).\(v4 >> 8 & 255).\(v4 & 255)"
        }
        // The longest run of two or more zero groups, the first of equals, becomes "::".
        var best = (start: 8, length: 1)
        var i = 0
        while i < 8 {
            var length = 0
            while i + length < 8, group(i + length) == 0 { length += 1 }
            if length > best.length { best = (i, length) }
            i += max(1, length)
        }
        var text = ""
        i = 0
        while i < 8 {
            if i == best.start {
                text += "::"
                i += best.length
                continue
            }
            if !text.isEmpty, !text.hasSuffix(":") { text += ":" }
            text += String(group(i), radix: 16)
            i += 1
        }
        return text
    }

    /// Parses the text form; nil when it is not an IPv6 address. Zone identifiers are not accepted.
    public init?(_ text: some StringProtocol) {
        var head: [UInt16] = []
        var tail: [UInt16] = []
        var compressed = false
        var parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count >= 3, parts.count <= 9 else { return nil }
        if parts[0].isEmpty {
            guard parts[1].isEmpty else { return nil }
            parts.removeFirst()
        }
        if let last = parts.last, last.isEmpty {
            guard parts.count >= 2, parts[parts.count - 2].isEmpty else { return nil }
            parts.removeLast()
        }
        for (i, part) in parts.enumerated() {
            if part.isEmpty {
                guard !compressed else { return nil }
                compressed = true
                continue
            }
            var groups: [UInt16] = []
            if part.contains(".") {
                guard i == parts.count - 1, let v4 = IPv6Address.parseIPv4(part) else { return nil }
                groups = [UInt16(truncatingIfNeeded: v4 >> 16), UInt16(truncatingIfNeeded: v4)]
            } else {
                guard part.utf8.count <= 4, part.allSatisfy(\.isHexDigit), let value = UInt16(part, radix: 16) else {
                    return nil
                }
                groups = [value]
            }
            if compressed { tail += groups } else { head += groups }
        }
        let count = head.count + tail.count
        guard compressed ? count <= 7 : count == 8 else { return nil }
        let all = head + [UInt16](repeating: 0, count: 8 - count) + tail
        var high: UInt64 = 0
        var low: UInt64 = 0
        for i in 0..<4 {
            high = high &<< 16 | UInt64(all[i])
            low = low &<< 16 | UInt64(all[4 + i])
        }
        self.init(high: high, low: low)
    }

    /// Dotted decimal without leading zeros, host order; nil when malformed.
    public static func parseIPv4(_ text: some StringProtocol) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var value: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.utf8.count), part.utf8.allSatisfy({ (48...57).contains($0) }),
                part.utf8.count == 1 || part.utf8.first != 48, let byte = UInt8(part)
            else { return nil }
            value = value << 8 | UInt32(byte)
        }
        return value
    }
}
