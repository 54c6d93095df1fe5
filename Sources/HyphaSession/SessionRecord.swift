public import HyphaBase

/// What control decides about a session before it is installed. 64 bytes at most.
@frozen
public struct SessionRecord: BitwiseCopyable, Sendable {
    /// The index that the peer puts into its packets; its low bits are the slot. Never zero.
    public var localIndex: UInt32
    /// The index that we put into ours.
    public var remoteIndex: UInt32
    /// Link id, or end-to-end peer id.
    public var owner: UInt32
    /// 1 ChaCha20-Poly1305, 2 AES-256-GCM.
    public var suite: UInt8
    /// Lanes agreed, 1 to 16, in both directions.
    public var lanes: UInt8
    /// Seal modes that the peer accepts: bit 0 full, bit 1 header.
    public var peerModes: UInt8
    /// Seal modes that this node offered: packets in others are dropped.
    public var ownModes: UInt8
    /// 1 when this node was the initiator: it renews the session first.
    public var isInitiator: UInt8
    /// When the key was agreed.
    public var created: Instant
    /// When it ends.
    public var rejectAt: Instant
    /// When a new session is asked for.
    public var rekeyAt: Instant

    public init(
        localIndex: UInt32, remoteIndex: UInt32, owner: UInt32, suite: UInt8, lanes: Int, peerModes: UInt8,
        ownModes: UInt8 = 3, isInitiator: Bool, created: Instant
    ) {
        self.localIndex = localIndex
        self.remoteIndex = remoteIndex
        self.owner = owner
        self.suite = suite
        self.lanes = UInt8(clamping: max(1, min(lanes, 16)))
        self.peerModes = peerModes
        self.ownModes = ownModes
        self.isInitiator = isInitiator ? 1 : 0
        self.created = created
        rejectAt = created.advanced(byMilliseconds: SessionLimits.rejectAfterMilliseconds)
        rekeyAt = created.advanced(
            byMilliseconds: isInitiator
                ? SessionLimits.rekeyAfterMilliseconds : SessionLimits.responderRekeyAfterMilliseconds)
    }
}

/// What a worker keeps about a session. 32 bytes at most.
@frozen
public struct SessionUse: BitwiseCopyable, Sendable {
    /// 1 between install and retire.
    public var installed: UInt8 = 0
    /// 1 once a valid packet came in under it; control was told.
    public var confirmed: UInt8 = 0
    /// 1 once control was asked for a new session.
    public var rekeyAsked: UInt8 = 0
    /// Lanes with an expanded send key.
    public var expandedSend: UInt16 = 0
    public var expandedReceive: UInt16 = 0
    /// Packets that did not open.
    public var failures: UInt64 = 0
    /// Packets that did.
    public var received: UInt64 = 0
    /// When the marks of the send counters last moved.
    public var markedAt = Instant.zero

    @inlinable
    public init() {}
}
