/// What a `HandshakeMachine` wants done, in this order.
enum HandshakeEffect: Sendable {
    /// This INIT to the peer.
    case initiate([UInt8])
    /// This RESP or COOKIE back to where the message before it came from.
    case reply([UInt8], HandshakePath)
    /// The session is prepared in its slot; `isSettled` when its keys may be used both ways from now on.
    case install(HeldSession)
    /// The peer is connected by this session. `isCurrent`: send with it.
    case established(HeldSession, isCurrent: Bool)
    /// An empty message under the session.
    case confirm(slot: UInt32)
    case retire(slot: UInt32)
    /// No answer for 90 s, or no handshake is possible.
    case gaveUp
}
