/// The running hash and key chain of a Noise handshake (The Noise Protocol Framework, revision 34, section 5.2).
///
/// In the pattern used here each key from the chain seals exactly one message, so keys are handed out instead of kept
/// and there is no nonce. A copy shares the key memory, so a step that fails leaves the state before it as it was.
struct SymmetricState: Sendable {
    /// The transcript hash h, 64 bytes. Not secret.
    private(set) var hash: [UInt8]
    /// ck, 64 bytes.
    private var chainingKey: SecretBytes

    /// `protocolName`: at most 64 bytes, so it is padded with zeros and not hashed.
    init(protocolName: StaticString, prologue: [UInt8]) {
        var name = Array("\(protocolName)".utf8)
        name.append(contentsOf: repeatElement(0, count: max(0, BLAKE2b.hashSize - name.count)))
        hash = name
        chainingKey = SecretBytes(name)
        mixHash(prologue)
    }

    mutating func mixHash(_ data: [UInt8]) {
        hash = BLAKE2b.hash(BLAKE2b.hashSize, (hash + data)[...])
    }

    /// Mixes `input` into the chain and returns the key for the next message; its first 32 bytes count.
    @discardableResult
    mutating func mixKey(_ input: SecretBytes) -> SecretBytes {
        let outputs = BLAKE2b.hkdf(chainingKey: chainingKey, input, outputs: 2)
        chainingKey = outputs[0]
        return outputs[1]
    }

    /// As `mixKey`, and into the hash as well: for the pre-shared key.
    mutating func mixKeyAndHash(_ input: SecretBytes) -> SecretBytes {
        let outputs = BLAKE2b.hkdf(chainingKey: chainingKey, input, outputs: 3)
        chainingKey = outputs[0]
        mixHash(outputs[1].copy(offset: 0, count: BLAKE2b.hashSize))
        return outputs[2]
    }

    mutating func encryptAndHash(_ plaintext: [UInt8], key: SecretBytes) -> [UInt8] {
        let sealed = HandshakeAEAD.seal(plaintext, key: key, associatedData: hash)
        mixHash(sealed)
        return sealed
    }

    /// Nil when the seal is not good; the state is then of no further use.
    mutating func decryptAndHash(_ sealed: [UInt8], key: SecretBytes) -> [UInt8]? {
        guard let plaintext = HandshakeAEAD.open(sealed, key: key, associatedData: hash) else { return nil }
        mixHash(sealed)
        return plaintext
    }

    /// The keys from initiator to responder and back; their first 32 bytes count.
    func split() -> (initiatorToResponder: SecretBytes, responderToInitiator: SecretBytes) {
        let outputs = BLAKE2b.hkdf(chainingKey: chainingKey, SecretBytes(zeros: 0), outputs: 2)
        return (outputs[0], outputs[1])
    }
}
