import HyphaWire

/// What a router must find again after a restart: without it, it is a new origin to the whole mesh, and routes to the old
/// one and to the new one can close loops.
public struct RouterState: Hashable, Sendable {
    /// The 8 bytes behind the key in the router id.
    public var zone: UInt16
    /// Below 2^48.
    public var random: UInt64
    /// The highest seqno that was announced. A router starts with the next one.
    public var seqno: UInt16

    public init(zone: UInt16, random: UInt64, seqno: UInt16) {
        self.zone = zone
        self.random = random
        self.seqno = seqno
    }
}
