internal import CSodium
public import HyphaBase
internal import HyphaIdentity

/// A node's key pair, its address and what it announces.
public struct StockIdentity: Sendable {
    private let secret: [UInt8]
    public let publicKey: [UInt8]
    /// 16 bytes of the key's hash.
    public let address: IPv6Address
    /// The /64 around the address.
    public let subnet: StockSubnet
    /// Public key 32, zone 2, random 6.
    public let routerID: [UInt8]

    /// `secret` has 32 bytes, `random` those 6 that differ with every start.
    public init?(secret: [UInt8], random: [UInt8]) {
        guard secret.count == 32, random.count == 6 else { return nil }
        var key = [UInt8](repeating: 0, count: 32)
        guard crypto_scalarmult_base(&key, secret) == 0 else { return nil }
        self.secret = secret
        publicKey = key
        address = StockIdentity.address(of: key)
        subnet = .around(address)
        routerID = key + [0, 0] + random
    }

    /// The address of a public key, or of a router id, which begins with one.
    public static func address(of key: [UInt8]) -> IPv6Address { OverlayAddress.address(of: Array(key.prefix(32))) }

    /// What both ends compute: the bare X25519 result, the same in both directions. Keys that contribute nothing are not
    /// refused: theirs is zero.
    public func sharedSecret(with key: [UInt8]) -> [UInt8] {
        var shared = [UInt8](repeating: 0, count: 32)
        if crypto_scalarmult(&shared, secret, Array(key.prefix(32))) != 0 { return [UInt8](repeating: 0, count: 32) }
        return shared
    }

    /// What seals and opens packets between this node and the owner of a public key or router id.
    public func cipher(with key: [UInt8]) -> StockCipher? { StockCipher(key: sharedSecret(with: key)) }
}
