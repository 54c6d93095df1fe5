import HyphaBase
import HyphaWire

/// Seqnos that were asked for and did not come yet, one for each prefix and router id: the newest asked for.
struct SeqnoRequests: Sendable {
    struct Key: Hashable, Sendable {
        var prefix: Prefix
        var routerID: RouterID
    }

    /// How long a request is remembered, in milliseconds.
    static let life: UInt64 = 60_000
    /// Neighbours asked and requesters that a request remembers. Of the former the oldest goes.
    static let neighboursPerRequest = 8
    /// Own requests are repeated a second after the first, then after doubled times up to this one, in milliseconds, as
    /// long as there is somebody to ask.
    static let longestSpacing: UInt64 = 16_000
    static let hopCount: UInt8 = 64

    /// Before the same request goes to the same neighbour again, in milliseconds.
    static func spacing(_ kind: NeighbourLink.Kind) -> UInt64 { kind == .stock ? 4_000 : 900 }

    private var slots: [OpenSeqnoRequest?] = []
    private var free: [Int] = []
    private var numbers: [Key: Int] = [:]
    private var timers = DeadlineSlots()

    var count: Int { numbers.count }
    var nextDeadline: Instant? { timers.next }

    subscript(key: Key) -> OpenSeqnoRequest? {
        get {
            guard let number = numbers[key] else { return nil }
            return slots[number]
        }
        set {
            guard let value = newValue else {
                guard let number = numbers.removeValue(forKey: key) else { return }
                slots[number] = nil
                free.append(number)
                timers.set(number, nil)
                return
            }
            let number: Int
            if let known = numbers[key] {
                number = known
                slots[number] = value
            } else if let reused = free.popLast() {
                number = reused
                slots[number] = value
            } else {
                number = slots.count
                slots.append(value)
            }
            numbers[key] = number
            timers.set(number, min(value.attemptDue, value.last.advanced(byMilliseconds: SeqnoRequests.life)))
        }
    }

    /// The next request that is to be repeated or forgotten. Its timer is off until it is set again.
    mutating func popDue(now: Instant) -> OpenSeqnoRequest? {
        guard let number = timers.popDue(now: now) else { return nil }
        return slots[number]
    }
}
