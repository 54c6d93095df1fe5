/// What a router counts.
public enum RouterCounter: Int, CaseIterable, Sendable {
    case hellos, ihus, updates, routeRequests, wildcardRequests, seqnoRequests
    /// Messages of a neighbour that is not up.
    case strangers
    /// Prefixes with bits beyond their length; cleared, then treated as any.
    case strayBits
    /// Above a neighbour's rate; and all of a neighbour that was above it for too long.
    case rateExceeded, neighbourRefused
    /// Updates not taken: prefix outside of what can be routed; prefix without the origin's address; a metric below the
    /// least link cost from somebody else than the origin; own prefix.
    case prefixNotRoutable, originOutsidePrefix, metricTooLow, ownPrefix
    /// Updates not taken: table limits.
    case routesFull, neighbourRoutesFull, keyPrefixesFull, prefixRoutesFull
    /// Neighbours asked again for what was not taken for lack of room.
    case roomRequests
    /// Updates whose route may not be used for now; those of them with a seqno too far ahead.
    case infeasible, seqnosImplausible
    /// Updates not used, or announcements withheld: no room for a feasibility distance. Announcements withheld: metric at its
    /// end.
    case sourcesFull, metricExhausted
    case neighboursFull
    /// Requests passed on, answered, left without answer, or dropped: generation used up, hop count used up, asked before,
    /// no room, mostly unanswered before.
    case requestsRelayed, requestsAnswered, requestsUnanswered, generationExceeded, hopCountExceeded, duplicateRequests
    case queriesFull, neighbourQueriesFull, queriesThrottled, seqnoRequestsFull
    case wildcardsIgnored
    case outboxFull
    case routesExpired, routesLost, selections, sourcesExpired
    case queriesResolved, queriesFailed
    case neighboursDead
    case announcements, retractions, dumps
    /// Updates that came too late to act on; requests for those that did not come, sent, answered and left without answer.
    case updatesOutOfOrder, resendRequests, resends, resendsRefused
    case seqnoBumps, seqnoJumps, routerIDsDrawn
    /// The own prefix under another router id of the own key.
    case foreignRouterIDs

    /// The name in statistics.
    public var name: String { RouterCounters.name(self) }
}
