import HyphaBase
import HyphaSession

/// What the handshakes of one kind share: session slots, recent answers, counters.
struct HandshakeEnvironment: Sendable {
    enum Kind: Sendable {
        /// With neighbours.
        case link
        /// End to end.
        case flow
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
