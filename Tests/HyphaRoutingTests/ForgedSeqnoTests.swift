import HyphaBase
import HyphaWire
import Testing

@testable import HyphaRouting

/// Three nodes, all neighbours of each other, hear three seqnos of one origin from somebody who then is gone: each of them a
/// third of the circle ahead of the next.
private func roundTheCircle(_ mutant: RouterMutant?) -> SmallMesh {
    let nodes = [1, 2, 3] as [UInt16]
    var mesh = SmallMesh(
        nodes: nodes, links: [(1, 2), (2, 3), (3, 1)], strangers: nodes.map { (900, $0) }, mutant: mutant)
    for (node, seqno) in zip(nodes, [0, 20_000, 40_000] as [UInt16]) {
        mesh.say(RouterRig.update(50, metric: 50, seqno: seqno), from: 900, to: node)
    }
    mesh.run(milliseconds: 500)
    for node in nodes { #expect(mesh.nextHops(node, RouterRig.prefix(50)).first == 900) }
    for node in nodes { mesh.down(900, at: node) }
    mesh.run(milliseconds: 5_000)
    return mesh
}

@Test
func forgedSeqnosDoNotLeadRoundTheCircle() {
    let mesh = roundTheCircle(nil)
    #expect(mesh.looped.isEmpty)
    for node in mesh.nodes { #expect(mesh.nextHops(node, RouterRig.prefix(50)).isEmpty) }
    #expect(!roundTheCircle(.anySeqno).looped.isEmpty)
}

@Test
func seqnosTooFarAheadAreNotUsedAtAll() {
    var rig = RouterRig()
    rig.settle([1, 2, 3])
    rig.receive(RouterRig.update(5, metric: 50, seqno: 100), from: 1)
    _ = rig.taken()
    rig.receive(RouterRig.update(5, metric: 10, seqno: 357), from: 2)
    #expect(rig.taken().isEmpty)
    #expect(rig.router.counters[.seqnosImplausible] == 1)
    // Within what an origin can do: as any.
    rig.receive(RouterRig.update(5, metric: 20, seqno: 356), from: 3)
    #expect(rig.taken().changes.first?.prefix == RouterRig.prefix(5))
    // Nothing else is left: it waits for its time.
    rig.router.neighbourDown(NeighbourID(3), now: rig.now)
    rig.router.neighbourDown(NeighbourID(1), now: rig.now)
    #expect(rig.taken().changes.last == RouteChange(prefix: RouterRig.prefix(5), outcome: .unreachable))
    rig.pass(milliseconds: 1_800, keepAlive: [2])
    #expect(rig.taken().changes.isEmpty)
    rig.pass(milliseconds: 200, keepAlive: [2])
    #expect(
        rig.taken().changes == [
            RouteChange(
                prefix: RouterRig.prefix(5),
                outcome: .reachable(RouterRig.id(5), [.init(neighbour: NeighbourID(2), cost: 30)]))
        ])
}

@Test
func manySmallStepsAreNoFasterThanOneLargeOne() {
    var rig = RouterRig()
    rig.settle([1, 2])
    rig.receive(RouterRig.update(5, metric: 20, seqno: 0), from: 1)
    for step in 0..<240 as Range<UInt16> {
        // As far as one step reaches, with changing metrics: each would be announced at once.
        let metric: UInt16 = step % 2 == 0 ? 60 : 20
        let known = distance(in: rig)?.seqno.value ?? 0
        for ahead in [256, 16, 1] as [UInt16] {
            rig.receive(RouterRig.update(5, metric: metric, seqno: known &+ ahead), from: 1)
        }
        rig.pass(milliseconds: 1_000, keepAlive: [1, 2])
    }
    // 256 at the start, and 128 in the four minutes since.
    #expect((300...384).contains(distance(in: rig)?.seqno.value ?? 0))
}

/// The feasibility distance of origin 5.
private func distance(in rig: RouterRig) -> FeasibilityDistance? {
    rig.router.table.number(of: RouterRig.prefix(5)).flatMap { number in
        rig.router.ids.number(of: RouterRig.id(5)).flatMap { rig.router.distance(number, routerID: $0) }
    }
}

@Test
func theTrueOriginIsAlwaysPlausible() {
    // As fast as an origin may be, in steps of any size, seen with a delay of up to two minutes.
    for number in 1...20 as ClosedRange<UInt64> {
        var seed = Seed(number)
        var now = RouterRig.start
        var own = OwnOrigin(id: RouterRig.id(1), seqno: Seqno(65_000), now: now)
        var history: [(at: Instant, seqno: Seqno)] = [(now, own.seqno)]
        var entry = SourceTable.Entry(
            routerID: 0, distance: .init(seqno: own.seqno, metric: Metric(9)),
            now: now.advanced(byMilliseconds: 120_000))
        for _ in 0..<3_000 {
            now = now.advanced(byMilliseconds: UInt64.random(in: 10...3_000, using: &seed))
            if Int.random(in: 0..<40, using: &seed) == 0 {
                own.hear(own.seqno.advanced(by: UInt16.random(in: 1...4_000, using: &seed)), now: now)
            }
            if Bool.random(using: &seed) { own.requestBump() }
            if own.changeDue <= now {
                _ = own.change(now: now)
                history.append((now, own.seqno))
            }
            let seen = now.advanced(byMilliseconds: UInt64.random(in: 0...120_000, using: &seed))
            guard seen > now.advanced(byMilliseconds: 1), Int.random(in: 0..<10, using: &seed) == 0 else { continue }
            let said = history.last { $0.at <= now }?.seqno ?? own.seqno
            #expect(entry.isPlausible(said, now: max(seen, RouterRig.start.advanced(byMilliseconds: 120_000))))
            if said.isNewer(than: entry.distance.seqno) {
                entry.improve(.init(seqno: said, metric: Metric(9)), now: max(seen, RouterRig.start))
            }
        }
        #expect(own.seqno.value &- 65_000 > 600)
    }
}

@Test
func aDistanceInUseFollowsItsRoute() {
    var rig = RouterRig()
    rig.settle([1, 2])
    rig.receive(RouterRig.update(5, metric: 50, seqno: 1), from: 1)
    // Nothing but the seqno changes, for days: nothing is announced.
    for seqno in 2...6_000 as ClosedRange<UInt16> {
        rig.pass(milliseconds: 30_000, keepAlive: [1, 2])
        rig.receive(RouterRig.update(5, metric: 50, seqno: seqno), from: 1)
    }
    #expect((5_936...6_000).contains(distance(in: rig)?.seqno.value ?? 0))
    #expect(rig.router.counters[.seqnosImplausible] == 0)
    #expect(rig.router.counters[.announcements] == 1)
}

@Test
func whoNeedsASeqnoFarAheadMayHaveIt() {
    // 1 is the origin, 2 its neighbour, 3 behind it. Somebody attracts 3 with the origin's seqno of the future.
    var mesh = SmallMesh(nodes: [1, 2, 3], links: [(1, 2), (2, 3)], strangers: [(900, 3)])
    mesh.run(milliseconds: 300_000)
    guard case .send(.update(let own), _)? = announced(by: 1, in: &mesh) else {
        Issue.record("the origin says nothing")
        return
    }
    let prefix = RouterRig.prefix(1)
    #expect(mesh.nextHops(3, prefix).first == 2)
    var forged = own
    forged.seqno = own.seqno &+ 100
    forged.metric = 4
    forged.serial = nil
    mesh.say(.update(forged), from: 900, to: 3)
    mesh.run(milliseconds: 1_000)
    #expect(mesh.nextHops(3, prefix).first == 900)
    mesh.down(900, at: 3)
    mesh.run(milliseconds: 8_000)
    #expect(mesh.nextHops(3, prefix).first == 2)
    #expect(mesh.rigs[1]?.router.seqno == own.seqno &+ 101)
    #expect(mesh.looped.isEmpty)
}

/// What a node says about itself to somebody new.
private func announced(by node: UInt16, in mesh: inout SmallMesh) -> RouterAction? {
    guard var rig = mesh.rigs[node] else { return nil }
    rig.up(77)
    rig.pass(milliseconds: 100)
    return rig.taken().first { if case .send(.update, NeighbourID(77)) = $0 { true } else { false } }
}
