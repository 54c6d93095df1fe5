public import HyphaBase
public import HyphaIdentity

/// A link as people see it.
public struct LinkStatus: Sendable {
    public enum State: String, Sendable {
        /// The host name is being looked up.
        case resolving
        /// INITs go out.
        case connecting
        /// In order.
        case up
        /// Connected, but the neighbour does not answer; a new session is being made.
        case silent
        /// Nobody answered; the next dial comes later.
        case resting
        /// Came by itself and has no session now.
        case down
    }

    public let id: UInt32
    public let key: PublicKey
    /// True for a peer in the configuration.
    public let isConfigured: Bool
    /// Empty when it has none.
    public let label: String
    /// Host and port of the configuration, empty for others.
    public let host: String
    /// Where the neighbour is, or was last.
    public let endpoint: SocketAddress?
    public let state: State
    /// Smoothed time from INIT to RESP, nanoseconds; nil before the first.
    public let roundTripNanoseconds: UInt64?
    /// Age of the session in use, milliseconds; nil without one.
    public let sessionAgeMilliseconds: UInt64?
    /// `DataSuite` value of the session in use.
    public let suite: UInt8?
    /// Lanes agreed.
    public let lanes: Int?
    /// True if this node began the session in use.
    public let isInitiator: Bool?
    /// Largest UDP payload sent on the link, bytes; nil before the first contact.
    public let largestDatagram: UInt16?

    init(_ link: Link, configuration: ControlConfiguration, now: Instant) {
        id = link.id
        key = link.key
        let peer = link.configured.map { configuration.peers[$0] }
        isConfigured = peer != nil
        label = peer?.label ?? ""
        host = peer.map { "\($0.host):\($0.port)" } ?? ""
        endpoint = link.endpoint
        roundTripNanoseconds = link.machine.roundTrip.smoothed
        let session = link.machine.slots.current
        sessionAgeMilliseconds = session.map { now.milliseconds(since: $0.created) }
        suite = session?.suite
        lanes = session?.lanes
        isInitiator = session?.isInitiator
        largestDatagram = link.announced?.largestDatagram
        state = LinkStatus.state(link)
    }

    private static func state(_ link: Link) -> State {
        if link.isConnected { return link.isSilent ? .silent : .up }
        if link.machine.open != nil { return .connecting }
        switch link.dialer?.state {
        case .resolving: return .resolving
        case .resting: return .resting
        case .dialing: return .connecting
        case .idle, nil: return .down
        }
    }
}
