import HyphaBase
import HyphaRouting
import HyphaWire
import Testing

@Test(arguments: [false, true])
func stockNeighboursLearnTheTrueCostAtOnce(isDialled: Bool) {
    var rig = RouterRig()
    rig.up(1, roundTrip: 80, isDialled: isDialled)
    // The side that dialled waits for one round trip: the other side's clock started half a round trip later.
    if isDialled {
        #expect(rig.sent(to: 1).isEmpty)
        rig.pass(milliseconds: 79)
        #expect(rig.sent(to: 1).isEmpty)
        rig.pass(milliseconds: 1)
    }
    let burst = rig.sent(to: 1)
    #expect(burst == [BabelTLV](repeating: .ihu(.init(receiveCost: 95, interval: 6000)), count: 60))
    #expect(rig.answer(to: 1) == .init(receiveCost: 95, interval: 6000))
    // As a stock node counts them.
    var cost = LinkCost(base: 15)
    for _ in burst { cost.sample(milliseconds: 80) }
    #expect((80...90).contains(cost.roundTrip))
    rig.pass(milliseconds: 19)
    #expect(rig.sent(to: 1).isEmpty)
    rig.pass(milliseconds: 1)
    let first = rig.sent(to: 1)
    #expect(
        first.updates == [
            .init(
                prefix: RouterRig.prefix(0), routerID: rig.router.routerID, seqno: 10, metric: 0, interval: 30_000)
        ])
    #expect(first.contains(.hello(.init(seqno: 0, interval: 2000))))
}

@Test
func hellosAreAnsweredAtOnce() {
    var rig = RouterRig()
    rig.settle([1], .hypha)
    for seqno in 0..<5 as Range<UInt16> {
        rig.receive(.hello(.init(seqno: seqno, interval: 400)), from: 1)
        #expect(rig.sent(to: 1) == [.ihu(.init(receiveCost: 20, interval: 1200))])
    }
    #expect(rig.answer(to: 1) == nil)
}

/// The link layer does it, from the burst on and not before.
@Test
func hellosOfStockNeighboursAreLeftToTheLink() {
    var rig = RouterRig()
    rig.up(1, roundTrip: 80, isDialled: true)
    rig.receive(.hello(.init(seqno: 0, interval: 2000)), from: 1)
    #expect(rig.sent(to: 1).isEmpty && rig.answer(to: 1) == nil)
    rig.pass(milliseconds: 80)
    #expect(rig.sent(to: 1).count == 60 && rig.answer(to: 1) == .init(receiveCost: 95, interval: 6000))
    rig.pass(milliseconds: 20)
    _ = rig.taken()
    rig.receive(.hello(.init(seqno: 1, interval: 2000)), from: 1)
    #expect(rig.taken().isEmpty && rig.router.counters[.hellos] == 2)
    // A neighbour that comes back is answered only after its introduction.
    rig.router.neighbourDown(NeighbourID(1), now: rig.now)
    rig.forgetAnswers()
    rig.up(1, roundTrip: 30, isDialled: true)
    #expect(rig.answer(to: 1) == nil)
    rig.pass(milliseconds: 30)
    #expect(rig.answer(to: 1) == .init(receiveCost: 45, interval: 6000))
}

@Test
func hellosGoOutEveryTwentySeconds() {
    var rig = RouterRig()
    rig.settle([1])
    rig.pass(milliseconds: 60_000, keepAlive: [1])
    let hellos = rig.sent(to: 1).filter { if case .hello = $0 { true } else { false } }
    #expect(hellos == (1...3).map { .hello(.init(seqno: $0, interval: 2000)) })
}

@Test
func silentNeighboursDie() {
    var rig = RouterRig()
    rig.settle([1, 2])
    rig.receive(RouterRig.update(5, metric: 30), from: 1)
    _ = rig.taken()
    rig.pass(milliseconds: 39_000, keepAlive: [2])
    #expect(!rig.taken().contains(.neighbourDead(NeighbourID(1))))
    rig.pass(milliseconds: 5_000, keepAlive: [2])
    let actions = rig.taken()
    #expect(actions.contains(.neighbourDead(NeighbourID(1))))
    #expect(actions.changes == [RouteChange(prefix: RouterRig.prefix(5), outcome: .unreachable)])
    #expect(rig.router.sizes.neighbours == 1)
    #expect(rig.router.sizes.routes == 0)
    #expect(rig.router.counters[.neighboursDead] == 1)
    // Of somebody who is not there nothing is taken.
    rig.receive(RouterRig.update(5, metric: 30), from: 1)
    #expect(rig.router.counters[.strangers] == 1)
}

@Test
func estimatesFollowStockRulesUntilTheLinkIsMeasured() {
    var rig = RouterRig()
    rig.up(1, roundTrip: nil)
    rig.pass(milliseconds: 20)
    // The Hello has just gone out: the answer comes 30 ms later.
    rig.now = rig.now.advanced(byMilliseconds: 30)
    rig.receive(.ihu(.init(receiveCost: 0, interval: 6000)), from: 1)
    #expect(rig.answer(to: 1) == .init(receiveCost: 903 + 15, interval: 6000))
    rig.now = rig.now.advanced(byMilliseconds: 2_000)
    rig.router.costChanged(NeighbourID(1), roundTrip: 30, now: rig.now)
    rig.drain()
    #expect(rig.answer(to: 1) == .init(receiveCost: 45, interval: 6000))
}

