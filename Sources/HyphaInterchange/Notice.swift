/// What a worker tells control without a packet, one record of its notice ring.
@frozen
public struct Notice: BitwiseCopyable, Sendable {
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
}
