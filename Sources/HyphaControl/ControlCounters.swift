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
        ]
    }
}
