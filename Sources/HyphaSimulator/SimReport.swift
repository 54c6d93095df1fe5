import HyphaBase

/// What is measured while a simulated mesh runs.
struct SimReport: Sendable {
    /// Prefixes of others that nodes have a route to, over all nodes, and how many there can be.
    var installed = 0
    var expected = 0
    /// When the last of these came; when any first next hop last changed.
    var converged: Instant?
    var changed = Instant.zero
    /// What each node had sent and received when the quiet time began.
    var quietSince: Instant?
    /// Changes of a first next hop in each minute since then.
    var quietChanges: [Int] = []
    var sentBefore: [SimTraffic] = []
    var receivedBefore: [SimTraffic] = []

    /// A first next hop changed.
    mutating func noteChange(now: Instant) {
        changed = now
        guard let quietSince else { return }
        let minute = Int(clamping: now.milliseconds(since: quietSince) / 60_000)
        while quietChanges.count <= minute { quietChanges.append(0) }
        quietChanges[minute] += 1
    }
}
