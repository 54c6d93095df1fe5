import HyphaBase

/// Updates: received, chosen from, and sent.
extension StockRouterModel {
    /// A received Update.
    mutating func update(
        _ source: StockSource, seqno: UInt16, metric: UInt16, interval: UInt16, from number: Int, now: UInt64
    ) {
        let subnet = source.subnet
        let isRetraction = metric == StockMetric.infinite
        guard StockRouterModel.accepts(subnet, routerID: source.routerID, metric: metric) else {
            oddities.note(.updateRefused, "\(subnet) metric \(metric) by \(Hex.encode(source.routerID))")
            return
        }
        guard subnet != identity.subnet else { return }
        let feasible = isFeasible(source, seqno: seqno, metric: metric)
        let expiry = now + StockMetric.hold(interval: interval, metric: metric)
        let before = table[subnet]?.selected
        var entry = table[subnet] ?? StockTableEntry()
        if let index = entry.routes.firstIndex(where: { $0.neighbour == number }) {
            var route = entry.routes[index]
            if route.isSelected, !feasible, route.routerID == source.routerID {
                requestSeqno(source, of: [number], now: now)
                return
            }
            if route.metric == StockMetric.infinite, isRetraction { return }
            let wasSelected = route.isSelected
            route.seqno = seqno
            route.metric = metric
            route.routerID = source.routerID
            if feasible { route.expiry = expiry } else { route.isSelected = false }
            entry.routes[index] = route
            table[subnet] = entry
            if !feasible, !wasSelected { return }
        } else {
            guard feasible else {
                if entry.isQueried || before == nil { requestSeqno(source, of: [number], now: now) }
                return
            }
            guard !isRetraction else { return }
            if entry.isQueried { entry.cipher = identity.cipher(with: source.routerID) }
            entry.routes.append(
                StockRoute(
                    neighbour: number, routerID: source.routerID, metric: metric, seqno: seqno, expiry: expiry))
            insert(entry, for: subnet)
        }
        reselect(subnet, before: before, now: now)
    }

    /// The filters: a subnet of /64 or longer in 400::/7 that holds the address of the router id's key, unless it is lost.
    public static func accepts(_ subnet: StockSubnet, routerID: [UInt8], metric: UInt16) -> Bool {
        subnet.isOverlay && subnet.length >= 64
            && (metric == StockMetric.infinite || subnet.contains(StockIdentity.address(of: routerID)))
    }

    func isFeasible(_ source: StockSource, seqno: UInt16, metric: UInt16) -> Bool {
        let distance = sources[source].map { ($0.seqno, $0.metric) }
        return StockMetric.isFeasible(seqno: seqno, metric: metric, distance: distance)
    }

    /// Chooses among the routes to a subnet and tells the peers when that changes something. `before` is what was selected
    /// before anything changed.
    mutating func reselect(
        _ subnet: StockSubnet, before: StockRoute?, asksSeqno: Bool = true, always: Bool = false, now: UInt64
    ) {
        guard var entry = table[subnet] else { return }
        let candidates = entry.routes.map { route in
            let source = StockSource(subnet: subnet, routerID: route.routerID)
            return StockSelection.Candidate(
                metric: route.metric, linkCost: links[route.neighbour]?.cost ?? StockMetric.infinite,
                isFeasible: isFeasible(source, seqno: route.seqno, metric: route.metric))
        }
        entry.select(StockSelection.choose(candidates, selected: entry.selectedIndex))
        table[subnet] = entry
        let after = entry.selected
        if after == nil, let before, asksSeqno {
            let source = StockSource(subnet: subnet, routerID: before.routerID)
            requestSeqno(source, of: entry.routes.map(\.neighbour), pause: true, now: now)
        }
        let acquired = after != nil && (before == nil || before?.metric == StockMetric.infinite)
        let lost = after == nil && before != nil
        if let after, !acquired, let before {
            let moved = abs(Int(after.metric) - Int(before.metric)) > 10
            if always || moved || after.routerID != before.routerID {
                propagate(subnet, now: now)
            } else {
                answerSeqnoRequests(subnet, after, now: now)
            }
        } else if acquired || lost {
            propagate(subnet, now: now)
        }
        if acquired { flush(subnet, now: now) }
        if lost { failOutbound(subnet, now: now) }
    }

    /// Tells those who asked for this very sequence number.
    private mutating func answerSeqnoRequests(_ subnet: StockSubnet, _ route: StockRoute, now: UInt64) {
        let key = StockSeqnoKey(source: StockSource(subnet: subnet, routerID: route.routerID), seqno: route.seqno)
        let requesters = seqnoRequests[key]?.requesters ?? []
        if !requesters.isEmpty { sendRoute(subnet, route, to: requesters, now: now) }
    }

