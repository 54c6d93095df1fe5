import CSodium
import HyphaBase
import HyphaDataplane
import HyphaIdentity
import HyphaSession
import HyphaWire
import Testing

/// An X25519 key pair and what follows from it.
struct StockIdentity {
    let secret: [UInt8]
    let key: [UInt8]
    let address: IPv6Address

    init(secret: [UInt8]) throws {
        self.secret = secret
        var key = [UInt8](repeating: 0, count: 32)
        #expect(crypto_scalarmult_base(&key, secret) == 0)
        self.key = key
        address = try #require(PublicKey(bytes: key)).address
    }

    init(_ network: TestNetwork) throws { try self.init(secret: network.bytes(32)) }

    /// The `<prefix>::` from which relays speak.
    var relay: IPv6Address { IPv6Address(high: address.high, low: 0) }

    /// The key shared with a public key.
    func shared(_ key: [UInt8]) -> [UInt8] {
        var out = [UInt8](repeating: 0, count: 32)
        #expect(crypto_scalarmult(&out, secret, key) == 0)
        return out
    }

    /// What a worker of this identity is told.
    func configuration(
        _ session: SessionPolicy, early: EarlyPolicy = .queue, prefix: UInt64 = 0x5EED, keys: Int = 1_024
    ) -> StockConfiguration {
        let secret = secret
        return StockConfiguration(session: session, early: early, noncePrefix: prefix, hashKey: 99, keys: keys) {
            crypto_scalarmult($1, secret, $0) == 0
        }
    }
}
