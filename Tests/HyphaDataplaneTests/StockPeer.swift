import CSodium
import HyphaBase
import HyphaInterchange
import HyphaPacket
import HyphaWire
import Testing

/// The far end of stock bodies in the hands of the test, byte by byte from their description.
final class StockPeer {
    unowned let node: TestNode
    let identity: StockIdentity
    let id: UInt32
    /// The key shared with the node.
    let shared: [UInt8]
    private var nonces: UInt64 = 0

    /// `isKnown`: the node was told of it.
    init(
        _ node: TestNode, _ nodeKey: [UInt8], _ identity: StockIdentity, ownsPrefix: Bool = true, bits: UInt32 = 0,
        isKnown: Bool = true
    ) {
        self.node = node
        self.identity = identity
        shared = identity.shared(nodeKey)
        id =
            isKnown
            ? node.addPeer(identity.address, ownsPrefix: ownsPrefix, key: identity.key, bits: bits) : .max
    }

    var address: IPv6Address { identity.address }

    /// A nonce that was not used before.
    func nonce() -> [UInt8] {
        nonces += 1
        return [0xAA, 0xBB, 0xCC, 0xDD] + Seal.little(nonces, 8)
    }

    static func seal(_ key: [UInt8], _ nonce: [UInt8], _ plain: [UInt8]) -> [UInt8] {
        var out = [UInt8](repeating: 0, count: plain.count + 16)
        _ = crypto_aead_aes256gcm_encrypt(&out, nil, plain, UInt64(plain.count), nil, 0, nil, nonce, key)
        return out + nonce
    }

    static func open(_ key: [UInt8], _ payload: [UInt8]) -> [UInt8]? {
        guard payload.count >= 28 else { return nil }
        let sealed = Array(payload.dropLast(12))
        var out = [UInt8](repeating: 0, count: sealed.count - 16)
        let result = crypto_aead_aes256gcm_decrypt(
            &out, nil, nil, sealed, UInt64(sealed.count), nil, 0, Array(payload.suffix(12)), key)
        return result == 0 ? out : nil
    }

    /// A sealed payload. `mark`: bytes 2 and 3 of the user header.
    func payload(
        _ content: [UInt8], kind: UInt8 = 0, version: UInt8 = 1, mark: [UInt8] = [0, 0], nonce: [UInt8]? = nil
    ) -> [UInt8] {
        StockPeer.seal(shared, nonce ?? self.nonce(), [version, kind] + mark + content)
    }

    /// Routing header of type 4 and a payload: what a native link carries.
    func carry(
        payload: [UInt8], hopLimit: UInt8 = 63, source: IPv6Address? = nil, destination: IPv6Address? = nil
    ) -> [UInt8] {
        Seal.route(
            kind: 4, hopLimit: hopLimit, flow: 0x7777, source: (source ?? address).bytes,
            destination: (destination ?? node.address).bytes) + payload
    }

    /// The same around an inner packet, whose addresses and hop limit it takes over.
    func carry(_ inner: [UInt8], mark: [UInt8] = [0, 0], nonce: [UInt8]? = nil) -> [UInt8] {
        carry(payload: payload(inner, mark: mark, nonce: nonce), hopLimit: inner[7])
    }

    /// User header and content of a packet (routing header first) of the node for this peer.
    func open(_ packet: [UInt8]) -> [UInt8]? {
        guard packet.count >= 80, packet[0] == 0x40 else { return nil }
        return StockPeer.open(shared, Array(packet[48...]))
    }

    /// The inner packet that a packet of the node carries to this peer.
    func inner(_ packet: [UInt8]) -> [UInt8]? {
        guard let plain = open(packet), plain.count > 4, plain[0] == 1, plain[1] == 0 else { return nil }
        return Array(plain[4...])
    }

    func udp(_ count: Int = 50, hopLimit: UInt8 = 63) -> [UInt8] {
        Inner.udp(
            from: address, to: node.address, payload: [UInt8](repeating: 7, count: count), hopLimit: hopLimit)
    }
}
