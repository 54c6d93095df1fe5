import HyphaBase
import HyphaWire

/// A newer seqno that we ask for, for ourselves or for neighbours, each of whom may need another one.
///
/// Asked for is what this node needs itself, else the oldest that a neighbour needs: who asks for one that is far ahead keeps
/// nobody from getting a nearer one.
struct OpenSeqnoRequest: Sendable {
    /// One neighbour that needs it, and which seqno that needs.
    struct Requester: Sendable {
        var neighbour: NeighbourID
        var seqno: Seqno
    }

    /// One neighbour that was asked.
    struct Asked: Sendable {
        var neighbour: NeighbourID
        var at: Instant
    }

    let prefix: Prefix
    let routerID: RouterID
    /// What this node itself needs; it asks again until it has a route. Nil: only others need something.
    private(set) var own: Seqno?
    var attempts: UInt8 = 0
    var attemptDue = Instant.distantFuture
    var last: Instant
    /// Who is told when theirs comes.
    private(set) var requesters: [Requester] = []
    private(set) var asked: [Asked] = []

    init(prefix: Prefix, routerID: RouterID, now: Instant) {
        self.prefix = prefix
        self.routerID = routerID
        last = now
    }

    /// Nil when nobody needs anything.
    var seqno: Seqno? {
        own
            ?? requesters.first.map { first in
                requesters.dropFirst().reduce(first.seqno) { $1.seqno.isOlder(than: $0) ? $1.seqno : $0 }
            }
    }

    /// This node needs a seqno. Another one than before is asked for at once.
    mutating func need(_ seqno: Seqno) {
        guard own != seqno else { return }
        own = seqno
        asked = []
        attempts = 0
    }

    mutating func needNoMore() { own = nil }

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

    /// Notes what a neighbour needs now, if there is room.
    mutating func addRequester(_ neighbour: NeighbourID, _ seqno: Seqno) {
        if let place = requesters.firstIndex(where: { $0.neighbour == neighbour }) {
            requesters[place].seqno = seqno
        } else if requesters.count < SeqnoRequests.neighboursPerRequest {
            requesters.append(Requester(neighbour: neighbour, seqno: seqno))
        }
    }

    /// There is a route with this seqno: takes out and returns who needed no newer one.
    mutating func takeServed(by seqno: Seqno) -> [NeighbourID] {
        let served = requesters.filter { !$0.seqno.isNewer(than: seqno) }
        requesters.removeAll { !$0.seqno.isNewer(than: seqno) }
        return served.map(\.neighbour)
    }
}
