import HyphaBase

extension StockRouterModel {
    /// What the node is and has counted.
    public func report(now: UInt64) -> StockReport {
        var oddities = oddities
        for link in links.values { oddities.absorb(link.decoder.oddities) }
        return StockReport(
            address: "\(identity.address)", key: Hex.encode(identity.publicKey),
            routerID: Hex.encode(identity.routerID),
            seqno: Int(seqno), peers: linkNumbers.compactMap { peer($0, now: now) },
            routes: table.keys.sorted().flatMap { routes($0, now: now) }, queried: queried.map(\.description),
            counters: counters,
            drops: Dictionary(uniqueKeysWithValues: drops.map { ($0.key.rawValue, $0.value) }),
            oddities: Dictionary(uniqueKeysWithValues: oddities.counts.map { ($0.key.rawValue, $0.value) }),
            examples: Dictionary(uniqueKeysWithValues: oddities.examples.map { ($0.key.rawValue, $0.value) }),
            controlPlaneIsDead: controlPlaneIsDead)
    }

    private func peer(_ number: Int, now: UInt64) -> StockReport.Peer? {
        guard let link = links[number] else { return nil }
        return StockReport.Peer(
            name: link.name, cost: Int(link.cost), isBroken: link.isBroken, sinceIHU: Int(now - link.lastIHU),
            routerID: link.conduct.routerID.map(Hex.encode))
    }

    private func routes(_ subnet: StockSubnet, now: UInt64) -> [StockReport.Route] {
        (table[subnet]?.routes ?? []).map { route in
            StockReport.Route(
                subnet: "\(subnet)", nextHop: links[route.neighbour]?.name ?? "", metric: Int(route.metric),
                seqno: Int(route.seqno), routerID: Hex.encode(route.routerID), isSelected: route.isSelected,
                expiresIn: Int(route.expiry) - Int(now))
        }
    }
}
