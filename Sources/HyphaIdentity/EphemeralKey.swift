/// A key pair for one handshake.
struct EphemeralKey: Sendable {
    let secret: SecretBytes
    /// 32 bytes.
    let publicKey: [UInt8]

    /// From 32 random bytes; nil for another size.
    init?(secret: [UInt8]) {
        guard secret.count == X25519.size else { return nil }
        let owned = SecretBytes(secret)
        guard let publicKey = X25519.publicKey(of: owned) else { return nil }
        self.secret = owned
        self.publicKey = publicKey
    }
}
