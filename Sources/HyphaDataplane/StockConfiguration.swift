public import HyphaSession

/// What a worker is told about stock bodies and the choice between them and native sessions.
public struct StockConfiguration: Sendable {
    public var session: SessionPolicy
    public var early: EarlyPolicy
    /// Writes the 32 bytes that this node shares with a public key of 32 bytes (X25519); false for a key that gives none.
    /// Called on the worker when it first needs a key, never per packet.
    public var agree: @Sendable (_ key: UnsafePointer<UInt8>, _ secret: UnsafeMutablePointer<UInt8>) -> Bool
    /// Random first 8 bytes of the nonces that the worker makes.
    public var noncePrefix: UInt64
    /// Random keys of the worker's hash tables, so that nobody can choose addresses that collide.
    public var hashKey: UInt64
    /// Shared keys kept at most.
    public var keys: Int

    public init(
        session: SessionPolicy = .auto, early: EarlyPolicy = .queue, noncePrefix: UInt64, hashKey: UInt64,
        keys: Int = 16_384,
        agree: @escaping @Sendable (_ key: UnsafePointer<UInt8>, _ secret: UnsafeMutablePointer<UInt8>) -> Bool
    ) {
        self.session = session
        self.early = early
        self.noncePrefix = noncePrefix
        self.hashKey = hashKey
        self.keys = keys
        self.agree = agree
    }

    /// For a node that speaks native sessions only.
    public static let nativeOnly = StockConfiguration(
        session: .require, noncePrefix: 0, hashKey: 0, keys: 1, agree: { _, _ in false })
}
