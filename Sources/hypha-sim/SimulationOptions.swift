import HyphaNodeSimulator
import HyphaSimulator

/// What the command line asks for.
struct SimulationOptions {
    var nodes = 20
    var seeds = 100
    var first: UInt64 = 1
    var jobs = 1
    var topologies = [Topology.random]
    var isReport = false
    var isHelp = false
    /// Whole nodes instead of routers.
    var isWhole = false
    var showsLog = false
    /// What --settle says, for whole nodes.
    var settle: UInt64?
    var wholeMutant: WholeMutant?
    private var isSettleGiven = false
    /// What all runs have in common.
    var scenario = Scenario(nodes: 0, topology: .random, faults: .all, seed: 0)

    /// Reads the words behind the program's name; throws with what is wrong with them.
    init(_ words: [String]) throws(UsageError) {
        var rest = words[...]
        while let word = rest.popFirst() {
            // Both "--nodes 64" and "--nodes=64".
            let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
            let name = parts.first ?? word
            if try setFlag(name) {
                guard parts.count < 2 else { throw UsageError("\(name) takes no value") }
                continue
            }
            guard let value = parts.count == 2 ? parts[1] : rest.popFirst() else {
                throw UsageError("\(name) needs a value")
            }
            try setValue(name, value)
        }
        if !scenario.hostile.isEmpty, !isSettleGiven { scenario.settleTime = Scenario.settleAfterHostility }
        if isReport {
            scenario.faults = []
            scenario.announcesHostRoutes = true
            seeds = 1
        }
    }

    /// The scenario of a run, from 0 on.
    func scenario(of run: Int) -> Scenario {
        var scenario = scenario
        scenario.nodes = nodes
        scenario.topology = topologies[run % topologies.count]
        scenario.seed = first &+ UInt64(run)
        return scenario
    }

    /// True when `name` is an option without a value.
    private mutating func setFlag(_ name: String) throws(UsageError) -> Bool {
        switch name {
        case "--report":
            isReport = true
            scenario.settleTime = 60_000
            scenario.quietTime = 650_000
        case "--help", "-h": isHelp = true
        case "--whole": isWhole = true
        case "--log": showsLog = true
        default: return false
        }
        return true
    }

    private mutating func setValue(_ name: String, _ value: String) throws(UsageError) {
        switch name {
        case "--nodes": nodes = try number(name, value, 1...10_000)
        case "--seeds": seeds = try number(name, value, 1...10_000_000)
        case "--first":
            guard let number = UInt64(value) else { throw UsageError("\(name) needs a number, not \"\(value)\"") }
            first = number
        case "--jobs": jobs = try number(name, value, 1...256)
        case "--faults":
            scenario.faults = []
            for part in value.split(separator: ",") {
                guard let known = Faults.names.first(where: { $0.name == part }) else {
                    throw UsageError("no fault is called \"\(part)\"")
                }
                scenario.faults.formUnion(known.faults)
            }
        case "--hostile": scenario.hostile = try roles(value)
        case "--topology":
            if value == "all" {
                topologies = Topology.allCases
            } else {
                guard let topology = Topology(rawValue: value) else {
                    throw UsageError("no topology is called \"\(value)\"")
                }
                topologies = [topology]
            }
        case "--links":
            guard let links = Scenario.Links(rawValue: value) else {
                throw UsageError("--links is hypha, stock or mixed, not \"\(value)\"")
            }
            scenario.links = links
        case "--leaves":
            guard ["relay", "leaf"].contains(value) else { throw UsageError("--leaves is relay or leaf") }
            scenario.leavesPassOn = value == "relay"
        case "--count": scenario.faultCount = try number(name, value, 0...100_000)
        case "--settle":
            isSettleGiven = true
            scenario.settleTime = UInt64(try number(name, value, 0...3_600_000))
            settle = scenario.settleTime
        case "--quiet": scenario.quietTime = UInt64(try number(name, value, 0...36_000_000))
        case "--mutant":
            wholeMutant = WholeMutant(rawValue: value)
            guard wholeMutant != nil || scenario.breakRule(value) else {
                throw UsageError("no mutant is called \"\(value)\"")
            }
        default: throw UsageError("unknown option \(name)")
        }
    }

    private func roles(_ text: String) throws(UsageError) -> [HostileRole] {
        switch text {
        case "none": return []
        case "all": return HostileRole.allCases
        default:
            var roles: [HostileRole] = []
            for part in text.split(separator: ",").map(String.init) {
                guard let role = HostileRole(rawValue: part) else {
                    throw UsageError("no hostile role is called \"\(part)\"")
                }
                roles.append(role)
            }
            return roles
        }
    }

    private func number(_ name: String, _ text: String, _ range: ClosedRange<Int>) throws(UsageError) -> Int {
        guard let value = Int(text), range.contains(value) else {
            throw UsageError("\(name) needs a number from \(range.lowerBound) to \(range.upperBound), not \"\(text)\"")
        }
        return value
    }
}
