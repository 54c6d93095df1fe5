import HyphaBase

/// Prefixes inside TLVs: ceil(length / 8) bytes.
enum BabelTLVPrefix {
    /// Why a prefix of this encoding and length cannot be read here, nil when it can.
    static func refusal(encoding: UInt8, length: UInt8) -> BabelTLVRefusal? {
        switch encoding {
        case 2: length > 128 ? .prefixLength : nil
        case 0: .wildcard
        case 1: .ipv4Prefix
        default: .addressEncoding
        }
    }

    /// The prefix with the bits beyond `length` cleared, and whether there were any; nil when bytes are missing.
    static func read(_ reader: inout ByteReader, length: UInt8) -> (value: Prefix, strayBits: Bool)? {
        let length = Int(length)
        guard length <= 128, let bytes = reader.take((length + 7) / 8) else { return nil }
        var address = IPv6Address(high: 0, low: 0)
        for (i, byte) in bytes.enumerated() {
            let place = UInt64(truncatingIfNeeded: 56 - 8 * (i % 8))
            if i < 8 { address.high |= UInt64(byte) &<< place } else { address.low |= UInt64(byte) &<< place }
        }
        let prefix = Prefix(address, length: length)
        return (prefix, prefix.address != address)
    }
}

extension [UInt8] {
    mutating func appendNetworkUInt16(_ value: UInt16) {
        append(UInt8(truncatingIfNeeded: value >> 8))
        append(UInt8(truncatingIfNeeded: value))
    }

    mutating func appendNetworkUInt64(_ value: UInt64) {
        for shift in stride(from: 56 as UInt64, through: 0, by: -8) {
            append(UInt8(truncatingIfNeeded: value &>> shift))
        }
    }

    mutating func appendPrefix(_ prefix: Prefix) {
        for i in 0..<(prefix.length + 7) / 8 {
            let half = i < 8 ? prefix.address.high : prefix.address.low
            append(UInt8(truncatingIfNeeded: half &>> UInt64(truncatingIfNeeded: 56 - 8 * (i % 8))))
        }
    }
}
