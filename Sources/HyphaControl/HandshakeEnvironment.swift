import HyphaBase
import HyphaSession

/// What the handshakes of one kind share: session slots, recent answers, counters.
struct HandshakeEnvironment: Sendable {
    enum Kind: Sendable {
        /// With neighbours.
        case link
        /// End to end.
        case flow

        /// Lanes to offer. Links: 0 for what control makes, 1 for the worker's packets. End to end: all, always.
        var lanes: UInt8 {
            switch self {
            case .link: 2
            case .flow: 16
            }
        }
    }

    let kind: Kind
    var slots: SessionSlots
    var answers = AnswerCache()
    var counters = HandshakeCounters()
    /// COOKIEs sent while nothing else is wrong.
    var cookieLimit = TokenBucket(rate: 100, burst: 200)

    init(kind: Kind, table: SessionTable) {
        self.kind = kind
        slots = SessionSlots(table: table)
    }
}