@Test
func aNewSessionForgetsEverythingBeforeIt() {
    var rig = RouterRig()
    rig.settle([1, 2])
    rig.receive(RouterRig.update(5, metric: 30), from: 1)
    _ = rig.taken()
    rig.up(1)
    #expect(rig.taken().changes == [RouteChange(prefix: RouterRig.prefix(5), outcome: .unreachable)])
    #expect(rig.router.sizes.routes == 0)
}

@Test
func suspectsAreNotChosenAnew() {
    var rig = RouterRig()
    rig.settle([1, 2])
    rig.router.neighbourSuspect(NeighbourID(1), now: rig.now)
    rig.receive(RouterRig.update(5, metric: 30), from: 1)
    rig.receive(RouterRig.update(5, metric: 60), from: 2)
    func best(_ changes: [RouteChange]) -> NeighbourID? {
        guard case .reachable(_, let hops)? = changes.last?.outcome else { return nil }
        return hops.first?.neighbour
    }
    // Better than nothing, then not as good as anybody else.
    #expect(best(rig.taken().changes) == NeighbourID(1))
    rig.router.neighbourDown(NeighbourID(2), now: rig.now)
    _ = rig.taken()
    rig.up(3)
    rig.receive(RouterRig.update(6, metric: 60), from: 3)
    rig.receive(RouterRig.update(6, metric: 30), from: 1)
    #expect(best(rig.taken().changes) == NeighbourID(3))
    rig.router.neighbourAlive(NeighbourID(1), now: rig.now)
    rig.receive(RouterRig.update(6, metric: 30), from: 1)
    #expect(best(rig.taken().changes) == NeighbourID(1))
}

@Test
func whoAsksTooMuchIsRefused() {
    var rig = RouterRig { configuration in
        configuration.limits.updates = .init(perSecond: 10, burst: 20)
    }
    rig.settle([1, 2])
    for _ in 0..<25 { rig.receive(RouterRig.update(5, metric: 30), from: 1) }
    #expect(rig.router.counters[.rateExceeded] == 5)
    #expect(rig.router.counters[.neighbourRefused] == 0)
    // 20 a second, twice the rate, until the third strike.
    for _ in 0..<(20 * 31) {
        rig.pass(milliseconds: 50, keepAlive: [2])
        rig.receive(RouterRig.update(5, metric: 30), from: 1)
    }
    #expect(rig.router.counters[.neighbourRefused] > 0)
    let taken = rig.router.counters[.updates]
    rig.pass(milliseconds: 1_000, keepAlive: [2])
    rig.receive(RouterRig.update(6, metric: 30), from: 1)
    #expect(rig.router.counters[.updates] == taken)
    // Others are not affected.
    rig.receive(RouterRig.update(6, metric: 30), from: 2)
    #expect(rig.router.counters[.updates] == taken + 1)
}

@Test
func linksBeyondTheLimitAreRefused() {
    var rig = RouterRig { $0.limits.neighbours = 2 }
    rig.settle([1, 2])
    rig.up(3)
    #expect(rig.router.sizes.neighbours == 2)
    #expect(rig.router.counters[.neighboursFull] == 1)
    rig.router.neighbourDown(NeighbourID(1), now: rig.now)
    rig.up(3)
    #expect(rig.router.sizes.neighbours == 2)
}

@Test(arguments: [false, true])
func whoIsAnsweredBeforeItsIntroductionHearsOfTheLoss(isLate: Bool) {
    var rig = RouterRig()
    rig.settle([1, 2])
    rig.receive(RouterRig.update(5, metric: 30), from: 1)
    rig.up(3, roundTrip: 80, isDialled: true)
    _ = rig.taken()
    rig.receive(.routeRequest(.init(prefix: RouterRig.prefix(5))), from: 3)
    #expect(rig.sent(to: 3).updates.map(\.metric) == [50])
    if isLate {
        // Once more, when it knows what the link costs.
        rig.pass(milliseconds: 100, keepAlive: [1, 2, 3])
        #expect(rig.sent(to: 3).updates.map(\.prefix) == [RouterRig.prefix(0), RouterRig.prefix(5)])
    }
    rig.receive(RouterRig.update(5, metric: .max), from: 1)
    #expect(rig.sent(to: 3).updates.map(\.metric) == [65_535])
    rig.pass(milliseconds: 200, keepAlive: [1, 2, 3])
    #expect(rig.sent(to: 3).updates.map(\.prefix) == (isLate ? [] : [RouterRig.prefix(0)]))
}

@Test
func whoAskedNothingHearsOfNothingBeforeItsIntroduction() {
    var rig = RouterRig()
    rig.settle([1, 2])
    rig.up(3, roundTrip: 80, isDialled: true)
    _ = rig.taken()
    rig.receive(RouterRig.update(5, metric: 30), from: 1)
    rig.receive(RouterRig.update(6, metric: 30), from: 1)
    rig.receive(RouterRig.update(5, metric: .max), from: 1)
    #expect(rig.sent(to: 3).updates.isEmpty)
    rig.pass(milliseconds: 100, keepAlive: [1, 2, 3])
    #expect(rig.sent(to: 3).updates.map(\.prefix) == [RouterRig.prefix(0), RouterRig.prefix(6)])
}
