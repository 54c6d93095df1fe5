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
        result.quietChanges = report.quietChanges
        let traffic = nodes.indices.map { node in
            [nodes[node].sent - report.sentBefore[node], nodes[node].received - report.receivedBefore[node]]
        }
        let perBit = 8 / Double(result.quietTime)
        let rates = traffic.map { Double($0[0].bytes + $0[1].bytes) * perBit }
        let hubs = scenario.topology.hubs(nodes: nodes.count)
        result.hubTraffic = Measurement.Spread(Array(rates.prefix(hubs)))
        result.leafTraffic = Measurement.Spread(Array(rates.dropFirst(hubs)))
        for (part, name) in SimTraffic.partNames.enumerated() {
            let bytes = traffic.dropFirst(hubs).reduce(0) { $0 + $1[0].parts[part] + $1[1].parts[part] }
            result.leafParts.append((name, Double(bytes) * perBit / Double(max(1, nodes.count - hubs))))
        }
        return result
    }
}
