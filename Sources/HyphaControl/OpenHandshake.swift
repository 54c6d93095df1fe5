import HyphaBase
import HyphaIdentity

/// A handshake that this node began and that has no answer yet.
struct OpenHandshake: Sendable {
    /// The INIT in use; another after 5 s.
    var initiator: Initiator
    var slot: UInt32
    /// When this INIT was made.
    var made: Instant
    /// How often this INIT was sent.
    var sends = 0
    /// When it was sent last.
    var sent: Instant
    /// When the first INIT was made.
    let began: Instant
    /// INITs sent in all.
    var tries = 0
    var nextTry: Instant
}
