import HyphaBase
import HyphaIdentity

/// An open TCP connection.
struct StreamConnection: Sendable {
    /// The rim's number.
    let id: UInt32
    let link: UInt32
    let remote: SocketAddress
    /// Number of the `StreamTarget` that was dialled; nil for one that came in.
    let target: UInt32?
    /// The kernel's last measurement that control was told of, microseconds; 0 when it had none.
    var roundTrip: UInt32
    let opened: Instant
    /// A control frame came.
    var hasSpoken = false
    /// Why this node ends it; nil while it does not.
    var ending: String?
    /// Its other end is this node too.
    var isOwn = false
    /// Whose updates with metric 0 come over it: the neighbour's own key, if it tells the truth.
    var key: PublicKey?
}
