import HyphaBase
import StockModel
import TestVectors
import Testing

/// The model's arithmetic against rules.json.
@Suite struct RuleTests {
    private let rules: JSON

    init() throws { rules = try Vectors.load("rules.json") }

    private func pair(_ entry: JSON) throws -> (UInt16, UInt16) { try (entry["a"].number(), entry["b"].number()) }

    @Test func sequenceNumbers() throws {
        for entry in try rules["seqno_order"].array() {
            let (a, b) = try pair(entry)
            #expect(StockMetric.isNewer(a, than: b) == (try entry["a_newer"].bool()), "\(a) \(b)")
            #expect(StockMetric.isNewer(b, than: a) == (try entry["a_older"].bool()), "\(a) \(b)")
        }
    }

    @Test func metrics() throws {
        for entry in try rules["metric_sum"].array() {
            let (a, b) = try pair(entry)
            #expect(StockMetric.sum(a, b) == (try entry["sum"].number()), "\(a) \(b)")
        }
        var cost: UInt16 = try rules["link_cost_smoothing"]["initial"].number()
        for entry in try rules["link_cost_smoothing"]["steps"].array() {
            cost = StockMetric.smoothed(cost, sample: try entry["rtt_ms"].number())
            #expect(cost == (try entry["cost_after"].number()))
        }
        for entry in try rules["hold_time"].array() {
            let hold = StockMetric.hold(
                interval: try entry["interval_cs"].number(), metric: try entry["metric"].number())
            #expect(hold == (try entry["hold_ms"].number()))
        }
    }

    @Test func feasibility() throws {
        for entry in try rules["feasibility"].array() {
            let known = entry["source_entry"]
            let distance: (UInt16, UInt16)? =
                known.isNull ? nil : try (known["seqno"].number(), known["metric"].number())
            let feasible = StockMetric.isFeasible(
                seqno: try entry["seqno"].number(), metric: try entry["metric"].number(), distance: distance)
            #expect(feasible == (try entry["feasible"].bool()))
        }
    }

    @Test func filters() throws {
        for entry in try rules["update_filters"].array() {
            let parts = try entry["subnet"].string().split(separator: "/")
            let (address, length) = try (#require(IPv6Address(parts[0])), #require(Int(parts[1])))
            let accepted = StockRouterModel.accepts(
                StockSubnet(address, length), routerID: try entry["router_id"].bytes(),
                metric: try entry["metric"].number())
            let name = try entry["name"].string()
            #expect(accepted == (try entry["accepted"].bool()), "\(name)")
        }
    }

    @Test func selection() throws {
        for entry in try rules["route_selection"].array() {
            let candidates = try entry["candidates"].array().map {
                StockSelection.Candidate(metric: try $0["metric"].number(), linkCost: try $0["link_cost"].number())
            }
            let current = entry["current"].isNull ? nil : try entry["current"].number(Int.self)
            let selected = try entry["selected"].number(Int.self)
            #expect(StockSelection.choose(candidates, selected: current) == selected, "\(candidates)")
        }
    }
}
