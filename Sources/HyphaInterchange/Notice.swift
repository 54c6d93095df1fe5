/// What a worker tells control without a packet, one record of its notice ring.
@frozen
public struct Notice: BitwiseCopyable, Equatable, Sendable {
    @frozen
    public enum Kind: UInt8, BitwiseCopyable, Sendable {
        /// The first valid packet came in under the link session in `slot` of link `id`.
        case linkSessionConfirmed
        /// The link session in `slot` nears a limit.
        case linkRekeyDue
        /// Link `id` was sent data and nothing valid came back for a second.
        case linkSilent
        case linkSessionRetired
        case flowSessionConfirmed
        case flowRekeyDue
        /// Peer `id` was sent data and nothing valid came back for a second.
        case flowSilent
        /// A packet waits for a session with peer `id`.
        case flowNeeded
        case flowSessionRetired
        /// A packet waits for a route to the address whose upper half is `id` and `slot`; see `prefix`.
        case routeNeeded
        /// A packet went by a route that ends soon; the same encoding.
        case routeUsed
        /// The TCP connection `id` ended; `slot` is the reason, see `StreamClosing`.
        case streamClosed
        /// The dial of number `id` came to nothing; `slot` is the errno value.
        case streamFailed
        /// Too many TCP connections came in from one address in a short time; `prefix` is the upper half of an IPv6 address,
        /// or an IPv4 address. At most one a second.
        case streamsLimited
        /// The kernel's shortest round trip of the last minutes on TCP connection `id` is another one: `slot` microseconds.
        case streamRoundTrip
        /// The worker is about to use up its nonce prefix for stock bodies.
        case stockPrefixLow
        /// A stock body of peer `id` opened that carried the mark of a native node, for the first time.
        case peerMarked
        /// So many stock bodies were exchanged with peer `id` under one key that nonces may meet.
        case peerExposed
        /// Peer `id`, known to be native, falls back to stock bodies.
        case peerFellBack
        /// The worker has drained and stops.
        case drained
    }

    public var kind: Kind
    public var id: UInt32
    public var slot: UInt32

    public init(_ kind: Kind, id: UInt32 = .max, slot: UInt32 = .max) {
        self.kind = kind
        self.id = id
        self.slot = slot
    }

    /// About an address of the overlay, of which the upper half counts.
    public init(_ kind: Kind, prefix: UInt64) {
        self.init(kind, id: UInt32(truncatingIfNeeded: prefix &>> 32), slot: UInt32(truncatingIfNeeded: prefix))
    }

    /// The upper half of the address that it is about.
    public var prefix: UInt64 { UInt64(id) &<< 32 | UInt64(slot) }
}
