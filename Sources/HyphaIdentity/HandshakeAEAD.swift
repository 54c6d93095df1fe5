import CSodium

/// ChaCha20-Poly1305 (RFC 8439) with a nonce of zero: every key of the handshake seals one message.
enum HandshakeAEAD {
    /// Size of the tag behind every sealed text, in bytes.
    static let tagSize = Int(crypto_aead_chacha20poly1305_ietf_ABYTES)
    private static let nonce = [UInt8](repeating: 0, count: Int(crypto_aead_chacha20poly1305_ietf_NPUBBYTES))

    /// Ciphertext and tag. The key is the first 32 bytes of `key`.
    static func seal(_ plaintext: [UInt8], key: SecretBytes, associatedData: [UInt8]) -> [UInt8] {
        var out = [UInt8](repeating: 0, count: plaintext.count + tagSize)
        unsafe key.withPointer { key in
            _ = unsafe crypto_aead_chacha20poly1305_ietf_encrypt(
                &out, nil, plaintext, UInt64(plaintext.count), associatedData, UInt64(associatedData.count), nil,
                nonce, key)
        }
        return out
    }

    /// The plaintext, nil unless the seal is good. The key is the first 32 bytes of `key`.
    static func open(_ sealed: [UInt8], key: SecretBytes, associatedData: [UInt8]) -> [UInt8]? {
        guard sealed.count >= tagSize else { return nil }
        var out = [UInt8](repeating: 0, count: sealed.count - tagSize)
        let result = unsafe key.withPointer { key in
            unsafe crypto_aead_chacha20poly1305_ietf_decrypt(
                &out, nil, nil, sealed, UInt64(sealed.count), associatedData, UInt64(associatedData.count),
                nonce, key)
        }
        return result == 0 ? out : nil
    }
}
