import HyphaBase
import HyphaRouting

/// What was measured.
extension SimNetwork {
    mutating func beginQuiet() {
        report.quietSince = now
        report.sentBefore = nodes.map(\.sent)
        report.receivedBefore = nodes.map(\.received)
    }

    func measurement() -> Measurement {
        var result = Measurement()
        result.nodes = nodes.count
        result.links = links.count
        result.prefixes = prefixCount
        result.convergence = report.converged?.milliseconds(since: SimNetwork.start)
        result.lastChange = report.changed.milliseconds(since: SimNetwork.start)
        result.routes = nodes.map(\.router.sizes.routes).max() ?? 0
        result.feasibilityDistances = nodes.map(\.router.sizes.sources).max() ?? 0
        let before = report.quietSince == nil ? nodes.map(\.sent) : report.sentBefore
        result.messagesBefore = before.reduce(0) { $0 + $1.messages }
        result.bytesBefore = before.reduce(0) { $0 + $1.bytes }
        guard let since = report.quietSince else { return result }
        result.quietTime = now.milliseconds(since: since)
        guard result.quietTime > 0 else { return result }
        let rates = nodes.indices.map { node in
            let bytes =
                (nodes[node].sent - report.sentBefore[node]).bytes
                + (nodes[node].received - report.receivedBefore[node]).bytes
            return Double(bytes) * 8 / Double(result.quietTime)
        }
        let hubs = scenario.topology.hubs(nodes: nodes.count)
        result.hubTraffic = Measurement.Spread(Array(rates.prefix(hubs)))
        result.leafTraffic = Measurement.Spread(Array(rates.dropFirst(hubs)))
        return result
    }
}
