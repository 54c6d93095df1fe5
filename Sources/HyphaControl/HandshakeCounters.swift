/// What happened to the handshakes of one kind since the start.
public struct HandshakeCounters: Sendable, Equatable {
    /// INITs sent, repetitions included.
    public var initSent: UInt64 = 0
    /// INITs whose mac1 was good.
    public var initReceived: UInt64 = 0
    /// New answers.
    public var respSent: UInt64 = 0
    /// The same answer to the same INIT again.
    public var respRepeated: UInt64 = 0
    /// Good answers to our INITs.
    public var respReceived: UInt64 = 0
    public var cookieSent: UInt64 = 0
    /// Good cookies for messages of ours.
    public var cookieReceived: UInt64 = 0
    /// Sessions of ours that a packet came in under.
    public var initiatedConfirmed: UInt64 = 0
    /// Sessions of peers that a packet came in under.
    public var answeredConfirmed: UInt64 = 0
    /// Answers that no packet came in under in time.
    public var answeredDropped: UInt64 = 0
    /// Handshakes without an answer for 90 s.
    public var gaveUp: UInt64 = 0
    /// Messages of a wrong type, version or length.
    public var refusedMalformed: UInt64 = 0
    /// INITs with a wrong mac1: not for this node or network.
    public var refusedMAC1: UInt64 = 0
    /// INITs that do not open, or say what no node may say, or whose address is not that of the key.
    public var refusedInit: UInt64 = 0
    /// INITs with a stale time and without a cookie.
    public var refusedStale: UInt64 = 0
    /// RESPs to no open handshake, or that do not open.
    public var refusedResp: UInt64 = 0
    /// COOKIEs for nothing open, or that do not open.
    public var refusedCookie: UInt64 = 0
    /// INITs of strangers beyond the cap on peers.
    public var refusedPeerCap: UInt64 = 0
    /// Handshakes for which no session slot was free.
    public var refusedSlots: UInt64 = 0
    /// INITs to a node that keeps to stock bodies.
    public var refusedPolicy: UInt64 = 0

    public init() {}

    /// Everything that went out as an answer to an INIT.
    var answers: UInt64 { respSent + respRepeated + cookieSent }

    /// All of them by their stable names, in a fixed order.
    public var all: [(name: String, value: UInt64)] {
        [
            ("init_sent", initSent), ("init_received", initReceived), ("resp_sent", respSent),
            ("resp_repeated", respRepeated), ("resp_received", respReceived), ("cookie_sent", cookieSent),
            ("cookie_received", cookieReceived), ("initiated_confirmed", initiatedConfirmed),
            ("answered_confirmed", answeredConfirmed), ("answered_dropped", answeredDropped), ("gave_up", gaveUp),
            ("refused_malformed", refusedMalformed), ("refused_mac1", refusedMAC1), ("refused_init", refusedInit),
            ("refused_stale", refusedStale), ("refused_resp", refusedResp), ("refused_cookie", refusedCookie),
            ("refused_peer_cap", refusedPeerCap), ("refused_slots", refusedSlots),
            ("refused_policy", refusedPolicy),
        ]
    }
}
