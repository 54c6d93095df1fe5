import CSodium

/// SipHash-2-4 with 128 bits of output.
enum SipHash {
    /// Size of the key and of the hash in bytes.
    static let size = 16

    /// The hash of `data`. `key`: 16 bytes, anything else is a programming error.
    static func hash128(key: [UInt8], _ data: [UInt8]) -> [UInt8] {
        precondition(key.count == size, "SipHash keys have 16 bytes")
        var out = [UInt8](repeating: 0, count: size)
        _ = unsafe crypto_shorthash_siphashx24(&out, data, UInt64(data.count), key)
        return out
    }
}
