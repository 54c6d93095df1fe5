import HyphaBase
import HyphaWire

/// What hostile nodes announce.
extension HostileNode {
    private static let intervals: [UInt16] = [30_000, 30_000, 500, 0, .max]

    mutating func forge() -> [BabelTLV] {
        var said: [BabelTLV] = []
        for _ in 0..<Int.random(in: 1...4, using: &seed) {
            if Int.random(in: 0..<4, using: &seed) == 0 {
                let owner = HostileNode.firstNobody + Int.random(in: 0..<HostileNode.trackedNobodies, using: &seed)
                said += announcement(ofNobody: owner)
                continue
            }
            guard var update = heard.any(&seed) else { continue }
            update.seqno &+= [0, 0, 0, 1, 1, 2, 16, .max].randomElement(using: &seed) ?? 0
            update.metric = [0, 3, 4, 4, UInt16.random(in: 4...60, using: &seed)].randomElement(using: &seed) ?? 4
            update.interval = HostileNode.intervals.randomElement(using: &seed) ?? 0
            if Int.random(in: 0..<8, using: &seed) == 0 {
                let address = SimNode.address(of: update.routerID)
                update.prefix = Prefix(address, length: Int.random(in: 65...128, using: &seed))
            }
            said.append(.update(update))
        }
        return said
    }

    mutating func jump() -> [BabelTLV] {
        var said: [BabelTLV] = []
        for _ in 0..<Int.random(in: 1...3, using: &seed) {
            guard var update = heard.any(&seed) else { continue }
            let step: UInt16 =
                switch habit {
                case 0: UInt16.random(in: 1...256, using: &seed)
                case 1: 32_767
                case 2: [255, 256, 257, 1_000, 16_384, 32_767, 32_768, 40_000].randomElement(using: &seed) ?? 1
                default: UInt16.random(in: 0...UInt16.max, using: &seed)
                }
            update.seqno = (seqnos[update.prefix] ?? update.seqno) &+ step
            seqnos[update.prefix] = update.seqno
            if Bool.random(using: &seed) { update.metric = UInt16.random(in: 4...60, using: &seed) }
            said.append(.update(update))
        }
        return said
    }

    mutating func flap() -> [BabelTLV] {
        var said: [BabelTLV] = []
        for _ in 0..<Int.random(in: 1...3, using: &seed) {
            guard var update = heard.any(&seed) else { continue }
            // The same few again and again, or ever new ones.
            let random = habit < 2 ? UInt64.random(in: 0..<6, using: &seed) : seed.next()
            let zone: UInt16 = habit % 2 == 0 ? update.routerID.zone : [0, 0x4800].randomElement(using: &seed) ?? 0
            guard let id = RouterID(key: update.routerID.key, zone: zone, random: random) else { continue }
            update.routerID = id
            if Bool.random(using: &seed) { update.seqno = UInt16.random(in: 0...UInt16.max, using: &seed) }
            update.metric = UInt16.random(in: 4...100, using: &seed)
            said.append(.update(update))
        }
        return said
    }

    /// What it heard, as if it were nearer or farther at every moment.
    mutating func tellAgain() -> [BabelTLV] {
        var said: [BabelTLV] = []
        for _ in 0..<Int.random(in: 1...4, using: &seed) {
            guard var update = heard.any(&seed) else { continue }
            update.metric = wrong(update.metric)
            said.append(.update(update))
        }
        return said
    }

    mutating func lie(about tlv: BabelTLV) -> BabelTLV {
        guard case .update(var update) = tlv, update.metric != .max else { return tlv }
        update.metric = wrong(update.metric)
        return .update(update)
    }

    private mutating func wrong(_ metric: UInt16) -> UInt16 {
        switch Int.random(in: 0..<5, using: &seed) {
        case 0: UInt16.random(in: 0...10, using: &seed)
        case 1: metric / 2
        case 2: metric &+ UInt16.random(in: 0...100, using: &seed)
        case 3: UInt16.random(in: 0...UInt16.max, using: &seed)
        default: metric
        }
    }

    mutating func retract() -> [BabelTLV] {
        var said: [BabelTLV] = []
        for _ in 0..<Int.random(in: 1...6, using: &seed) {
            guard var update = heard.any(&seed) else { continue }
            if habit == 0 { said.append(.update(update)) }
            update.metric = .max
            said.append(.update(update))
            // Back at once, with the retraction close behind or before it.
            if habit == 1 {
                update.metric = UInt16.random(in: 4...200, using: &seed)
                said.append(.update(update))
            }
            if habit == 2 {
                let owner = HostileNode.firstNobody + Int.random(in: 0..<HostileNode.trackedNobodies, using: &seed)
                update.prefix = SimNode.prefix(of: owner)
                update.metric = .max
                said.append(.update(update))
            }
        }
        return said
    }

    mutating func flood() -> [BabelTLV] {
        var said: [BabelTLV] = []
        for _ in 0..<Int.random(in: 1...40, using: &seed) {
            invented += 1
            // At the end of the row it begins again, with what the neighbours know, took back or had no room for.
            let place = (invented + number * HostileNode.flood) % HostileNode.flood
            // Hostile nodes share the first ones, and each has a row of its own behind.
            let isShared = place < HostileNode.trackedNobodies
            said += announcement(
                ofNobody: HostileNode.firstNobody + (isShared ? place : number * HostileNode.flood + place))
        }
        return said
    }

    /// A prefix that nobody owns, sometimes with longer ones in it.
    private mutating func announcement(ofNobody owner: Int) -> [BabelTLV] {
        guard let id = RouterID(key: SimNode.key(of: owner), zone: 0, random: 1) else { return [] }
        let isLonger = Int.random(in: 0..<8, using: &seed) == 0
        let length = isLonger ? Int.random(in: 65...128, using: &seed) : 64
        let isGone = Int.random(in: 0..<10, using: &seed) == 0
        return [
            .update(
                BabelTLV.Update(
                    prefix: Prefix(SimNode.address(of: id), length: length), routerID: id,
                    seqno: UInt16.random(in: 0...(habit == 0 ? .max : 3), using: &seed),
                    metric: isGone ? .max : UInt16.random(in: 4...200, using: &seed),
                    interval: HostileNode.intervals.randomElement(using: &seed) ?? 0))
        ]
    }
}
