import HyphaBase
import HyphaWire

/// Updates on datagram links have serials: those that do not arrive are noticed and asked for.
///
/// A Hello follows a burst of Updates and says how many there were, so that the last ones are noticed too. The receiver
/// asks for what is missing; the sender says what is true now of the same prefixes.
extension Router {
    /// How long after the last Update of a burst such a Hello is sent, and then a second one, in milliseconds.
    static let checkDelays: [UInt64] = [200, 600]
    /// Least time between two answers to one neighbour, and between two dumps that it asks for because too much is
    /// missing, in milliseconds.
    static let answerSpacing: UInt64 = 100
    static let repairSpacing: UInt64 = 10_000

    /// What an Update is about: the number of a prefix, or one of these.
    static let noSubject = UInt32.max
    static func subject(ownPlace: Int) -> UInt32 { UInt32.max - 1 - UInt32(truncatingIfNeeded: ownPlace) }

    /// The serial of an Update to a neighbour.
    mutating func number(_ subject: UInt32, to id: NeighbourID) -> BabelTLV.Serial? {
        let time = clock
        let result = neighbours.update(id) { neighbour in
            neighbour.updateSent = time
            let isFirst = neighbour.checkDue == .distantFuture || neighbour.checks > 0
            if isFirst {
                neighbour.checks = 0
                neighbour.checkDue = time.advanced(byMilliseconds: Router.checkDelays[0])
            }
            return (neighbour.sent.number(subject), isFirst)
        }
        if result?.1 == true { scheduleNeighbour(id) }
        return result?.0
    }

    /// At `checkDue`: a Hello, if the burst is over.
    mutating func checkTimer(_ id: NeighbourID) {
        guard let neighbour = neighbours[id], clock >= neighbour.checkDue else { return }
        let quiet = neighbour.updateSent.advanced(byMilliseconds: Router.checkDelays[0])
        if neighbour.checks == 0, clock < quiet {
            _ = neighbours.update(id) { $0.checkDue = quiet }
            return
        }
        sendHello(to: id)
        let checks = neighbour.checks + 1
        let next =
            checks < Router.checkDelays.count
            ? clock.advanced(byMilliseconds: Router.checkDelays[checks]) : .distantFuture
        _ = neighbours.update(id) { neighbour in
            neighbour.checks = checks
            neighbour.checkDue = next
        }
    }

    /// Whether an Update may be acted on: it is none of those that came too late.
    mutating func accepts(_ update: BabelTLV.Update, from id: NeighbourID) -> Bool {
        guard let serial = update.serial, neighbours.kind(of: id) == .hypha else { return true }
        let time = clock
        let result = neighbours.update(id) { neighbour in
            let due = neighbour.received.due
            let order = neighbour.received.note(serial, now: time)
            return (order, due != neighbour.received.due)
        }
        if result?.1 == true { scheduleNeighbour(id) }
        switch result?.0 {
        case .next: break
        case .late:
            let route = table.number(of: update.prefix).flatMap { table.route(to: $0, through: id) }
            // That there is no route is true whatever overtook it.
            let isKnown = route == nil && update.metric == Metric.infinite.value
            let isNews = neighbours.update(id) { neighbour in
                let isNews =
                    isKnown || neighbour.received.isNews(serial.number, known: route.map { table[route: $0].serial })
                if isNews { neighbour.received.fill(serial.number) }
                return isNews
            }
            guard isNews == true else { fallthrough }
        default:
            counters.count(.updatesOutOfOrder)
            return false
        }
        return true
    }

    /// An Update that was acted on left no route of the neighbour: what it overtook must not bring one.
    mutating func noteWithoutRoute(_ serial: UInt16?, from id: NeighbourID) {
        guard let serial, neighbours.kind(of: id) == .hypha else { return }
        _ = neighbours.update(id) { $0.received.noteWithoutRoute(serial) }
    }

    /// At the time for it: asks a neighbour for what is missing.
    mutating func missingTimer(_ id: NeighbourID) {
        guard let neighbour = neighbours[id], clock >= neighbour.received.due else { return }
        let time = clock
        let request = neighbours.update(id) { neighbour in
            neighbour.received.ask(roundTrip: UInt64(neighbour.metric.value), now: time)
        }
        guard case .some(.some(let missing)) = request else { return }
        counters.count(.resendRequests)
        urgent.append(.send(.routeRequest(.init(prefix: nil, missing: missing)), to: id))
    }

    /// A neighbour misses Updates. If too many, it is sent everything.
    mutating func handleMissing(_ missing: BabelTLV.Missing, from id: NeighbourID) {
        guard let neighbour = neighbours[id], neighbour.kind == .hypha, missing.epoch == neighbour.sent.epoch,
            clock >= neighbour.answered.advanced(byMilliseconds: Router.answerSpacing)
        else { return counters.count(.resendsRefused) }
        var subjects: [UInt32] = []
        var isTooOld = missing.ranges.isEmpty
        for range in missing.ranges {
            for offset in 0..<range.count {
                guard let subject = neighbour.sent.subject(of: range.first &+ offset) else {
                    isTooOld = true
                    break
                }
                subjects.append(subject)
            }
            if isTooOld || subjects.count > ReceivedUpdates.mostAsked { break }
        }
        guard subjects.count <= ReceivedUpdates.mostAsked, outbox.count + subjects.count < configuration.limits.outbox
        else { return counters.count(.resendsRefused) }
        if isTooOld {
            if let repaired = neighbour.repaired, clock.milliseconds(since: repaired) < Router.repairSpacing {
                return counters.count(.resendsRefused)
            }
            startDump(to: id, isComplete: true)
        } else {
            counters.count(.resends)
            var seen: Set<UInt32> = []
            for subject in subjects where seen.insert(subject).inserted { enqueue(.again(subject, id)) }
        }
        let time = clock
        _ = neighbours.update(id) { neighbour in
            neighbour.answered = time
            if isTooOld { neighbour.repaired = time }
            neighbour.sent.answered = missing.number
            neighbour.sent.sayAnew()
        }
        enqueue(.answered(id))
    }
}
