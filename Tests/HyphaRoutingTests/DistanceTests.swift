import HyphaBase
import HyphaWire
import Testing

@testable import HyphaRouting

private let prefix = RouterRig.prefix(50)

/// Node 1 announces a prefix that it knows from a forger, 2 hears it from 1, and 3 from 2. Then the forger changes its router id
/// five times, of which 2 hears nothing: every Update to it is lost. When the forger is gone, 3 becomes a neighbour of 1.
private func echo(_ mutant: RouterMutant?) -> SmallMesh {
    var mesh = SmallMesh(
        nodes: [1, 2, 3], links: [(1, 2), (2, 3)], strangers: [(900, 1)],
        configure: { $0.limits.sourcesPerPrefix = 4 }, mutant: mutant)
    mesh.say(RouterRig.update(50, metric: 30), from: 900, to: 1)
    mesh.run(milliseconds: 1_000)
    #expect(mesh.nextHops(1, prefix) == [900] && mesh.nextHops(2, prefix) == [1] && mesh.nextHops(3, prefix) == [2])
    mesh.loseUpdates(from: 1, to: 2)
    for random in 2...5 as ClosedRange<UInt64> {
        mesh.say(RouterRig.update(50, metric: 30, random: random), from: 900, to: 1)
        mesh.run(milliseconds: 1_300)
    }
    mesh.down(900, at: 1)
    mesh.connect(1, 3)
    return mesh
}

