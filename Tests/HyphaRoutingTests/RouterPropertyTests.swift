import HyphaBase
import HyphaRouting
import HyphaWire
import TestVectors
import Testing

/// Everything that comes out of a router, held against what went in: a slow, obvious model of what makes next hops safe.
private struct SafetyModel {
    struct Announcement {
        var prefix: Prefix
        var routerID: RouterID
        var seqno: Int
        var metric: Int
    }

    /// By neighbour: all that it announced in its present session.
    var heard: [NeighbourID: [Announcement]] = [:]
    /// By neighbour: all that this node announced to it with a finite metric in its present session. (Streams do not confirm
    /// what was said instead.)
    var told: [NeighbourID: [Announcement]] = [:]
    var inUse: [Prefix: (RouterID, [RouteNextHop])] = [:]

    mutating func note(_ action: RouterAction) {
        switch action {
        case .send(.update(let update), let id) where update.metric != .max:
            told[id, default: []].append(
                Announcement(
                    prefix: update.prefix, routerID: update.routerID, seqno: Int(update.seqno),
                    metric: Int(update.metric)))
        case .routeChanged(let change):
            if case .reachable(let id, let hops) = change.outcome {
                inUse[change.prefix] = (id, hops)
            } else {
                inUse[change.prefix] = nil
            }
        default: break
        }
    }

    /// A next hop is safe if it said, in this session and under this router id, something strictly better than all that
    /// this node ever said to those that may still use it. (Seqnos of the test do not wrap.)
    func problems() -> [String] {
        var problems: [String] = []
        for (prefix, (id, hops)) in inUse {
            let mine = told.values.flatMap { $0.filter { $0.prefix == prefix && $0.routerID == id } }
            for hop in hops {
                let isSafe = (heard[hop.neighbour] ?? []).contains { said in
                    said.prefix == prefix && said.routerID == id
                        && mine.allSatisfy {
                            said.seqno > $0.seqno || said.seqno == $0.seqno && said.metric < $0.metric
                        }
                }
                if !isSafe { problems.append("\(prefix) through \(hop.neighbour.value)") }
            }
            if Set(hops.map(\.neighbour)).count != hops.count { problems.append("\(prefix): twice the same") }
        }
        return problems
    }
}

@Test(arguments: 1...6 as ClosedRange<UInt64>)
func nextHopsAreSafeWhateverNeighboursSay(number: UInt64) {
    var seed = Seed(number)
    var rig = RouterRig()
    var model = SafetyModel()
    let neighbours = [1, 2, 3, 4] as [UInt16]
    rig.settle(neighbours)
    for step in 0..<1500 {
        let id = neighbours.randomElement(using: &seed)!
        switch Int.random(in: 0..<20, using: &seed) {
        case 0:
            model.heard[NeighbourID(id)] = nil
            model.told[NeighbourID(id)] = nil
            rig.up(id)
        case 1: rig.pass(milliseconds: UInt64.random(in: 1...9_000, using: &seed), keepAlive: neighbours)
        case 2:
            rig.router.costChanged(
                NeighbourID(id), roundTrip: UInt16.random(in: 0...200, using: &seed), now: rig.now)
        case 3:
            rig.receive(
                .routeRequest(.init(prefix: RouterRig.prefix(UInt16.random(in: 5...7, using: &seed)))), from: id)
        default:
            let origin = UInt16.random(in: 5...7, using: &seed)
            let said = (
                seqno: UInt16.random(in: 0...3, using: &seed), metric: UInt16.random(in: 4...90, using: &seed),
                random: UInt64.random(in: 1...2, using: &seed)
            )
            let isRetraction = Int.random(in: 0..<5, using: &seed) == 0
            if !isRetraction {
                model.heard[NeighbourID(id), default: []].append(
                    .init(
                        prefix: RouterRig.prefix(origin), routerID: RouterRig.id(origin, random: said.random),
                        seqno: Int(said.seqno), metric: Int(said.metric)))
            }
            rig.receive(
                RouterRig.update(
                    origin, metric: isRetraction ? .max : said.metric, seqno: said.seqno, random: said.random),
                from: id)
        }
        for action in rig.taken() { model.note(action) }
        let problems = model.problems() + rig.router.inconsistencies()
        #expect(problems.isEmpty, "seed \(number), step \(step): \(problems)")
        if !problems.isEmpty { return }
    }
    #expect(!model.told.isEmpty)
}

