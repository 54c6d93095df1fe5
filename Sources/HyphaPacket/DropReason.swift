/// Why a packet ended without being sent, delivered or punted. One counter each; the names are what users see.
public enum DropReason: UInt8, CaseIterable, Sendable {
    // Classify
    /// A datagram shorter than its type allows, or of another length than its type has.
    case badLength
    /// An unknown datagram type, version, or reserved byte that is not zero.
    case badType
    /// A datagram type of the protocol that this version does not act on (reset hints, key look-ups), or a body that does
    /// not travel on the next hop's link.
    case unsupported
    /// No session has this receiver index.
    case unknownIndex
    /// A lane that the session did not agree on.
    case badLane
    /// A key past its age, counter or forgery limit.
    case keyExpired
    /// The counter was seen before or lies behind the replay window.
    case replay
    // Open
    /// The link's authentication tag is wrong.
    case badAuth
    /// The content of an authentic link message breaks a rule of the protocol.
    case badFrame
    // Route
    /// The hop limit is used up.
    case hopLimit
    /// No route to the destination.
    case noRoute
    /// The next hop's link has no session.
    case linkDown
    /// Larger than the next hop takes.
    case tooBig
    /// The destination is this node, but nothing takes packets for it.
    case noListener
    // End to end
    /// No end-to-end session has this index, or it belongs to another peer.
    case unknownSession
    /// The end-to-end authentication tag is wrong.
    case badFlowAuth
    /// The end-to-end counter was seen before or lies behind the window.
    case flowReplay
    /// The end-to-end key is past its limits.
    case flowExpired
    /// An inner source that the session's key does not own, or a foreign source from the TUN.
    case badSource
    /// An inner packet that is not well-formed IPv6, or of an unknown kind.
    case badPacket
    /// A stock body of a node whose key is not known here.
    case unknownSource
    /// A stock body of or for a peer with which only native sessions are allowed.
    case downgrade
    // Fragments
    /// A piece that breaks a rule, or that came twice.
    case badFragment
    /// The other piece did not come in time, or many other packets began meanwhile.
    case fragmentLost
    // TUN
    /// Not IPv6, or not for the overlay (400::/7).
    case notOverlay
    // Limits
    /// A ring towards the control thread is full.
    case puntFull
    /// No free buffer.
    case noBuffer
    /// The send queue is full.
    case queueFull
    /// Pushed out of the queue of a TCP link by younger packets.
    case displaced
    /// A stock neighbour could not take it as it is meant.
    case unsafe
    /// Too many packets wait for a session or a route.
    case parkFull
    /// Waited too long for a session or a route.
    case parkTimeout
    /// The kernel refused the send.
    case sendFailed
    /// The TUN refused the write.
    case tunFailed
    /// Needed a key agreement while there were too many.
    case rateLimited
    /// The node is shutting down.
    case shutdown

    /// The name in statistics: snake_case of the case's name.
    public var name: String {
        var text = ""
        for character in "\(self)" {
            if character.isUppercase { text += "_" + character.lowercased() } else { text.append(character) }
        }
        return text
    }
}
