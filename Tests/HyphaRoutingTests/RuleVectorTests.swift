import HyphaBase
import HyphaIdentity
import HyphaRouting
import HyphaWire
import TestVectors
import Testing

private func rows(_ name: String) throws -> [JSON] {
    let rows = try Vectors.load("rules.json")[name].array()
    try #require(!rows.isEmpty)
    return rows
}

@Test
func seqnoOrderOfTheVectors() throws {
    for row in try rows("seqno_order") {
        let a = Seqno(try row["a"].number())
        let b = Seqno(try row["b"].number())
        #expect(a.isNewer(than: b) == (try row["a_newer"].bool()))
        #expect(a.isOlder(than: b) == (try row["a_older"].bool()))
    }
}

@Test
func seqnoOrderAtEveryDistance() {
    for start in [0, 1, 32767, 32768, 65535] as [UInt16] {
        for distance in 0...65535 as ClosedRange<UInt16> {
            let a = Seqno(start)
            let b = a.advanced(by: distance)
            #expect(b.isNewer(than: a) == (1...32767).contains(distance))
            #expect(a.isNewer(than: b) == (32769...65535).contains(distance))
            #expect(a.isOlder(than: b) == b.isNewer(than: a))
        }
    }
}

@Test
func metricSumsOfTheVectors() throws {
    for row in try rows("metric_sum") {
        #expect(Metric(try row["a"].number()) + Metric(try row["b"].number()) == Metric(try row["sum"].number()))
    }
}

@Test
func linkCostOfTheVectors() throws {
    let vectors = try Vectors.load("rules.json")["link_cost_smoothing"]
    #expect(LinkCost.initialEstimate == (try vectors["initial"].number()))
    var cost = LinkCost(base: 15)
    for step in try vectors["steps"].array() {
        cost.sample(milliseconds: try step["rtt_ms"].number())
        let after: UInt16 = try step["cost_after"].number()
        #expect(cost.roundTrip == after)
        #expect(cost.metric == Metric(after) + Metric(15))
    }
    cost.measure(milliseconds: 30)
    cost.sample(milliseconds: 500)
    #expect(cost.metric == Metric(45))
}

@Test
func feasibilityOfTheVectors() throws {
    for row in try rows("feasibility") {
        var distance: FeasibilityDistance?
        let entry = row["source_entry"]
        if !entry.isNull {
            distance = FeasibilityDistance(
                seqno: Seqno(try entry["seqno"].number()), metric: Metric(try entry["metric"].number()))
        }
        let feasible = Feasibility.isFeasible(
            seqno: Seqno(try row["seqno"].number()), metric: Metric(try row["metric"].number()), distance: distance)
        #expect(feasible == (try row["feasible"].bool()))
    }
}

@Test
func updateFiltersOfTheVectors() throws {
    for row in try rows("update_filters") {
        let id = try #require(RouterID(bytes: try row["router_id"].bytes()))
        let accepted = UpdateFilter.accepts(
            try #require(Prefix(try row["subnet"].string())), metric: Metric(try row["metric"].number()),
            origin: OverlayAddress.address(of: id.key))
        #expect(accepted == (try row["accepted"].bool()), "\(id)")
    }
}

@Test
func routeSelectionOfTheVectors() throws {
    for row in try rows("route_selection") {
        let candidates = try row["candidates"].array().map {
            RouteSelection.Candidate(
                metric: Metric(try $0["metric"].number()), linkCost: Metric(try $0["link_cost"].number()))
        }
        let current: Int? = row["current"].isNull ? nil : try row["current"].number()
        #expect(RouteSelection.best(of: candidates, current: current) == (try row["selected"].number()))
    }
}

@Test
func holdTimesOfTheVectors() throws {
    for row in try rows("hold_time") {
        let hold: UInt64 = try row["hold_ms"].number()
        let interval: UInt16 = try row["interval_cs"].number()
        let metric = Metric(try row["metric"].number())
        #expect(HoldTime.milliseconds(interval: interval, metric: metric) == hold)
        let clamped = HoldTime.clamped(interval: interval, metric: metric)
        #expect(metric.isInfinite || interval >= 500 ? clamped == hold : clamped == 17_500)
    }
}

/// Announcements in random order against a list of everything ever announced.
@Test(arguments: [1, 2, 3] as [UInt64])
func feasibilityAgainstASlowModel(number: UInt64) {
    var seed = Seed(number)
    for round in 0..<200 {
        var announced: [(seqno: Int, metric: Int)] = []
        var distance: FeasibilityDistance?
        let start = Int.random(in: 0...65535, using: &seed)
        for _ in 0..<30 {
            // Without wrap-around the order of numbers is that of integers.
            let offer = (seqno: Int.random(in: 0...5, using: &seed), metric: Int.random(in: 0...4, using: &seed))
            let seqno = Seqno(UInt16((start + offer.seqno) % 65536))
            let metric = Metric(UInt16(offer.metric))
            let expected = announced.allSatisfy {
                $0.seqno < offer.seqno || $0.seqno == offer.seqno && offer.metric < $0.metric
            }
            #expect(
                Feasibility.isFeasible(seqno: seqno, metric: metric, distance: distance) == expected,
                "seed \(number), round \(round)")
            #expect(Feasibility.isFeasible(seqno: seqno, metric: .infinite, distance: distance))
            announced.append(offer)
            let new = FeasibilityDistance(seqno: seqno, metric: metric)
            if distance.map({ new.isBetter(than: $0) }) ?? true { distance = new }
        }
    }
}
