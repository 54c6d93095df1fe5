/// What separates a private network from the open one: a pre-shared key and a tag that stands for it in the clear parts
/// of the handshake (docs/protocol.md, "Keys, labels and associated data").
public struct NetworkKeys: Sendable {
    /// Mixed into every handshake, 32 bytes; zero in the open network.
    let psk: SecretBytes
    /// Bound into the prologue and the key of mac1, 16 bytes; zero in the open network.
    public let tag: [UInt8]

    /// The open network: zero key, zero tag.
    public static let open = NetworkKeys(
        psk: SecretBytes(zeros: keySize), tag: [UInt8](repeating: 0, count: tagSize))

    static let keySize = 32
    static let tagSize = 16

    /// Keys of the private network `name` whose members share the 32 bytes of `keyFile`; nil for another size. The
    /// caller wipes `keyFile`.
    public init?(keyFile: [UInt8], name: String) {
        guard keyFile.count == NetworkKeys.keySize else { return nil }
        let psk = BLAKE2b.derive(
            NetworkKeys.keySize, key: SecretBytes(keyFile), Array("hypha net psk 1".utf8) + Array(name.utf8))
        self.init(psk: psk, tag: BLAKE2b.hash(NetworkKeys.tagSize, key: psk, Array("tag".utf8)[...]))
    }

    init(psk: SecretBytes, tag: [UInt8]) {
        self.psk = psk
        self.tag = tag
    }

    /// The key for the psk slot: the peer's own (32 bytes) if there is one, else the network's. Nil when the peer's has
    /// another size.
    func psk(peer: [UInt8]?) -> SecretBytes? {
        guard let peer else { return psk }
        return peer.count == NetworkKeys.keySize ? SecretBytes(peer) : nil
    }
}
