import HyphaBase

/// The last answers to INITs: whoever repeats an INIT within 5 s gets the same RESP again, without new work.
///
/// At most 64; the oldest goes for a new one.
struct AnswerCache: Sendable {
    struct Answer: Sendable {
        /// mac1 of the INIT.
        let mac1: [UInt8]
        /// Overlay source of the INIT, zero for links.
        let source: IPv6Address
        let owner: UInt32
        let slot: UInt32
        /// RESP with mac2 zero.
        let response: [UInt8]
        let until: Instant
    }

    static let capacity = 64
    static let lifeMilliseconds: UInt64 = 5_000

    private var answers: [Answer] = []
    private var oldest = 0

    /// The answer to an INIT with this mac1 from this source.
    func answer(mac1: [UInt8], source: IPv6Address, now: Instant) -> Answer? {
        answers.first { $0.until > now && $0.mac1 == mac1 && $0.source == source }
    }

    /// The answer whose session is in `slot`.
    func answer(slot: UInt32, owner: UInt32, now: Instant) -> Answer? {
        answers.first { $0.until > now && $0.slot == slot && $0.owner == owner }
    }

    /// The answers that went to sources with this upper half.
    func answers(in subnet: UInt64, now: Instant) -> [Answer] {
        answers.filter { $0.until > now && $0.source.high == subnet }
    }

    mutating func insert(_ answer: Answer) {
        if answers.count < AnswerCache.capacity {
            answers.append(answer)
        } else {
            answers[oldest] = answer
            oldest = (oldest + 1) % AnswerCache.capacity
        }
    }
}
