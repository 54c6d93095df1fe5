import CSodium

/// X25519 (RFC 7748).
enum X25519 {
    /// Size of secret scalars, public keys and results in bytes.
    static let size = 32

    /// The public key of `secret` (32 bytes; clamped inside), nil when it has none.
    static func publicKey(of secret: SecretBytes) -> [UInt8]? {
        var out = [UInt8](repeating: 0, count: size)
        let result = unsafe secret.withPointer { unsafe crypto_scalarmult_base(&out, $0) }
        return result == 0 ? out : nil
    }

    /// The shared secret with `publicKey` (32 bytes), nil when it is zero: then the other key is one of the few points
    /// that contribute nothing.
    static func sharedSecret(_ secret: SecretBytes, _ publicKey: [UInt8]) -> SecretBytes? {
        guard secret.count == size, publicKey.count == size else { return nil }
        var result: Int32 = -1
        let shared = unsafe SecretBytes(count: size) { out in
            unsafe secret.withPointer { secret in
                unsafe result = crypto_scalarmult(out, secret, publicKey)
            }
        }
        return result == 0 ? shared : nil
    }
}
