import CSodium
import HyphaBase
import TestVectors
import Testing

@testable import HyphaIdentity

@Test func sharedSecrets() throws {
    let file = try Vectors.load("secrets.json")
    let pairs = try file["pairs"].array()
    #expect(pairs.count == 20)
    for pair in pairs {
        let secret = SecretBytes(try pair["secret_key_a"].bytes())
        let shared = X25519.sharedSecret(secret, try pair["public_key_b"].bytes())
        #expect(shared?.copy(offset: 0, count: 32) == (try pair["shared_secret"].bytes()))
    }
    let unclamped = SecretBytes(try file["unclamped_secret"]["secret_key"].bytes())
    #expect(X25519.publicKey(of: unclamped) == (try file["unclamped_secret"]["public_key"].bytes()))
}

@Test func sharedSecretsThatAreZero() {
    let secret = SecretBytes([UInt8](repeating: 7, count: 32))
    let zero = [UInt8](repeating: 0, count: 32)
    #expect(X25519.sharedSecret(secret, zero) == nil)
    #expect(X25519.sharedSecret(secret, [1] + zero.dropLast()) == nil)
    #expect(X25519.sharedSecret(secret, zero.dropLast()) == nil)
    #expect(X25519.sharedSecret(SecretBytes(zeros: 31), [9] + zero.dropLast()) == nil)
}

@Test func hmacAndHKDF() throws {
    let rows = try Vectors.load("noise.json")["hmac_hkdf"].array()
    #expect(rows.count == 6)
    for row in rows {
        let key = SecretBytes(try row["chaining_key_or_key"].bytes())
        let input = SecretBytes(try row["input"].bytes())
        #expect(BLAKE2b.hmac(key: key, input).copy(offset: 0, count: 64) == (try row["hmac_blake2b_512"].bytes()))
        let expected = try row["hkdf"].array().map { try $0.bytes() }
        for outputs in 1...3 {
            let values = BLAKE2b.hkdf(chainingKey: key, input, outputs: outputs)
            #expect(values.map { $0.copy(offset: 0, count: 64) } == Array(expected[..<outputs]))
        }
    }
}

@Test func sipHash() throws {
    for entry in try Vectors.hl1("siphash128") {
        let hash = SipHash.hash128(key: try entry["inputs"]["key"].bytes(), try entry["inputs"]["data"].bytes())
        #expect(hash == (try entry["output"].bytes()))
    }
}

@Test func networkKeys() throws {
    for entry in try Vectors.hl1("network") {
        let keyFile = try entry["inputs"]["key_file"].bytes()
        let name = try entry["inputs"]["network_name"].string()
        let network = try #require(NetworkKeys(keyFile: keyFile, name: name))
        #expect(network.psk.copy(offset: 0, count: 32) == (try entry["output"]["psk"].bytes()))
        #expect(network.tag == (try entry["output"]["tag"].bytes()))
        #expect(NetworkKeys(keyFile: keyFile.dropLast(), name: name) == nil)
        #expect(NetworkKeys(keyFile: keyFile + [0], name: name) == nil)
        #expect(NetworkKeys(keyFile: keyFile, name: name + "2")?.tag != network.tag)
    }
    #expect(NetworkKeys.open.tag == [UInt8](repeating: 0, count: 16))
    #expect(NetworkKeys.open.psk.copy(offset: 0, count: 32) == [UInt8](repeating: 0, count: 32))
}

@Test func resetTokens() throws {
    for entry in try Vectors.hl1("reset_token") {
        let identity = try #require(NodeIdentity(secret: try entry["inputs"]["secret"].bytes()))
        let token = ResetToken.token(identity: identity, index: try entry["inputs"]["index"].number())
        #expect(token == (try entry["output"].bytes()))
    }
}

@Test func cookieValuesDependOnEverything() {
    let secret = [UInt8](repeating: 1, count: 16)
    let address = IPv6Address.mapped(ipv4: 0xC000_0201)
    let values = [
        Cookie.value(secret: secret, family: 4, address: address, port: 9651, epoch: 5),
        Cookie.value(secret: [UInt8](repeating: 2, count: 16), family: 4, address: address, port: 9651, epoch: 5),
        Cookie.value(secret: secret, family: 6, address: address, port: 9651, epoch: 5),
        Cookie.value(secret: secret, family: 4, address: .mapped(ipv4: 0xC000_0202), port: 9651, epoch: 5),
        Cookie.value(secret: secret, family: 4, address: address, port: 9652, epoch: 5),
        Cookie.value(secret: secret, family: 4, address: address, port: 9651, epoch: 6),
        Cookie.value(secret: secret, overlaySource: address, ingressLink: 9651, epoch: 5),
        Cookie.value(secret: secret, overlaySource: address, ingressLink: 9652, epoch: 5),
        Cookie.value(secret: secret, overlaySource: address, ingressLink: 9651, epoch: 6),
        Cookie.value(secret: secret, overlaySource: .mapped(ipv4: 1), ingressLink: 9651, epoch: 5),
    ]
    #expect(Set(values).count == values.count)
    #expect(values.allSatisfy { $0.count == Cookie.size })
    #expect(values[0] == Cookie.value(secret: secret, family: 4, address: address, port: 9651, epoch: 5))
}

@Test func secretBytesCopy() {
    let secret = SecretBytes([1, 2, 3, 4])
    #expect(secret.copy(offset: 1, count: 2) == [2, 3])
    #expect(secret.prefix(3).copy(offset: 0, count: 3) == [1, 2, 3])
    #expect(SecretBytes(zeros: 3).copy(offset: 0, count: 3) == [0, 0, 0])
}

@Test func stockSecretsAreTheRawSharedSecrets() throws {
    for pair in try Vectors.load("secrets.json")["pairs"].array() {
        let identity = try #require(NodeIdentity(secret: try pair["secret_key_a"].bytes()))
        let other = try #require(PublicKey(bytes: try pair["public_key_b"].bytes()))
        let lent = identity.withStockSecret(with: other) { Array(UnsafeBufferPointer(start: $0, count: 32)) }
        #expect(lent == (try pair["shared_secret"].bytes()))
    }
    let identity = try #require(NodeIdentity(secret: [UInt8](repeating: 7, count: 32)))
    let zero = try #require(PublicKey(bytes: [UInt8](repeating: 0, count: 32)))
    #expect(identity.withStockSecret(with: zero) { _ in 1 } == nil)
}
