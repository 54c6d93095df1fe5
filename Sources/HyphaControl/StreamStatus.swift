public import HyphaBase
public import HyphaIdentity

/// A TCP link as people see it, or a place that this node tries to make one with.
public struct StreamStatus: Sendable {
    public enum State: String, Sendable {
        /// The host name is being looked up.
        case resolving
        /// A connection is being made.
        case connecting
        /// In order.
        case up
        /// This node ends it.
        case closing
        /// Nobody answered; the next dial comes later.
        case resting
        /// Found on the local network, and not dialled: there is another link with its node.
        case standby
    }

    /// Id of the link, as in next hops; nil without a connection.
    public let id: UInt32?
    /// Number of the connection.
    public let connection: UInt32?
    /// The other end; nil without a connection.
    public let remote: SocketAddress?
    /// False for a connection that came in.
    public let isDialled: Bool
    /// Host and port of the configuration, empty for others.
    public let host: String
    /// Empty when it has none.
    public let label: String
    public let state: State
    /// For how long it has been in this state, or connected, milliseconds.
    public let since: UInt64
    /// The kernel's measurement: the first one, later the shortest of the last minutes; nil when it had none.
    public let roundTripMicroseconds: UInt32?
    /// The neighbour's key as it says itself: nothing proves it. Nil before it said so.
    public let key: PublicKey?

    init(_ target: StreamTarget?, _ connection: StreamConnection?, now: Instant) {
        id = connection?.link
        self.connection = connection?.id
        remote = connection?.remote
        isDialled = target != nil || connection?.target != nil
        host = target.flatMap { $0.isConfigured ? "\($0.host):\($0.port)" : nil } ?? ""
        label = target?.label ?? ""
        roundTripMicroseconds = connection.flatMap { $0.roundTrip == 0 ? nil : $0.roundTrip }
        key = connection?.key
        if let connection {
            state = connection.ending == nil ? .up : .closing
            since = now.milliseconds(since: connection.opened)
        } else {
            state = target.map(StreamStatus.state) ?? .resting
            since = target.map { now.milliseconds(since: $0.since) } ?? 0
        }
    }

    private static func state(_ target: StreamTarget) -> State {
        switch target.state {
        case .resolving: .resolving
        case .dialling, .up: .connecting
        case .resting: .resting
        case .standby: .standby
        }
    }
}