@Test(arguments: 1...4 as ClosedRange<UInt64>)
func noMessageHarmsTheTables(number: UInt64) {
    var seed = Seed(number)
    var rig = RouterRig { configuration in
        configuration.announcesHostRoute = true
        configuration.limits.routes = 300
        configuration.limits.routesPerNeighbourFloor = 60
        configuration.limits.sources = 200
        configuration.limits.openQueries = 40
        configuration.limits.openSeqnoRequests = 30
        configuration.limits.outbox = 50
    }
    let neighbours = [1, 2, 3, 9] as [UInt16]
    rig.settle([1, 2])
    rig.up(3, .hypha, key: RouterRig.key(30))
    var kinds: [NeighbourID: NeighbourLink.Kind] = [NeighbourID(3): .hypha]
    for step in 0..<4000 {
        let id = neighbours.randomElement(using: &seed)!
        switch Int.random(in: 0..<12, using: &seed) {
        case 0:
            // Bytes without any sense, or almost sensible ones.
            let count = Int.random(in: 0...90, using: &seed)
            var packet = (0..<count).map { _ in UInt8.random(in: 0...255, using: &seed) }
            if count > 6 { packet.replaceSubrange(0..<4, with: [42, 3, 0, UInt8(count - 4)]) }
            rig.router.handle(packet: packet, from: NeighbourID(id), now: rig.now)
        case 1:
            var body = randomTLV(&seed).body
            body[Int.random(in: 0..<body.count, using: &seed)] ^= 1 << UInt8.random(in: 0...7, using: &seed)
            rig.router.handle(
                type: UInt8.random(in: 3...11, using: &seed), body: body, from: NeighbourID(id), now: rig.now)
        case 2: rig.receive(Bool.random(using: &seed) ? randomTLV(&seed) : randomNumberedTLV(&seed), from: id)
        case 3: rig.pass(milliseconds: UInt64.random(in: 1...3_000, using: &seed))
        case 4 where Int.random(in: 0..<20, using: &seed) == 0:
            let kind: NeighbourLink.Kind = Bool.random(using: &seed) ? .hypha : .stock
            kinds[NeighbourID(id)] = kind
            rig.up(id, kind)
        case 5: _ = rig.router.query(IPv6Address(high: 0x0400 << 48 | seed.next() >> 50, low: 1), now: rig.now)
        case 6:
            rig.receive(
                .routeRequest(
                    .init(
                        generation: UInt8.random(in: 0...17, using: &seed),
                        prefix: RouterRig.prefix(UInt16.random(in: 0...900, using: &seed)))), from: id)
        case 7:
            rig.receive(
                .seqnoRequest(
                    .init(
                        prefix: RouterRig.prefix(UInt16.random(in: 0...400, using: &seed)),
                        routerID: RouterRig.id(UInt16.random(in: 0...400, using: &seed)),
                        seqno: UInt16.random(in: 0...20, using: &seed))), from: id)
        default:
            rig.receive(
                RouterRig.update(
                    UInt16.random(in: 0...400, using: &seed), metric: UInt16.random(in: 0...UInt16.max, using: &seed),
                    seqno: UInt16.random(in: 0...20, using: &seed),
                    length: [64, 64, 65, 96, 127, 128].randomElement(using: &seed)!,
                    random: UInt64.random(in: 1...6, using: &seed),
                    interval: UInt16.random(in: 0...UInt16.max, using: &seed)), from: id)
        }
        // What leaves is what stock nodes survive, with serials only where they are understood.
        for case .send(let tlv, let id) in rig.taken() {
            let isNumbered = kinds[id] == .hypha
            #expect(
                BabelTLV.decode(type: tlv.type, body: tlv.body, isNumbered: isNumbered) == .tlv(tlv, strayBits: false))
            if case .update(let update) = tlv { #expect(UpdateFilter.isRoutable(update.prefix)) }
            if case .routeRequest(let request) = tlv {
                #expect(request.generation <= 15 && (request.prefix != nil || isNumbered && request.missing != nil))
            }
        }
        let problems = rig.router.inconsistencies()
        #expect(problems.isEmpty, "seed \(number), step \(step): \(problems)")
        if !problems.isEmpty { return }
    }
    #expect(rig.router.sizes.routes > 50)
    #expect(rig.router.counters[.unknownType] > 0 && rig.router.counters[.truncated] > 0)
}

