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
        let padded = Array(bytes) + [UInt8](repeating: 0, count: 16 - bytes.count)
        guard let address = IPv6Address(bytes: padded) else { return nil }
        let prefix = Prefix(address, length: length)
        return (prefix, prefix.address != address)
    }
}

extension [UInt8] {
    mutating func appendNetworkUInt16(_ value: UInt16) {
        append(UInt8(truncatingIfNeeded: value >> 8))
        append(UInt8(truncatingIfNeeded: value))
    }

    mutating func appendPrefix(_ prefix: Prefix) {
        append(contentsOf: prefix.address.bytes.prefix((prefix.length + 7) / 8))
    }
}
