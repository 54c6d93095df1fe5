internal import HyphaBase
internal import HyphaIdentity

/// `hypha inspect`: public key and address of this node, or of a key. Prints what Mycelium's command prints.
enum InspectCommand {
    static func text(of key: PublicKey, json: Bool) -> String {
        json
            ? "{\n  \"publicKey\": \"\(key.hex)\",\n  \"address\": \"\(key.address)\"\n}\n"
            : "Public key: \(key.hex)\nAddress: \(key.address)\n"
    }

    /// A key as the command takes it: 64 hex digits; like Mycelium it ignores what follows them.
    static func key(_ text: String) throws(InvalidValue) -> PublicKey {
        guard text.utf8.count >= 64 else {
            throw InvalidValue("must have 64 hex digits, this one has \(text.utf8.count) characters")
        }
        return try PeerURI.key(String(decoding: text.utf8.prefix(64), as: UTF8.self))
    }
}
