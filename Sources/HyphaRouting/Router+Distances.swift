import HyphaBase
import HyphaWire

/// The feasibility distances: what is noted before it is announced, and when it may be forgotten.
///
/// A distance must be there as long as anybody may have a route that came from what was announced under it: then no loop can
/// close, since everybody is strictly farther than those that it uses. It is not evicted when there is no room: a route for
/// whose distance there is none is not used, and packets keep to what is known.
extension Router {
    func distance(_ number: Int, routerID: UInt32) -> FeasibilityDistance? {
        sources.find(routerID, from: table[number].firstSource).map { sources[$0].distance }
    }

    /// Notes that we announce this. False when there is no room: then it must not be announced.
    mutating func recordDistance(_ number: Int, routerID: UInt32, seqno: Seqno, metric: Metric) -> Bool {
        let new = FeasibilityDistance(seqno: seqno, metric: metric)
        if let entry = sources.find(routerID, from: table[number].firstSource) {
            if new.isBetter(than: sources[entry].distance) { sources[entry].improve(new, now: clock) }
            sources[entry].noteTold(now: clock)
            return true
        }
        guard hasRoomForDistance(of: number) else { return false }
        ids.retain(routerID)
        sources.insert(.init(routerID: routerID, distance: new, now: clock), before: &table[number].firstSource)
        return true
    }

    /// Newer seqnos alone are not announced. The distance of the route in use follows them all the same, from time to time:
    /// else it would be so far behind one day that the origin's true seqno looks forged.
    mutating func keepUp(_ number: Int) {
        let route = table[route: table[number].selected]
        guard let entry = sources.find(route.routerID, from: table[number].firstSource),
            route.seqno.isNewer(than: sources[entry].distance.seqno),
            route.seqno.value &- sources[entry].distance.seqno.value >= SourceTable.lag
        else { return }
        let (metric, routerID) = announceable(number)
        guard !metric.isInfinite else { return }
        _ = recordDistance(number, routerID: routerID, seqno: route.seqno, metric: metric)
    }

    /// Whether a seqno is too far ahead to be the origin's; counts it then.
    mutating func noteImplausible(_ seqno: Seqno, of number: Int, routerID: UInt32) -> Bool {
        guard let entry = sources.find(routerID, from: table[number].firstSource),
            !sources[entry].isPlausible(seqno, now: clock)
        else { return false }
        counters.count(.seqnosImplausible)
        return true
    }

    /// Whether there is a distance for a router id, or room for one. A node that announces nothing needs none, and what is
    /// in use already stays.
    func hasRoom(forDistanceOf routerID: UInt32, _ number: Int) -> Bool {
        let destination = table[number]
        return !configuration.isTransit || sources.find(routerID, from: destination.firstSource) != nil
            || destination.told == .reachable && destination.installed.routerID == routerID
            || hasRoomForDistance(of: number)
    }

    private func hasRoomForDistance(of number: Int) -> Bool {
        let limits = configuration.limits
        return mutant == .unboundedTables
            || sources.count < limits.sources
                && sources.length(from: table[number].firstSource) < limits.sourcesPerPrefix
    }

    /// When a route that may not be used now, because of its seqno or for lack of room, is looked at again.
    func usableFrom(_ route: UInt32) -> Instant {
        let candidate = table[route: route]
        let number = Int(candidate.destination)
        guard let entry = sources.find(candidate.routerID, from: table[number].firstSource) else {
            return hasRoom(forDistanceOf: candidate.routerID, number)
                ? .distantFuture : clock.advanced(byMilliseconds: SourceTable.silence)
        }
        let start = sources[entry].plausibleFrom(candidate.seqno)
        return start > clock ? start : .distantFuture
    }

    // MARK: The end

    /// All neighbours hear something else about a prefix than before: for what they were told before the time of forgetting
    /// begins.
    mutating func noteSuperseded(_ number: Int) {
        let announcement = table[number].announcement
        var entry = table[number].firstSource
        while entry != RouteTable.none {
            let isAnnounced = !announcement.metric.isInfinite && announcement.routerID == sources[entry].routerID
            if announcement.isToldToSome || isAnnounced { sources[entry].noteTold(now: clock) }
            entry = sources[entry].next
        }
    }

    /// Whether something is announced under a distance, to all or maybe to some, or about to be.
    private func isInForce(_ entry: UInt32, of number: Int) -> Bool {
        let destination = table[number]
        let routerID = sources[entry].routerID
        if destination.announcement.isToldToSome { return true }
        if !destination.announcement.metric.isInfinite, destination.announcement.routerID == routerID { return true }
        return destination.selected != RouteTable.none && table[route: destination.selected].routerID == routerID
    }

    /// Whether nobody can have a route any more that came from a distance: nothing was said under it for a while, and all
    /// neighbours have heard what was said instead. (Whoever went down meanwhile has forgotten all, or will hear it.)
    private func isForgettable(_ entry: UInt32, of number: Int) -> Bool {
        guard !isInForce(entry, of: number) else { return false }
        if mutant == .hastyForgetting { return true }
        let told = sources[entry].lastTold.instant
        guard told.advanced(byMilliseconds: SourceTable.silence) <= clock else { return false }
        return neighbours.haveHeardAll(until: told, now: clock)
    }

    /// When to look whether a distance can be forgotten.
    func checkDue(_ entry: UInt32, of number: Int) -> Instant {
        let end = sources[entry].lastUse.instant.advanced(byMilliseconds: SourceTable.life)
        guard !isInForce(entry, of: number) else { return end }
        if mutant == .hastyForgetting { return clock }
        // Ever less often.
        var wait = SourceTable.silence
        while sources[entry].lastTold.instant.advanced(byMilliseconds: wait) <= clock { wait *= 2 }
        return min(end, sources[entry].lastTold.instant.advanced(byMilliseconds: wait))
    }

    /// Forgets the distances of a prefix that may be forgotten. After its life one is forgotten whatever the neighbours say,
    /// unless a route needs it: then they have lost what they heard, too.
    mutating func expireSources(_ number: Int) {
        var entry = table[number].firstSource
        while entry != RouteTable.none {
            let next = sources[entry].next
            let isOver = sources[entry].lastUse.instant.advanced(byMilliseconds: SourceTable.life) <= clock
            let isUsed = isInForce(entry, of: number) || isReferenced(number, routerID: sources[entry].routerID)
            if isForgettable(entry, of: number) || isOver && !isUsed {
                counters.count(.sourcesExpired)
                removeSource(entry, of: number)
            } else if isOver {
                sources[entry].lastUse = Tick(clock)
            }
            entry = next
        }
    }

    private func isReferenced(_ number: Int, routerID: UInt32) -> Bool {
        var route = table[number].firstRoute
        while route != RouteTable.none {
            if table[route: route].routerID == routerID { return true }
            route = table[route: route].next
        }
        return false
    }

    private mutating func removeSource(_ entry: UInt32, of number: Int) {
        let routerID = sources[entry].routerID
        sources.remove(entry, from: &table[number].firstSource)
        ids.release(routerID)
    }

    /// The life of a distance starts again: a route that needed it has just gone.
    mutating func touchSource(_ number: Int, routerID: UInt32) {
        if let entry = sources.find(routerID, from: table[number].firstSource) { sources[entry].lastUse = Tick(clock) }
    }
}
