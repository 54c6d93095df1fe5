public import HyphaBase

/// A node's own key pair and what follows from it. Copies share the secret, which is wiped with the last of them.
///
/// The program calls `sodium_init()` once before; without it everything works, slower.
public struct NodeIdentity: Sendable {
    /// The public half.
    public let publicKey: PublicKey
    /// The node's own overlay address.
    public let address: IPv6Address
    let secret: SecretBytes
    /// Key of the reset tokens, 32 bytes.
    let resetKey: SecretBytes
    /// The tag that the two keys below are for.
    private let tag: [UInt8]
    private let linkMAC1Key: [UInt8]
    private let endToEndMAC1Key: [UInt8]

    /// Derives everything from the 32 bytes of `secret`, which the caller wipes; nil for another size.
    ///
    /// `network` is the one that the node is a member of: the keys that check mac1 in it are made here, once. Handshakes
    /// with other networks work and make theirs on each call.
    public init?(secret: [UInt8], network: NetworkKeys = .open) {
        guard secret.count == X25519.size else { return nil }
        let owned = SecretBytes(secret)
        guard let bytes = X25519.publicKey(of: owned), let publicKey = PublicKey(bytes: bytes) else { return nil }
        self.secret = owned
        self.publicKey = publicKey
        address = publicKey.address
        resetKey = BLAKE2b.derive(32, key: owned, Array("hypha reset 1".utf8))
        tag = network.tag
        linkMAC1Key = HandshakeScope.link.mac1Key(to: publicKey, tag: network.tag)
        endToEndMAC1Key = HandshakeScope.endToEnd(initiator: address, responder: address)
            .mac1Key(to: publicKey, tag: network.tag)
    }

    /// Key of mac1 in messages to this node, 32 bytes.
    func mac1Key(scope: HandshakeScope, tag: [UInt8]) -> [UInt8] {
        guard tag == self.tag else { return scope.mac1Key(to: publicKey, tag: tag) }
        return scope.isLink ? linkMAC1Key : endToEndMAC1Key
    }
}

extension NodeIdentity {
    /// Lends the 32 bytes that this node and the owner of `key` share: the X25519 result as it is, which stock nodes use as
    /// their AES-256-GCM key, the same for both directions and for the life of both identities. Wiped afterwards. Nil, and
    /// nothing called, for the few keys whose result is zero.
    public func withStockSecret<Result>(
        with key: PublicKey, _ body: (UnsafePointer<UInt8>) -> Result
    ) -> Result? {
        guard let shared = X25519.sharedSecret(secret, key.bytes) else { return nil }
        return unsafe shared.withPointer(body)
    }
}

extension NodeIdentity: CustomStringConvertible {
    /// The public key.
    public var description: String { publicKey.hex }
}
