import HyphaBase

extension SimNetwork {
    /// Before faults begin, in milliseconds.
    static let calmTime: UInt64 = 8_000

    /// Streams to stock nodes tell what changes, not what is: whoever does not know has to ask. How long before the end
    /// everybody does, in milliseconds.
    static let askTime: UInt64 = 17_000

    /// Draws what goes wrong and when, and sets the phases: calm, faults, repair, questions, check, or quiet and check.
    mutating func planFaults() {
        let kinds = Faults.names.dropFirst().dropLast().map(\.faults).filter { scenario.faults.contains($0) }
        let isDisturbed = !kinds.isEmpty || scenario.isHostile
        let end = isDisturbed ? SimNetwork.calmTime + scenario.faultTime : 0
        if isDisturbed {
            for _ in 0..<scenario.faultCount {
                let time = UInt64.random(in: SimNetwork.calmTime..<end, using: &seed)
                guard let kind = kinds.randomElement(using: &seed) else { continue }
                plan(kind, at: time)
            }
            schedule(.repair, after: end)
        }
        if scenario.links != .hypha, scenario.settleTime >= SimNetwork.askTime {
            schedule(.askAll, after: end + scenario.settleTime - SimNetwork.askTime)
        }
        if scenario.quietTime > 0 { schedule(.quiet, after: end + scenario.settleTime) }
        schedule(.check, after: end + scenario.settleTime + scenario.quietTime)
    }

    private mutating func plan(_ kind: Faults, at time: UInt64) {
        guard !links.isEmpty else { return }
        let link = Int.random(in: 0..<links.count, using: &seed)
        let node = Int.random(in: 0..<max(1, scenario.nodes), using: &seed)
        switch kind {
        case .loss: schedule(.loss(link, perMille: UInt64.random(in: 0...600, using: &seed)), after: time)
        case .delay: schedule(.jitter(link, milliseconds: UInt64.random(in: 0...800, using: &seed)), after: time)
        case .cuts:
            schedule(.cut(link), after: time)
            schedule(.heal(link), after: time + UInt64.random(in: 50...12_000, using: &seed))
        case .partitions:
            let border = Int.random(in: 1..<max(2, scenario.nodes), using: &seed)
            let heal = time + UInt64.random(in: 500...10_000, using: &seed)
            for (number, link) in links.enumerated() where (link.a < border) != (link.b < border) {
                schedule(.cut(number), after: time)
                schedule(.heal(number), after: heal)
            }
        case .restarts: schedule(.crash(node, losesState: false), after: time)
        case .lostState: schedule(.crash(node, losesState: true), after: time)
        default: schedule(.cost(link, roundTrip: UInt16.random(in: 1...300, using: &seed)), after: time)
        }
    }
}
