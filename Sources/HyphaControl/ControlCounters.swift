/// What the control plane counts.
public struct ControlCounters: Sendable, Equatable {
    public var link = HandshakeCounters()
    public var flow = HandshakeCounters()
    /// Overlay packets for this node that are neither a handshake nor an error.
    public var overlayRefused: UInt64 = 0
    /// Error bodies of each code (no route, hop limit, too big, unknown session) that are well-formed and for us.
    public var errorNoRoute: UInt64 = 0
    public var errorHopLimit: UInt64 = 0
    public var errorTooBig: UInt64 = 0
    public var errorUnknownSession: UInt64 = 0
    /// Error bodies that are malformed or about packets that are not ours.
    public var errorRefused: UInt64 = 0
    /// Link control messages that break a rule.
    public var linkControlRefused: UInt64 = 0
    public var probesAnswered: UInt64 = 0
    public var challengesAnswered: UInt64 = 0
    /// Link control entries that this node has no use for yet.
    public var linkControlIgnored: UInt64 = 0
    /// Probes and challenges beyond what one link may ask.
    public var linkControlLimited: UInt64 = 0
    public var flowControlReceived: UInt64 = 0
    public var flowControlRefused: UInt64 = 0
    /// Forwarding tables handed out, and those of them that were not taken.
    public var published: UInt64 = 0
    public var publicationsRefused: UInt64 = 0
    /// Packets waiting for a session that were given up.
    public var parkedRejected: UInt64 = 0
    /// End-to-end peers that had to go for others.
    public var peersEvicted: UInt64 = 0
    /// TCP links that this node dialled, and that came in.
    public var streamsOpened: UInt64 = 0
    public var streamsAccepted: UInt64 = 0
    /// TCP connections that were refused: no place; too many from one address.
    public var streamsRefusedCap: UInt64 = 0
    public var streamsRefusedAddress: UInt64 = 0
    /// TCP links that had said nothing yet and had to go for younger ones.
    public var streamsGaveWay: UInt64 = 0
    /// TCP links whose neighbour answered no Hello.
    public var streamsDead: UInt64 = 0
    /// TCP links to places found on the local network that ended in order because an HL1 link with the node had lasted.
    public var streamsSpared: UInt64 = 0
    public var streamsClosed: UInt64 = 0
    public var dialsFailed: UInt64 = 0
    /// Places found on the local network to dial, and those of them for which there was no room.
    public var discovered: UInt64 = 0
    public var discoveredRefused: UInt64 = 0
    /// Control bodies that came over TCP links; those of unknown connections and those that could not be read wholly.
    public var streamControlReceived: UInt64 = 0
    public var streamControlRefused: UInt64 = 0
    /// /64s that packets of this node needed a route to, and those for which there was none.
    public var queries: UInt64 = 0
    public var queriesFailed: UInt64 = 0
    /// Nonce prefixes drawn for stock bodies.
    public var stockPrefixes: UInt64 = 0
    /// Peers that marked their stock bodies as native nodes do, and times that native peers got stock bodies.
    public var peersMarked: UInt64 = 0
    public var fellBack: UInt64 = 0
    /// Peers with which so many stock bodies were exchanged that nonces may meet.
    public var peersExposed: UInt64 = 0

    public init() {}

    /// All of them by their stable names, in a fixed order.
    public var all: [(name: String, value: UInt64)] {
        link.all.map { ("link_\($0.name)", $0.value) } + flow.all.map { ("flow_\($0.name)", $0.value) } + [
            ("overlay_refused", overlayRefused), ("error_no_route", errorNoRoute),
            ("error_hop_limit", errorHopLimit), ("error_too_big", errorTooBig),
            ("error_unknown_session", errorUnknownSession), ("error_refused", errorRefused),
            ("link_control_refused", linkControlRefused), ("probes_answered", probesAnswered),
            ("challenges_answered", challengesAnswered), ("link_control_ignored", linkControlIgnored),
            ("link_control_limited", linkControlLimited), ("flow_control_received", flowControlReceived),
            ("flow_control_refused", flowControlRefused), ("published", published),
            ("publications_refused", publicationsRefused),
            ("parked_rejected", parkedRejected), ("peers_evicted", peersEvicted),
            ("streams_opened", streamsOpened), ("streams_accepted", streamsAccepted),
            ("streams_refused_cap", streamsRefusedCap), ("streams_refused_address", streamsRefusedAddress),
            ("streams_gave_way", streamsGaveWay), ("streams_dead", streamsDead), ("streams_spared", streamsSpared),
            ("streams_closed", streamsClosed),
            ("dials_failed", dialsFailed), ("discovered", discovered), ("discovered_refused", discoveredRefused),
            ("stream_control_received", streamControlReceived), ("stream_control_refused", streamControlRefused),
            ("queries", queries), ("queries_failed", queriesFailed), ("stock_prefixes", stockPrefixes),
            ("peers_marked", peersMarked), ("fell_back", fellBack), ("peers_exposed", peersExposed),
        ]
    }
}
