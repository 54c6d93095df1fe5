import HyphaBase
import TestVectors
import Testing

@testable import HyphaIdentity

@Test func addressesOfKeys() throws {
    let file = try Vectors.load("addresses.json")
    let keys = try file["keys"].array()
    #expect(keys.count == 20)
    for key in keys {
        let publicKey = try #require(PublicKey(hex: try key["public_key"].string()))
        let identity = try #require(NodeIdentity(secret: try key["secret_key"].bytes()))
        let address = try #require(IPv6Address(bytes: try key["address_hex"].bytes()))
        #expect(identity.publicKey == publicKey)
        #expect(identity.address == address)
        #expect(publicKey.address == address)
        #expect(address.description == (try key["address"].string()))
        #expect("\(OverlayAddress.prefix64(address))/64" == (try key["subnet"].string()))
    }
}

@Test(arguments: [("edge_public_keys", "address"), ("readme_examples", "address_0_7_10")])
func addressesOfOtherKeys(list: String, field: String) throws {
    let rows = try Vectors.load("addresses.json")[list].array()
    #expect(!rows.isEmpty)
    for row in rows {
        let address = OverlayAddress.address(of: try row["public_key"].bytes())
        #expect(address.description == (try row[field].string()))
    }
}

@Test func addressOfNoKey() {
    for count in [0, 16, 31, 33, 64, 65, 1000] {
        #expect(OverlayAddress.address(of: [UInt8](repeating: 1, count: count)) == IPv6Address(high: 0, low: 0))
    }
}

@Test func identitiesOfVectors() throws {
    for entry in try Vectors.hl1("identity") {
        let identity = try #require(NodeIdentity(secret: try entry["inputs"]["secret"].bytes()))
        #expect(identity.publicKey.bytes == (try entry["output"]["public"].bytes()))
        #expect(identity.address.bytes == (try entry["output"]["address"].bytes()))
        #expect("\(identity)" == (try entry["output"]["public"].string()))
    }
    #expect(NodeIdentity(secret: []) == nil)
    #expect(NodeIdentity(secret: [UInt8](repeating: 1, count: 31)) == nil)
    #expect(NodeIdentity(secret: [UInt8](repeating: 1, count: 33)) == nil)
}

@Test func publicKeysReadAndWrite() throws {
    let text = "64d20aa17ace214d77c32f75a83b197f01d866b038f3ae3b40c516f6d734834e"
    let key = try #require(PublicKey(hex: text))
    #expect(key.hex == text)
    #expect(PublicKey(hex: text.uppercased()) == key)
    #expect(PublicKey(bytes: key.bytes) == key)
    #expect(PublicKey(hex: String(text.dropLast(2))) == nil)
    #expect(PublicKey(hex: text + "00") == nil)
    #expect(PublicKey(hex: "g" + text.dropFirst()) == nil)
    #expect(PublicKey(bytes: [UInt8](repeating: 0, count: 31)) == nil)
}

@Test func publicKeysCompareFromByteZero() throws {
    var seed = Seed(1)
    for _ in 0..<1000 {
        var left = (0..<32).map { _ in UInt8.random(in: 0...255, using: &seed) }
        var right = left
        right[Int.random(in: 0..<32, using: &seed)] ^= UInt8.random(in: 0...255, using: &seed)
        if Bool.random(using: &seed) { swap(&left, &right) }
        let a = try #require(PublicKey(bytes: left))
        let b = try #require(PublicKey(bytes: right))
        #expect((a < b) == left.lexicographicallyPrecedes(right))
        #expect((a == b) == (left == right))
    }
}
