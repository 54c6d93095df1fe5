import HyphaBase
import HyphaWire

/// One seqno that we asked for, for ourselves or for neighbours.
struct OpenSeqnoRequest: Sendable {
    /// One neighbour that was asked.
    struct Asked: Sendable {
        var neighbour: NeighbourID
        var at: Instant
    }

    let prefix: Prefix
    let routerID: RouterID
    var seqno: Seqno
    /// Of our own messages.
    var hopCount: UInt8
    /// This node itself needs it, and asks again until it has a route.
    var isOwn: Bool
    var attempts: UInt8 = 0
    var attemptDue = Instant.distantFuture
    var last: Instant
    /// Who is told when it comes.
    var requesters: [NeighbourID] = []
    var asked: [Asked] = []

    /// Whether a neighbour was asked less than `window` milliseconds ago.
    func wasAsked(_ neighbour: NeighbourID, within window: UInt64, now: Instant) -> Bool {
        asked.contains { $0.neighbour == neighbour && now.milliseconds(since: $0.at) < window }
    }

    mutating func noteAsked(_ neighbour: NeighbourID, now: Instant) {
        last = now
        if let place = asked.firstIndex(where: { $0.neighbour == neighbour }) {
            asked[place].at = now
            return
        }
        if asked.count >= SeqnoRequests.neighboursPerRequest { asked.removeFirst() }
        asked.append(Asked(neighbour: neighbour, at: now))
    }

    /// The neighbour may be asked again at once. False when it was not asked.
    mutating func forgetAsked(_ neighbour: NeighbourID) -> Bool {
        guard let place = asked.firstIndex(where: { $0.neighbour == neighbour }) else { return false }
        asked.remove(at: place)
        return true
    }

    /// False when it is known already or there is no room.
    mutating func addRequester(_ neighbour: NeighbourID) -> Bool {
        guard !requesters.contains(neighbour), requesters.count < SeqnoRequests.neighboursPerRequest else {
            return false
        }
        requesters.append(neighbour)
        return true
    }
}
