public import HyphaBase

/// The answer to one look-up of a `Resolver`.
public struct Resolution: Sendable, Equatable {
    /// The asker's number.
    public let id: UInt64
    /// What was asked.
    public let host: String
    public let port: UInt16
    /// In the order in which to try them (RFC 6724); empty when the look-up failed.
    public let addresses: [SocketAddress]
    /// What went wrong, one line; empty when there are addresses.
    public let error: String
}