@Test
func aDistanceThatIsNeededIsNeverForgotten() {
    var mesh = echo(nil)
    mesh.run(milliseconds: 150_000)
    #expect(mesh.looped.isEmpty)
    // 2 still believes what it heard first; 1 does not take it for a way.
    #expect(mesh.nextHops(2, prefix) == [1] && mesh.nextHops(1, prefix).isEmpty)
    #expect(mesh.rigs[1]?.router.sizes.sources ?? 0 > 0)
    // Once it hears that this is over, all forget all.
    mesh.loseNothing()
    mesh.run(milliseconds: 20_000)
    for node in mesh.nodes { #expect(mesh.nextHops(node, prefix).isEmpty) }
    mesh.run(milliseconds: 260_000)
    for node in mesh.nodes { #expect(mesh.rigs[node]?.router.table.number(of: prefix) == nil, "\(node)") }
    #expect(mesh.looped.isEmpty)
}

@Test
func hastyForgettingIsCaught() {
    var mesh = echo(.hastyForgetting)
    mesh.run(milliseconds: 5_000)
    #expect(mesh.looped == [prefix])
}

@Test
func afterAForgedSeqnoTheTruthIsBelievedAgain() {
    // 1 is the origin, 2 its neighbour. 3 comes when somebody has told it of 1 first, with a seqno that will never be.
    var mesh = SmallMesh(nodes: [1, 2, 3], links: [(1, 2)], strangers: [(900, 3)])
    guard let origin = mesh.rigs[1]?.router.routerID else { return }
    mesh.say(
        .update(
            .init(prefix: RouterRig.prefix(1), routerID: origin, seqno: 30_000, metric: 4, interval: 30_000)),
        from: 900, to: 3)
    mesh.connect(2, 3)
    mesh.run(milliseconds: 5_000)
    #expect(mesh.nextHops(3, RouterRig.prefix(1)) == [900])
    #expect(mesh.nextHops(2, RouterRig.prefix(1)) == [1])
    mesh.down(900, at: 3)
    mesh.run(milliseconds: 55_000)
    #expect(mesh.nextHops(3, RouterRig.prefix(1)).isEmpty)
    mesh.run(milliseconds: 15_000)
    #expect(mesh.nextHops(3, RouterRig.prefix(1)) == [2])
    #expect(mesh.looped.isEmpty)
}

// MARK: One router

/// Says Hello as a hypha node that heard everything before a serial.
private func hello(_ heard: BabelTLV.Serial?) -> BabelTLV {
    .hello(
        .init(seqno: 0, interval: 400, progress: .init(next: .init(epoch: 9, number: 0), answered: 0, heard: heard)))
}

/// A router with a neighbour 7 that had a route to origin 50 and took it back.
private struct Retracted {
    var rig = RouterRig()
    /// Behind the last Update to neighbour 8.
    var next = BabelTLV.Serial(epoch: 0, number: 0)

    init(configure: (inout RouterRig) -> Void) {
        for id in [7, 8] as [UInt16] { rig.up(id, .hypha, key: RouterRig.key(id)) }
        configure(&rig)
        rig.pass(milliseconds: 1_000)
        rig.receive(RouterRig.update(50, metric: 30), from: 7)
        rig.receive(RouterRig.update(50, metric: .max), from: 7)
        rig.pass(milliseconds: 1_000)
        if let last = rig.taken().updates(to: 8).last?.serial {
            next = .init(epoch: last.epoch, number: last.number &+ 1)
        }
    }

    var isKnown: Bool { rig.router.sizes.sources == 1 }

    /// Both say Hello every 4 s, 7 that it heard all, 8 that it heard all before a serial.
    mutating func pass(seconds: UInt64, heard: BabelTLV.Serial?, keepAlive: [UInt16] = []) {
        for _ in 0..<seconds / 4 {
            rig.pass(milliseconds: 4_000, keepAlive: keepAlive)
            let all = rig.router.neighbours[NeighbourID(7)]?.sent.progress.next
            rig.receive(hello(all), from: 7)
            rig.receive(hello(heard), from: 8)
        }
    }
}

@Test
func aDistanceIsForgottenWhenAllHaveConfirmed() {
    var case1 = Retracted { _ in }
    case1.pass(seconds: 56, heard: case1.next)
    #expect(case1.isKnown)
    case1.pass(seconds: 8, heard: case1.next)
    #expect(!case1.isKnown)
}

@Test
func aDistanceIsKeptWhileANeighbourMissesTheRetraction() {
    var one = Retracted { _ in }
    let before = BabelTLV.Serial(epoch: one.next.epoch, number: one.next.number &- 1)
    one.pass(seconds: 300, heard: before)
    #expect(one.isKnown)
    // What it says of another epoch is nothing.
    one.pass(seconds: 300, heard: .init(epoch: before.epoch &+ 1, number: one.next.number))
    #expect(one.isKnown)
    one.pass(seconds: 480, heard: one.next)
    #expect(!one.isKnown)
}

@Test
func whoConfirmsNothingCannotPinADistance() {
    var one = Retracted { _ in }
    one.pass(seconds: 4_560, heard: nil)
    #expect(one.isKnown)
    one.pass(seconds: 60, heard: nil)
    #expect(!one.isKnown)
}

@Test
func aNewEpochHasToBeConfirmedAnew() {
    var one = Retracted { _ in }
    one.pass(seconds: 20, heard: one.next)
    one.rig.router.neighbourRenewed(NeighbourID(8), hasForgotten: true, now: one.rig.now)
    one.pass(seconds: 60, heard: one.next)
    #expect(one.isKnown)
    guard let all = one.rig.router.neighbours[NeighbourID(8)]?.sent.progress.next else { return }
    one.pass(seconds: 60, heard: all)
    #expect(!one.isKnown)
}

@Test
func whoSaysNothingAfterANewSessionPinsNothing() {
    for speaks in [false, true] {
        var one = Retracted { _ in }
        for _ in 0..<10 {
            one.rig.up(8, .hypha, key: RouterRig.key(8))
            if speaks { one.rig.receive(hello(nil), from: 8) }
            for _ in 0..<2 {
                one.rig.pass(milliseconds: 4_000)
                one.rig.receive(hello(one.rig.router.neighbours[NeighbourID(7)]?.sent.progress.next), from: 7)
            }
        }
        #expect(one.isKnown == speaks)
    }
}

@Test
func streamsConfirmNothing() {
    // A stock node that was told, and is there: for as long as the stream may be slow.
    var one = Retracted { $0.up(3) }
    one.pass(seconds: 236, heard: one.next, keepAlive: [3])
    #expect(one.isKnown)
    one.pass(seconds: 8, heard: one.next, keepAlive: [3])
    #expect(!one.isKnown)
    var gone = Retracted { $0.up(3) }
    gone.rig.router.neighbourDown(NeighbourID(3), now: gone.rig.now)
    gone.pass(seconds: 64, heard: gone.next)
    #expect(!gone.isKnown)
    // One that came later was told nothing.
    var other = Retracted { _ in }
    other.rig.up(3)
    other.pass(seconds: 64, heard: other.next, keepAlive: [3])
    #expect(!other.isKnown)
}

@Test
func aDistanceInForceIsKept() {
    var one = Retracted { _ in }
    one.rig.receive(RouterRig.update(50, metric: 30, seqno: 1), from: 7)
    one.rig.pass(milliseconds: 100)
    for _ in 0..<20 {
        let next = one.rig.router.neighbours[NeighbourID(8)]?.sent.progress.next
        one.pass(seconds: 8, heard: next)
    }
    #expect(one.isKnown)
    #expect(one.rig.router.sizes.prefixes == 1)
}

// MARK: Room

@Test
func withoutRoomForADistanceTheKnownWayStays() {
    var rig = RouterRig { $0.limits.sourcesPerPrefix = 2 }
    rig.settle([1, 2, 3])
    rig.receive(RouterRig.update(5, metric: 60), from: 1)
    rig.pass(milliseconds: 2_000, keepAlive: [1, 2, 3])
    rig.receive(RouterRig.update(5, metric: 40, random: 2), from: 2)
    rig.pass(milliseconds: 2_000, keepAlive: [1, 2, 3])
    #expect(rig.router.sizes.sources == 2)
    _ = rig.taken()
    // Better, and refused.
    rig.receive(RouterRig.update(5, metric: 4, random: 3), from: 3)
    rig.pass(milliseconds: 2_000, keepAlive: [1, 2, 3])
    #expect(rig.taken().changes.isEmpty)
    #expect(rig.router.counters[.sourcesFull] == 1)
    // Also when the next hop itself comes with a third one: the other known way is taken.
    rig.receive(RouterRig.update(5, metric: 4, random: 4), from: 2)
    #expect(
        rig.taken().changes.last
            == RouteChange(
                prefix: RouterRig.prefix(5),
                outcome: .reachable(RouterRig.id(5), [.init(neighbour: NeighbourID(1), cost: 80)])))
    #expect(rig.router.inconsistencies().isEmpty)
}

@Test
func anOriginWithoutRoomIsTakenWhenThereIsSome() {
    var rig = RouterRig { $0.limits.sources = 1 }
    rig.settle([1, 2])
    rig.receive(RouterRig.update(5, metric: 60), from: 1)
    rig.receive(RouterRig.update(6, metric: 60), from: 1)
    #expect(rig.taken().changes.map(\.prefix) == [RouterRig.prefix(5)])
    rig.router.neighbourDown(NeighbourID(2), now: rig.now)
    rig.router.neighbourDown(NeighbourID(1), now: rig.now)
    rig.drain()
    rig.pass(milliseconds: 100)
    rig.up(3)
    rig.receive(RouterRig.update(6, metric: 60), from: 3)
    rig.pass(milliseconds: 50_000, keepAlive: [3])
    #expect(rig.taken().changes.last?.prefix == RouterRig.prefix(5))
    rig.pass(milliseconds: 80_000, keepAlive: [3])
    #expect(rig.taken().changes.last?.prefix == RouterRig.prefix(6))
    // A leaf announces nothing and needs no room.
    var leaf = RouterRig {
        $0.limits.sources = 0
        $0.isTransit = false
    }
    leaf.settle([1])
    leaf.receive(RouterRig.update(6, metric: 60), from: 1)
    #expect(leaf.taken().changes.count == 1)
}

// MARK: What was heard

@Test
func confirmationsAreThoseOfTheReceiver() {
    func at(_ milliseconds: UInt64) -> Instant { Instant.zero.advanced(byMilliseconds: milliseconds) }
    var sent = SentUpdates(epoch: 3)
    var received = ReceivedUpdates()
    #expect(received.heard == nil)
    var serials = (0..<10).map { _ in sent.number(1) }
    sent.awaitConfirmation(now: at(5))
    for serial in serials[..<4] + serials[5...] { _ = received.note(serial, now: at(6)) }
    #expect(received.heard == serials[4])
    if let heard = received.heard { sent.note(heard: heard) }
    #expect(sent.confirmed == .zero)
    received.fill(4)
    #expect(received.heard == sent.progress.next)
    if let heard = received.heard { sent.note(heard: heard) }
    #expect(sent.confirmed == at(5))
    // Too many are missing: until the answer nothing is confirmed, and then not before the end of the dump.
    serials = (0..<3_000).map { _ in sent.number(1) }
    sent.awaitConfirmation(now: at(7))
    _ = received.note(serials[2_999], now: at(8))
    #expect(received.isAllMissing && received.heard == serials[0])
    let asked = received.ask(roundTrip: 1, now: received.due)
    sent.sayAnew()
    received.note(.init(next: sent.progress.next, answered: asked?.number ?? 0), now: at(900))
    #expect(received.heard == sent.progress.next)
    if let heard = received.heard { sent.note(heard: heard) }
    #expect(sent.confirmed == at(5))
    sent.awaitConfirmation(now: at(1_000))
    if let heard = received.heard { sent.note(heard: heard) }
    #expect(sent.confirmed == at(7))
}

@Test
func confirmationsSurviveTheWrapOfSerials() {
    var sent = SentUpdates(epoch: 3)
    for round in 1...20 as ClosedRange<UInt64> {
        let start = sent.progress.next
        for _ in 0..<20_000 { _ = sent.number(1) }
        let moment = Instant.zero.advanced(byMilliseconds: round)
        sent.awaitConfirmation(now: moment)
        // What was said long ago, or is not true.
        sent.note(heard: start)
        sent.note(heard: .init(epoch: 3, number: sent.progress.next.number &+ 1))
        #expect(sent.confirmed < moment)
        sent.note(heard: sent.progress.next)
        #expect(sent.confirmed == moment)
    }
    // Nothing for a whole turn of the serials.
    let stuck = sent.progress.next
    for _ in 0..<50_000 { _ = sent.number(1) }
    sent.awaitConfirmation(now: .distantFuture)
    for _ in 0..<40_000 {
        _ = sent.number(1)
        sent.note(heard: stuck)
    }
    #expect(sent.confirmed < .distantFuture)
}
