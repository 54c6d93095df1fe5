/// The two messages of Noise_IKpsk2_25519_ChaChaPoly_BLAKE2b, without the headers and MACs around them.
///
/// ```
/// <- s
/// -> e, es, s, ss      e 32 | s sealed 48 | payload sealed
/// <- e, ee, se, psk    e 32 | payload sealed
/// ```
enum NoiseIK {
    private static let protocolName: StaticString = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2b"
    private static let sealedKeySize = X25519.size + HandshakeAEAD.tagSize

    /// Message 1 and the state behind it; nil when a shared secret is zero.
    static func writeFirst(
        prologue: [UInt8], identity: NodeIdentity, peer: PublicKey, ephemeral: EphemeralKey, payload: [UInt8]
    ) -> (message: [UInt8], state: SymmetricState)? {
        var state = SymmetricState(protocolName: protocolName, prologue: prologue)
        let peerBytes = peer.bytes
        state.mixHash(peerBytes)
        mixEphemeral(ephemeral.publicKey, into: &state)
        guard let es = X25519.sharedSecret(ephemeral.secret, peerBytes),
            let ss = X25519.sharedSecret(identity.secret, peerBytes)
        else { return nil }
        let keyForStatic = state.mixKey(es)
        let sealedStatic = state.encryptAndHash(identity.publicKey.bytes, key: keyForStatic)
        let keyForPayload = state.mixKey(ss)
        let sealedPayload = state.encryptAndHash(payload, key: keyForPayload)
        return (ephemeral.publicKey + sealedStatic + sealedPayload, state)
    }

    /// What message 1 holds; nil when it is too short, a seal is not good, a shared secret is zero, or `accepts`
    /// refuses the initiator's key, which is asked between the first and the second scalar multiplication.
    static func readFirst(
        prologue: [UInt8], identity: NodeIdentity, message: [UInt8], accepts: (PublicKey) -> Bool
    ) -> (initiator: PublicKey, ephemeral: [UInt8], payload: [UInt8], state: SymmetricState)? {
        guard message.count >= X25519.size + sealedKeySize + HandshakeAEAD.tagSize else { return nil }
        let ephemeral = Array(message[..<X25519.size])
        let sealedStatic = Array(message[X25519.size..<X25519.size + sealedKeySize])
        let sealedPayload = Array(message[(X25519.size + sealedKeySize)...])
        guard let es = X25519.sharedSecret(identity.secret, ephemeral) else { return nil }
        var state = SymmetricState(protocolName: protocolName, prologue: prologue)
        state.mixHash(identity.publicKey.bytes)
        mixEphemeral(ephemeral, into: &state)
        let keyForStatic = state.mixKey(es)
        guard let initiatorBytes = state.decryptAndHash(sealedStatic, key: keyForStatic),
            let initiator = PublicKey(bytes: initiatorBytes), accepts(initiator),
            let ss = X25519.sharedSecret(identity.secret, initiatorBytes)
        else { return nil }
        let keyForPayload = state.mixKey(ss)
        guard let payload = state.decryptAndHash(sealedPayload, key: keyForPayload) else { return nil }
        return (initiator, ephemeral, payload, state)
    }

    /// Message 2 and the state behind it, given the state after message 1; nil when a shared secret is zero.
    static func writeSecond(
        after first: SymmetricState, ephemeral: EphemeralKey, initiator: PublicKey, initiatorEphemeral: [UInt8],
        psk: SecretBytes, payload: [UInt8]
    ) -> (message: [UInt8], state: SymmetricState)? {
        guard let ee = X25519.sharedSecret(ephemeral.secret, initiatorEphemeral),
            let se = X25519.sharedSecret(ephemeral.secret, initiator.bytes)
        else { return nil }
        var state = first
        mixEphemeral(ephemeral.publicKey, into: &state)
        state.mixKey(ee)
        state.mixKey(se)
        let key = state.mixKeyAndHash(psk)
        let sealedPayload = state.encryptAndHash(payload, key: key)
        return (ephemeral.publicKey + sealedPayload, state)
    }

    /// The payload of message 2 and the state behind it, given the state after message 1; nil when it is too short, the
    /// seal is not good or a shared secret is zero.
    static func readSecond(
        after first: SymmetricState, ephemeral: EphemeralKey, identity: NodeIdentity, psk: SecretBytes,
        message: [UInt8]
    ) -> (payload: [UInt8], state: SymmetricState)? {
        guard message.count >= X25519.size + HandshakeAEAD.tagSize else { return nil }
        let peerEphemeral = Array(message[..<X25519.size])
        guard let ee = X25519.sharedSecret(ephemeral.secret, peerEphemeral),
            let se = X25519.sharedSecret(identity.secret, peerEphemeral)
        else { return nil }
        var state = first
        mixEphemeral(peerEphemeral, into: &state)
        state.mixKey(ee)
        state.mixKey(se)
        let key = state.mixKeyAndHash(psk)
        guard let payload = state.decryptAndHash(Array(message[X25519.size...]), key: key) else { return nil }
        return (payload, state)
    }

    /// The token e of a pattern with a pre-shared key: into the hash and into the chain (section 9.2).
    private static func mixEphemeral(_ publicKey: [UInt8], into state: inout SymmetricState) {
        state.mixHash(publicKey)
        state.mixKey(SecretBytes(publicKey))
    }
}
