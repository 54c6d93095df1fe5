import HyphaBase

/// Route requests and seqno requests.
extension StockRouterModel {
    // MARK: - Route requests

    /// This node needs a way to a subnet: marks it queried, and asks those peers that were not asked in the last 15 s.
    mutating func query(_ subnet: StockSubnet, now: UInt64) {
        markQueried(subnet, now: now)
        let memory = validMemory(subnet, now: now)
        let asksAll = (memory?.generation ?? 0) > 0
        let targets = linkNumbers.filter { asksAll || memory?.peers.contains($0) != true }
        sendRouteRequest(subnet, generation: 0, to: targets)
        // The time restarts also when nothing is sent.
        requests[subnet] = StockRequestMemory(generation: 0, peers: Set(links.keys), time: now)
    }

    /// The timer starts in any case; one that is left over ends a newer query early.
    private mutating func markQueried(_ subnet: StockSubnet, now: UInt64) {
        if table[subnet] == nil { insert(StockTableEntry(), for: subnet) }
        // One timer a packet would be stock's way; one each 100 ms is as good.
        let end = now + StockRouterModel.queryTime
        if let last = queryTimers[subnet]?.last, end < last + 100 { return }
        queryTimers[subnet, default: []].append(end)
    }

    private func validMemory(_ subnet: StockSubnet, now: UInt64) -> StockRequestMemory? {
        guard let memory = requests[subnet], now < memory.time + StockRouterModel.queryTime else { return nil }
        return memory
    }

    /// A peer asks for a subnet; nil is everything.
    mutating func routeRequest(_ subnet: StockSubnet?, generation: UInt8, from number: Int, now: UInt64) {
        guard let subnet else {
            for known in table.keys.sorted() {
                guard let route = table[known]?.selected, route.neighbour != number else { continue }
                sendRoute(known, route, to: [number], now: now)
            }
            sendOwnUpdate(to: [number], now: now)
            return
        }
        if identity.subnet.contains(subnet) {
            sendOwnUpdate(to: [number], now: now)
            return
        }
        if let entry = table[subnet] {
            // Silence when the asker is the way, when nothing is selected, and when others are being asked.
            if let route = entry.selected, route.neighbour != number {
                sendRoute(subnet, route, to: [number], now: now)
            }
            return
        }
        // 255 becomes 0.
        let next = generation &+ 1
        guard next < 16 else { return }
        markQueried(subnet, now: now)
        let memory = validMemory(subnet, now: now)
        let asksAll = memory.map { next < $0.generation } ?? true
        let targets = linkNumbers.filter { $0 != number && (asksAll || memory?.peers.contains($0) != true) }
        sendRouteRequest(subnet, generation: next, to: targets)
        requests[subnet] = StockRequestMemory(generation: next, peers: Set(links.keys), time: now)
    }

    mutating func sendRouteRequest(_ subnet: StockSubnet, generation: UInt8, to numbers: [Int]) {
        counters.routeRequestsSent += numbers.count
        let frame = StockEncoder.routeRequest(subnet, generation: generation)
        for number in numbers { links[number]?.write(frame) }
    }

    /// Queries without a route after 15 s.
    mutating func endQueries(now: UInt64) {
        let due = queryTimers.filter { $0.value.contains { $0 <= now } }.map(\.key).sorted()
        for subnet in due {
            queryTimers[subnet]?.removeAll { $0 <= now }
            if queryTimers[subnet]?.isEmpty == true { queryTimers[subnet] = nil }
            guard table[subnet]?.isQueried == true else { continue }
            remove(subnet)
            failOutbound(subnet, now: now)
        }
    }

    // MARK: - Seqno requests

    /// Asks for the next sequence number of a source. With a `pause` those asked in the last 4 s are left out.
    mutating func requestSeqno(_ source: StockSource, of numbers: [Int], pause: Bool = false, now: UInt64) {
        let key = StockSeqnoKey(source: source, seqno: (sources[source]?.seqno ?? 0) &+ 1)
        var memory = seqnoRequests[key] ?? StockSeqnoMemory(first: now)
        let targets = numbers.filter { number in
            guard links[number] != nil, !memory.requesters.contains(number) else { return false }
            guard pause, let asked = memory.asked[number] else { return true }
            return now >= asked + StockRouterModel.seqnoPause
        }
        guard !targets.isEmpty else { return }
        for number in targets { memory.asked[number] = now }
        seqnoRequests[key] = memory
        sendSeqnoRequest(key, hopCount: 64, to: targets)
    }

    private mutating func sendSeqnoRequest(_ key: StockSeqnoKey, hopCount: UInt8, to numbers: [Int]) {
        counters.seqnoRequestsSent += numbers.count
        let frame = StockEncoder.seqnoRequest(
            key.source.subnet, routerID: key.source.routerID, seqno: key.seqno, hopCount: hopCount)
        for number in numbers { links[number]?.write(frame) }
    }

    /// A peer asks for a sequence number.
    mutating func seqnoRequest(_ key: StockSeqnoKey, hopCount: UInt8, from number: Int, now: UInt64) {
        if let memory = seqnoRequests[key], now < memory.first + StockRouterModel.seqnoCacheTime { return }
        let subnet = key.source.subnet
        let entry = table[subnet]
        if let route = entry?.selected, route.metric != StockMetric.infinite {
            let isOld = StockMetric.isNewer(key.seqno, than: route.seqno)
            if route.routerID != key.source.routerID || !isOld {
                // Stock adds the cost of the asker's link, not of the next hop's.
                sendRoute(subnet, route, to: [number], over: number, now: now)
                return
            }
        }
        let isOwnID = key.source.routerID == identity.routerID
        if isOwnID, subnet == identity.subnet, StockMetric.isNewer(key.seqno, than: seqno) {
            guard now >= seqnoBumped + StockRouterModel.seqnoPause else { return }
            seqno &+= 1
            seqnoBumped = now
            sendOwnUpdate(to: linkNumbers, now: now)
            return
        }
        guard hopCount >= 2, !isOwnID, let routes = entry?.routes else { return }
        let usable = routes.filter { $0.neighbour != number && links[$0.neighbour] != nil }
        let next =
            usable.first {
                let source = StockSource(subnet: subnet, routerID: $0.routerID)
                return $0.metric != StockMetric.infinite && isFeasible(source, seqno: $0.seqno, metric: $0.metric)
            } ?? usable.first
        guard let next else { return }
        var memory = StockSeqnoMemory(first: now)
        memory.requesters = [number]
        memory.asked[next.neighbour] = now
        seqnoRequests[key] = memory
        sendSeqnoRequest(key, hopCount: hopCount - 1, to: [next.neighbour])
    }
}
