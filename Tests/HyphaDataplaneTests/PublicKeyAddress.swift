import HyphaBase
import HyphaIdentity

/// The overlay address of 32 bytes of public key.
enum PublicKeyAddress {
    static func of(_ key: [UInt8]) -> IPv6Address? { PublicKey(bytes: key)?.address }
}
