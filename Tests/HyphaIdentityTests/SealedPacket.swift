import CSodium

/// Opens data packets with libsodium alone, to see that lane keys are what the packets of the vectors were sealed with.
enum SealedPacket {
    /// 4 zero bytes and the counter, lowest byte first.
    static func nonce(counter: UInt64) -> [UInt8] {
        [0, 0, 0, 0] + (0..<8).map { UInt8(truncatingIfNeeded: counter >> UInt64(8 * $0)) }
    }

    /// The plaintext, nil when the seal is not good. Suite 2 needs a processor with AES instructions.
    static func open(
        suite: UInt8, key: [UInt8], nonce: [UInt8], sealed: [UInt8], associatedData: [UInt8]
    ) -> [UInt8]? {
        guard sealed.count >= 16 else { return nil }
        var out = [UInt8](repeating: 0, count: sealed.count - 16)
        let open =
            suite == 2 ? crypto_aead_aes256gcm_decrypt : crypto_aead_chacha20poly1305_ietf_decrypt
        let result = open(
            &out, nil, nil, sealed, UInt64(sealed.count), associatedData, UInt64(associatedData.count), nonce, key)
        return result == 0 ? out : nil
    }

    static func canOpen(suite: UInt8) -> Bool {
        suite == 1 || (sodium_init() >= 0 && crypto_aead_aes256gcm_is_available() == 1)
    }
}
