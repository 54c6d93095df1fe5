import CSodium
import TestVectors
import Testing

@testable import HyphaIdentity

/// Noise_IKpsk2_25519_ChaChaPoly_BLAKE2b against an independent implementation.
@Test func noiseHandshakes() throws {
    let cases = try Vectors.load("noise.json")["cases"].array()
    #expect(cases.count == 5)
    for vector in cases {
        let prologue = try vector["prologue"].bytes()
        let psk = SecretBytes(try vector["psk"].bytes())
        let initiator = try #require(NodeIdentity(secret: try vector["initiator_static"].bytes()))
        let responder = try #require(NodeIdentity(secret: try vector["responder_static"].bytes()))
        #expect(initiator.publicKey.bytes == (try vector["initiator_static_public"].bytes()))
        #expect(responder.publicKey.bytes == (try vector["responder_static_public"].bytes()))
        let ephemeralI = try #require(EphemeralKey(secret: try vector["initiator_ephemeral"].bytes()))
        let ephemeralR = try #require(EphemeralKey(secret: try vector["responder_ephemeral"].bytes()))
        let messages = try vector["handshake"].array()
        let payloads = try messages.map { try $0["payload"].bytes() }
        let wire = try messages.map { try $0["message"].bytes() }

        let first = try #require(
            NoiseIK.writeFirst(
                prologue: prologue, identity: initiator, peer: responder.publicKey, ephemeral: ephemeralI,
                payload: payloads[0]))
        #expect(first.message == wire[0])
        let read = try #require(
            NoiseIK.readFirst(prologue: prologue, identity: responder, message: wire[0]) { $0 == initiator.publicKey })
        #expect(read.initiator == initiator.publicKey)
        #expect(read.payload == payloads[0])
        #expect(read.state.hash == first.state.hash)
        #expect(NoiseIK.readFirst(prologue: prologue, identity: responder, message: wire[0]) { _ in false } == nil)

        let second = try #require(
            NoiseIK.writeSecond(
                after: read.state, ephemeral: ephemeralR, initiator: read.initiator,
                initiatorEphemeral: read.ephemeral, psk: psk, payload: payloads[1]))
        #expect(second.message == wire[1])
        let last = try #require(
            NoiseIK.readSecond(
                after: first.state, ephemeral: ephemeralI, identity: initiator, psk: psk, message: wire[1]))
        #expect(last.payload == payloads[1])
        let hash = try vector["handshake_hash"].bytes()
        #expect(second.state.hash == hash)
        #expect(last.state.hash == hash)

        let keys = last.state.split()
        let forth = keys.initiatorToResponder.copy(offset: 0, count: 32)
        let back = keys.responderToInitiator.copy(offset: 0, count: 32)
        #expect(forth == (try vector["split"]["k_i2r"].bytes()))
        #expect(back == (try vector["split"]["k_r2i"].bytes()))
        #expect(second.state.split().initiatorToResponder.copy(offset: 0, count: 32) == forth)
        for message in try vector["transport"].array() {
            let key = try message["direction"].string() == "i2r" ? forth : back
            let nonce = SealedPacket.nonce(counter: try message["nonce"].number())
            let opened = SealedPacket.open(
                suite: 1, key: key, nonce: nonce, sealed: try message["message"].bytes(), associatedData: [])
            #expect(opened == (try message["payload"].bytes()))
        }
    }
}

@Test func noiseMessagesOfAnyLength() throws {
    let parties = try Parties()
    let ephemeral = try #require(EphemeralKey(secret: [UInt8](repeating: 3, count: 32)))
    let first = try #require(
        NoiseIK.writeFirst(
            prologue: [], identity: parties.initiator, peer: parties.responder.publicKey, ephemeral: ephemeral,
            payload: []))
    for count in 0..<first.message.count {
        let cut = Array(first.message[..<count])
        #expect(
            NoiseIK.readFirst(prologue: [], identity: parties.responder, message: cut) { _ in true } == nil)
        #expect(
            NoiseIK.readSecond(
                after: first.state, ephemeral: ephemeral, identity: parties.initiator, psk: SecretBytes(zeros: 32),
                message: cut) == nil)
    }
}
