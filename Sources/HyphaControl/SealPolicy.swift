/// How packets are sealed on a link (docs/protocol.md, "Seal modes").
public enum SealPolicy: String, Sendable {
    /// The node where a packet enters the overlay chooses; a relay keeps what it got.
    case adaptive
    /// Always the whole packet.
    case full
    /// The routing header only, wherever that is allowed.
    case header
}