    // MARK: - Sending

    /// The selected route to everybody but its next hop; without one a retraction to all.
    private mutating func propagate(_ subnet: StockSubnet, now: UInt64) {
        if let route = table[subnet]?.selected {
            sendRoute(subnet, route, to: linkNumbers.filter { $0 != route.neighbour }, now: now)
        } else {
            // With the router id and the seqno of the node that retracts.
            counters.retractionsSent += links.count
            send(
                StockSource(subnet: subnet, routerID: identity.routerID), seqno: seqno, metric: StockMetric.infinite,
                to: linkNumbers, now: now)
        }
    }

    /// `over` is the link whose cost is added when it is not that of the next hop.
    mutating func sendRoute(
        _ subnet: StockSubnet, _ route: StockRoute, to numbers: [Int], over: Int? = nil, now: UInt64
    ) {
        let cost = links[over ?? route.neighbour]?.cost ?? StockMetric.infinite
        send(
            StockSource(subnet: subnet, routerID: route.routerID), seqno: route.seqno,
            metric: StockMetric.sum(route.metric, cost), to: numbers, now: now)
    }

    mutating func sendOwnUpdate(to numbers: [Int], now: UInt64) {
        let own = StockSource(subnet: identity.subnet, routerID: identity.routerID)
        send(own, seqno: seqno, metric: 0, to: numbers, now: now)
    }

    private mutating func send(_ source: StockSource, seqno: UInt16, metric: UInt16, to numbers: [Int], now: UInt64) {
        guard !numbers.isEmpty else { return }
        remember(source, seqno: seqno, metric: metric, now: now)
        let frame = StockEncoder.update(source.subnet, routerID: source.routerID, seqno: seqno, metric: metric)
        counters.updatesSent += numbers.count
        for number in numbers { links[number]?.write(frame) }
    }

    /// The feasibility distance is what was sent.
    private mutating func remember(_ source: StockSource, seqno: UInt16, metric: UInt16, now: UInt64) {
        let new = StockDistance(seqno: seqno, metric: metric, refreshed: now)
        guard let known = sources[source] else {
            sources[source] = new
            return
        }
        let isNewer = StockMetric.isNewer(seqno, than: known.seqno)
        if isNewer || seqno == known.seqno && metric < known.metric {
            sources[source] = new
        } else if metric != StockMetric.infinite {
            sources[source]?.refreshed = now
        }
    }

    // MARK: - The table

    mutating func insert(_ entry: StockTableEntry, for subnet: StockSubnet) {
        table[subnet] = entry
        countLengths()
    }

    mutating func remove(_ subnet: StockSubnet) {
        table[subnet] = nil
        countLengths()
    }

    private mutating func countLengths() { lengths = Set(table.keys.map(\.length)).sorted(by: >) }

    /// The table's longest subnet around an address.
    func longestMatch(_ address: IPv6Address) -> StockSubnet? {
        for length in lengths {
            let subnet = StockSubnet(address, length)
            if table[subnet] != nil { return subnet }
        }
        return nil
    }

    /// What is asked for at the moment, in order.
    var queried: [StockSubnet] { table.filter(\.value.isQueried).map(\.key).sorted() }

    /// A peer is gone: its selected routes are lost and stay for a while, the others go.
    mutating func losePeer(_ number: Int, now: UInt64) {
        for subnet in table.keys.sorted() {
            guard var entry = table[subnet], let index = entry.routes.firstIndex(where: { $0.neighbour == number })
            else { continue }
            let before = entry.routes[index]
            guard before.isSelected else {
                entry.routes.remove(at: index)
                if entry.routes.isEmpty { remove(subnet) } else { table[subnet] = entry }
                continue
            }
            entry.routes[index].metric = StockMetric.infinite
            entry.routes[index].expiry = now + StockRouterModel.retractionHold
            table[subnet] = entry
            reselect(subnet, before: before, now: now)
        }
    }

    /// Routes whose time is over.
    mutating func expireRoutes(now: UInt64) {
        let due = table.filter { $0.value.routes.contains { $0.expiry <= now } }.map(\.key).sorted()
        for subnet in due {
            guard var entry = table[subnet] else { continue }
            entry.routes.removeAll { $0.expiry <= now && !$0.isSelected }
            guard !entry.routes.isEmpty else {
                remove(subnet)
                continue
            }
            guard let index = entry.selectedIndex, entry.routes[index].expiry <= now else {
                table[subnet] = entry
                continue
            }
            let before = entry.routes[index]
            entry.routes[index].metric = StockMetric.infinite
            entry.routes[index].expiry = now + StockRouterModel.retractionHold
            table[subnet] = entry
            reselect(subnet, before: before, asksSeqno: false, always: true, now: now)
        }
    }
}
