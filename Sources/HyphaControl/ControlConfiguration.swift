public import HyphaInterchange
public import HyphaSession

/// What the control plane needs to know before it starts.
public struct ControlConfiguration: Sendable {
    /// Peers to dial. Entries with one key are one peer with several hosts. Their links have the ids 0, 1, … in the
    /// order of the first entries.
    public var peers: [ConfiguredPeer]
    public var routes: [ConfiguredRoute]
    /// Peers to dial over TCP.
    public var streamPeers: [ConfiguredStreamPeer]
    /// How links are numbered; the same as the workers'.
    public var links: LinkNumbering
    /// Which end-to-end protocol to speak.
    public var session: SessionPolicy
    /// Links at most; above it the INIT of a stranger is refused. Configured peers always have a place.
    public var maxPeers: Int
    /// End-to-end peers at most; above it the idlest goes.
    public var maxSessions: Int
    /// `DataSuite` values to offer and accept, summed; ChaCha20-Poly1305 among them.
    public var suites: UInt8
    /// How links are sealed unless a peer says otherwise.
    public var seal: SealPolicy
    /// Largest UDP payload that this node takes, bytes, at least 1,232.
    public var largestDatagram: UInt16
    /// Largest end-to-end body that this node takes, bytes, at least 1,152.
    public var largestBody: UInt16
    /// Largest UDP payload to send while a path's own limit is not known, bytes.
    public var defaultDatagram: UInt16
    /// Route control with the neighbours; nil: only configured routes and connected neighbours.
    public var routing: RoutingSettings?
    /// UDP sockets that INITs to IPv4 and IPv6 addresses leave through.
    public var ipv4Socket: UInt8
    public var ipv6Socket: UInt8

    public init(
        peers: [ConfiguredPeer] = [], routes: [ConfiguredRoute] = [], maxPeers: Int = 4_096,
        maxSessions: Int = 16_384, suites: UInt8 = 1, seal: SealPolicy = .adaptive, largestDatagram: UInt16 = 1_472,
        largestBody: UInt16 = 1_432, defaultDatagram: UInt16 = 1_232, ipv4Socket: UInt8 = 0, ipv6Socket: UInt8 = 0,
        routing: RoutingSettings? = nil, streamPeers: [ConfiguredStreamPeer] = [],
        links: LinkNumbering = LinkNumbering(datagramLinks: 65_535, streams: 0), session: SessionPolicy = .auto
    ) {
        self.peers = peers
        self.routes = routes
        self.maxPeers = maxPeers
        self.maxSessions = maxSessions
        self.suites = suites
        self.seal = seal
        self.largestDatagram = largestDatagram
        self.largestBody = largestBody
        self.defaultDatagram = defaultDatagram
        self.ipv4Socket = ipv4Socket
        self.ipv6Socket = ipv6Socket
        self.routing = routing
        self.streamPeers = streamPeers
        self.links = links
        self.session = session
    }
}

extension ControlConfiguration {
    /// TCP connections at most.
    public var maxStreams: Int { Int(links.streams) }
}