/// Prefixes that exist nowhere, from one neighbour.
private func flooded(_ mutant: RouterMutant?) -> RouterRig {
    var rig = RouterRig { configuration in
        configuration.limits.routes = 400
        configuration.limits.routesPerNeighbourFloor = 50
        configuration.limits.sources = 300
    }
    rig.router.mutant = mutant
    rig.settle([1, 2])
    for number in 1...600 as ClosedRange<UInt16> {
        rig.receive(RouterRig.update(number, metric: 10), from: 1)
        rig.receive(.routeRequest(.init(prefix: RouterRig.prefix(number + 5_000))), from: 1)
    }
    return rig
}

@Test
func inventedPrefixesLeaveRoomForOthers() {
    var rig = flooded(nil)
    #expect(rig.router.inconsistencies().isEmpty)
    // A quarter of what is free, and less with every route.
    #expect((79...81).contains(rig.router.sizes.routes))
    #expect(rig.router.counters[.neighbourRoutesFull] > 0)
    rig.receive(RouterRig.update(2000, metric: 10), from: 2)
    #expect(rig.taken().changes.map(\.prefix).contains(RouterRig.prefix(2000)))
}

@Test
func unboundedTablesAreCaught() {
    #expect(!flooded(.unboundedTables).router.inconsistencies().isEmpty)
}

@Test
func oneKeyHasFourPrefixesAndOnePrefixEightNextHops() {
    var rig = RouterRig()
    rig.settle(Array(1...10))
    for length in [64, 128, 100, 99, 98, 97] { rig.receive(RouterRig.update(5, metric: 10, length: length), from: 1) }
    #expect(rig.router.sizes.routes == 4)
    #expect(rig.router.counters[.keyPrefixesFull] == 2)
    for id in 2...10 as ClosedRange<UInt16> { rig.receive(RouterRig.update(5, metric: 10 + id), from: id) }
    #expect(rig.router.sizes.routes == 11)
    #expect(rig.router.counters[.prefixRoutesFull] == 2)
    // An infeasible one makes room.
    rig.receive(RouterRig.update(5, metric: 5_000), from: 8)
    rig.receive(RouterRig.update(5, metric: 15), from: 9)
    #expect(rig.router.sizes.routes == 11)
    #expect(rig.router.inconsistencies().isEmpty)
}

@Test
func inventedLongerPrefixesDoNotKeepOutAKeysOwn() {
    var rig = RouterRig()
    rig.settle([1, 2])
    for length in [100, 99, 98, 97, 96] { rig.receive(RouterRig.update(5, metric: 10, length: length), from: 1) }
    #expect(rig.router.sizes.routes == 2 && rig.router.counters[.keyPrefixesFull] == 3)
    for length in [64, 128] { rig.receive(RouterRig.update(5, metric: 10, length: length), from: 2) }
    #expect(rig.router.sizes.routes == 4 && rig.router.counters[.keyPrefixesFull] == 3)
    #expect(rig.taken().changes.map(\.prefix).contains(RouterRig.prefix(5)))
    #expect(rig.router.inconsistencies().isEmpty)
}

@Test
func irregularVectorsDoNoHarmAndAreCounted() throws {
    for row in try Vectors.load("control.json")["irregular"].array() {
        var rig = RouterRig()
        rig.settle([1, 2])
        let before = rig.router.counters
        for chunk in try row["chunks"].array() {
            let frame = try chunk.bytes()
            // Other versions and types of frames are not for the router.
            guard frame[0] == 1, frame[1] == 1 else { continue }
            rig.router.handle(packet: Array(frame.dropFirst(4)), from: NeighbourID(1), now: rig.now)
        }
        let name = try row["name"].string()
        let isFraming = name == "protocol version 2" || name == "packet type 2"
        #expect((rig.router.counters == before) == isFraming, "\(name)")
        #expect(rig.router.inconsistencies().isEmpty)
        rig.receive(.routeRequest(.init(prefix: RouterRig.prefix(0))), from: 1)
        #expect(!rig.sent(to: 1).isEmpty, "\(name)")
    }
}
