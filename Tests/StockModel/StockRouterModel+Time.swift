import HyphaBase

/// What happens by itself.
extension StockRouterModel {
    /// Lets time pass. To be called some times a second.
    public mutating func advance(to now: UInt64) {
        guard aborted == nil, !controlPlaneIsDead else { return }
        sendHellos(now: now)
        buryThePeers(now: now)
        if now >= nextOwnUpdate {
            nextOwnUpdate = now + StockRouterModel.ownUpdateInterval
            sendOwnUpdate(to: linkNumbers, now: now)
        }
        endQueries(now: now)
        expireRoutes(now: now)
        for number in linkNumbers { links[number]?.conduct.check(now: now, &oddities) }
    }

    /// One timer for all peers.
    private mutating func sendHellos(now: UInt64) {
        guard now >= nextHello else { return }
        nextHello = max(nextHello + helloPeriod, now + 1)
        for number in linkNumbers where links[number]?.isBroken == false { links[number]?.sayHello(now: now) }
    }

    /// Drops peers without IHUs, and forgets what is too old.
    private mutating func buryThePeers(now: UInt64) {
        guard now >= nextDeathCheck else { return }
        nextDeathCheck = now + helloPeriod / 2
        for number in linkNumbers {
            guard let link = links[number], now > link.lastIHU + deathAfter else { continue }
            counters.linksSilent += 1
            if !link.isBroken { closing.append(number) }
            disconnect(number, now: now)
        }
        sources = sources.filter { now < $0.value.refreshed + StockRouterModel.sourceTime }
        requests = requests.filter { now < $0.value.time + StockRouterModel.queryTime }
        seqnoRequests = seqnoRequests.filter { now < $0.value.first + StockRouterModel.seqnoCacheTime }
    }
}
