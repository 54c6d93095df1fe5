import Foundation

/// The line of JSON that a node prints on SIGUSR1.
struct NodeReport {
    let line: String
    let counters: [String: Int]
    let drops: [String: Int]
    let control: [String: Int]
    let links: [[String: Any]]

    init(_ line: String) throws {
        guard let value = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] else {
            throw SystemTestError("not an object: \(line)")
        }
        guard let counters = value["counters"] as? [String: Int], let drops = value["drops"] as? [String: Int],
            let control = value["control"] as? [String: Int], let links = value["links"] as? [[String: Any]]
        else { throw SystemTestError("no counters, drops, control or links in \(line)") }
        self.line = line
        self.counters = counters
        self.drops = drops
        self.control = control
        self.links = links
    }

    subscript(counter: String) -> Int { counters[counter] ?? 0 }

    /// Packets in and packets accounted for; equal by the law of docs/counters.md.
    var law: (entered: Int, accounted: Int) {
        (
            self["received"] + self["injected"],
            self["sent"] + self["delivered"] + self["punted"] + self["waiting"] + drops.values.reduce(0, +)
        )
    }
}
