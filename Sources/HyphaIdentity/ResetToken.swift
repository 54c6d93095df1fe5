/// Reset tokens: what a responder gives with its index, and can make again after a restart that lost the session.
public enum ResetToken {
    /// Size in bytes.
    public static let size = 16

    /// The token of `index` at the node `identity`.
    public static func token(identity: NodeIdentity, index: UInt32) -> [UInt8] {
        var input: [UInt8] = []
        input.append(littleEndian: index)
        return BLAKE2b.hash(size, key: identity.resetKey, input[...])
    }
}
