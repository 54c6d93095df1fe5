public import HyphaBase
public import HyphaIdentity
import HyphaInterchange

/// An end-to-end peer as people see it.
public struct PeerStatus: Sendable {
    public enum State: String, Sendable {
        case up, connecting, idle
    }

    public let id: UInt32
    public let key: PublicKey
    public let address: IPv6Address
    public let state: State
    /// True if it counts as the owner of its whole /64.
    public let ownsSubnet: Bool
    /// True once it spoke a native session with this node, on a link or end to end, in this run.
    public let isNative: Bool
    /// Smoothed time from INIT to RESP, nanoseconds; nil before the first.
    public let roundTripNanoseconds: UInt64?
    /// Age of the session in use, milliseconds; nil without one.
    public let sessionAgeMilliseconds: UInt64?
    /// `DataSuite` value of the session in use.
    public let suite: UInt8?
    /// True if this node began the session in use.
    public let isInitiator: Bool?

    init(_ peer: FlowPeer, now: Instant) {
        id = peer.id
        key = peer.key
        address = peer.address
        state = peer.machine.isConnected ? .up : peer.machine.open == nil ? .idle : .connecting
        ownsSubnet = (peer.announced ?? 0) & WorkerCommand.ownsPrefixBit != 0
        isNative = peer.isProven
        roundTripNanoseconds = peer.machine.roundTrip.smoothed
        let session = peer.machine.slots.current
        sessionAgeMilliseconds = session.map { now.milliseconds(since: $0.created) }
        suite = session?.suite
        isInitiator = session?.isInitiator
    }
}
