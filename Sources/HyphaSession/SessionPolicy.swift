/// Which end-to-end protocol a node speaks with a peer.
@frozen
public enum SessionPolicy: UInt8, BitwiseCopyable, Sendable {
    /// Native where the peer can, stock bodies elsewhere.
    case auto
    /// Stock bodies only; a native session is never started.
    case classic
    /// Native only: no stock body is sent or taken.
    case require
}

/// What becomes of packets for a peer that can speak native, until there is a session.
@frozen
public enum EarlyPolicy: UInt8, BitwiseCopyable, Sendable {
    /// They wait for a short while.
    case queue
    /// They go as stock bodies, within the budget.
    case legacy
}
