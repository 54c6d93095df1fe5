import HyphaBase
import HyphaWire

/// Open route queries, one for each prefix. While one is open, the same prefix is not asked for again: it is also the
/// cache that keeps requests from circling.
struct RouteRequests: Sendable {
    /// How long a query waits for an answer, in milliseconds.
    static let life: UInt64 = 15_000
    /// When a query is repeated on links that may lose it, in milliseconds after the first time.
    static let repeatTimes: [UInt64] = [1_000, 4_000]
    /// A request that was passed on so often is not passed on again.
    static let generationLimit: UInt8 = 15

    private var slots: [RouteQuery?] = []
    private var free: [Int] = []
    private var numbers: [Prefix: Int] = [:]
    private var timers = DeadlineSlots()

    var count: Int { numbers.count }
    var nextDeadline: Instant? { timers.next }

    subscript(prefix: Prefix) -> RouteQuery? {
        guard let number = numbers[prefix] else { return nil }
        return slots[number]
    }

    /// Open queries in a fixed order.
    var all: [RouteQuery] { slots.compactMap { $0 } }

    mutating func insert(_ query: RouteQuery) {
        let number: Int
        if let reused = free.popLast() {
            number = reused
            slots[number] = query
        } else {
            number = slots.count
            slots.append(query)
        }
        numbers[query.prefix] = number
        timers.set(number, min(query.ends, query.repeatDue))
    }

    /// Changes an open query.
    mutating func update(_ prefix: Prefix, _ change: (inout RouteQuery) -> Void) {
        guard let number = numbers[prefix], var query = slots[number] else { return }
        change(&query)
        slots[number] = query
        timers.set(number, min(query.ends, query.repeatDue))
    }

    mutating func remove(_ prefix: Prefix) -> RouteQuery? {
        guard let number = numbers.removeValue(forKey: prefix) else { return nil }
        timers.set(number, nil)
        free.append(number)
        return slots[number].take()
    }

    /// The next query that has ended or is to be repeated. Its timer is off until it is changed or removed.
    mutating func popDue(now: Instant) -> RouteQuery? {
        guard let number = timers.popDue(now: now) else { return nil }
        return slots[number]
    }
}
