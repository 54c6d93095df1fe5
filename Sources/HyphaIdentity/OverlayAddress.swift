public import HyphaBase

/// Overlay addresses: 400::/7, derived from public keys so that nobody assigns them.
public enum OverlayAddress {
    /// The address of a 32-byte public key: the first 16 bytes of its BLAKE3 hash, with byte 0 replaced by 0x04 or 0x05
    /// for an even or odd number of ones in it. For anything but 32 bytes it is ::, which belongs to no key.
    public static func address(of publicKey: [UInt8]) -> IPv6Address {
        let nobody = IPv6Address(high: 0, low: 0)
        guard publicKey.count == PublicKey.size, var hash = BLAKE3.hash(publicKey) else { return nobody }
        hash[0] = 0x04 | UInt8(truncatingIfNeeded: hash[0].nonzeroBitCount & 1)
        return IPv6Address(bytes: hash.prefix(16)) ?? nobody
    }

    /// The /64 that the owner of an address may use: the address with its lower 8 bytes zero.
    public static func prefix64(_ address: IPv6Address) -> IPv6Address {
        IPv6Address(high: address.high, low: 0)
    }
}
