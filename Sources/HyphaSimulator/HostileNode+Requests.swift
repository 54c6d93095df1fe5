import HyphaBase
import HyphaWire

/// What hostile nodes ask, and what they do not say.
extension HostileNode {
    mutating func ask() -> [BabelTLV] {
        var said: [BabelTLV] = []
        for _ in 0..<Int.random(in: 1...(habit == 0 ? 60 : 15), using: &seed) {
            let owner = HostileNode.firstNobody + Int.random(in: 0..<1_000_000, using: &seed)
            let known = heard.any(&seed)
            let generation = UInt8.random(in: 0...UInt8.max, using: &seed)
            switch Int.random(in: 0..<9, using: &seed) {
            case 0...2:
                let isEarly = Bool.random(using: &seed)
                said.append(
                    .routeRequest(
                        .init(generation: isEarly ? generation % 16 : generation, prefix: SimNode.prefix(of: owner))))
            case 3:
                guard let known else { continue }
                said.append(.routeRequest(.init(generation: generation, prefix: known.prefix)))
            case 4: said.append(.routeRequest(.init(generation: generation, prefix: nil, missing: missing())))
            case 5:
                // An IHU without a Hello is a measurement that nobody made.
                said.append(.ihu(.init(receiveCost: UInt16.random(in: 0...UInt16.max, using: &seed), interval: 0)))
                said.append(.hello(.init(seqno: UInt16.random(in: 0...9, using: &seed), interval: 0)))
            default:
                guard let known else { continue }
                let random = Int.random(in: 0..<4, using: &seed) == 0 ? seed.next() : known.routerID.random
                guard let id = RouterID(key: known.routerID.key, zone: known.routerID.zone, random: random) else {
                    continue
                }
                let step: UInt16 = [0, 1, 2, 200, 1_000, 32_767, 32_768].randomElement(using: &seed) ?? 1
                said.append(
                    .seqnoRequest(
                        .init(
                            prefix: known.prefix, routerID: id, seqno: known.seqno &+ step,
                            hopCount: UInt8.random(in: 1...UInt8.max, using: &seed))))
            }
        }
        return said
    }

    /// A request for Updates that may or may not have been there.
    private mutating func missing() -> BabelTLV.Missing? {
        guard Bool.random(using: &seed) else { return nil }
        let ranges = (0..<Int.random(in: 0...16, using: &seed)).map { _ in
            BabelTLV.Missing.Range(
                first: UInt16.random(in: 0...300, using: &seed), count: UInt16.random(in: 0...400, using: &seed))
        }
        let epoch = heard.any(&seed)?.serial?.epoch ?? 0
        return BabelTLV.Missing(epoch: epoch, number: UInt16.random(in: 0...9, using: &seed), ranges: ranges)
    }

    /// Answers to Hellos go out. Of the rest: nothing, no announcements, no retractions, or each by chance.
    mutating func withhold(_ tlv: BabelTLV) -> BabelTLV? {
        switch tlv {
        case .hello, .ihu: return tlv
        case .update(let update):
            let isRetraction = update.metric == .max
            switch habit {
            case 0: return nil
            case 1: return isRetraction ? tlv : nil
            case 2: return isRetraction ? nil : tlv
            default: return Bool.random(using: &seed) ? tlv : nil
            }
        case .routeRequest, .seqnoRequest: return habit == 2 ? tlv : nil
        }
    }
}
