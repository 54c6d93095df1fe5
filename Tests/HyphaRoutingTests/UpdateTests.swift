import HyphaBase
import HyphaRouting
import HyphaWire
import Testing

private func reachable(
    _ number: UInt16, _ hops: [(UInt16, UInt16)], length: Int = 64, random: UInt64 = 1
) -> RouteChange {
    RouteChange(
        prefix: RouterRig.prefix(number, length: length),
        outcome: .reachable(
            RouterRig.id(number, random: random), hops.map { .init(neighbour: NeighbourID($0.0), cost: $0.1) }))
}

@Test
func aRouteIsTakenAndPassedOn() {
    var rig = RouterRig()
    rig.settle([1, 2, 3])
    rig.receive(RouterRig.update(5, metric: 0, seqno: 4), from: 1)
    let actions = rig.taken()
    #expect(actions.changes == [reachable(5, [(1, 20)])])
    // Forwarding hears of it first.
    #expect(actions.first == .routeChanged(reachable(5, [(1, 20)])))
    #expect(actions.updates(to: 1).isEmpty)
    for id in [2, 3] as [UInt16] {
        #expect(
            actions.updates(to: id) == [
                .init(
                    prefix: RouterRig.prefix(5), routerID: RouterRig.id(5), seqno: 4, metric: 20, interval: 30_000)
            ])
    }
}

@Test
func alternatesAreFeasibleAndStandBesideTheBest() {
    var rig = RouterRig()
    rig.settle([1, 2, 3])
    rig.receive(RouterRig.update(5, metric: 30), from: 1)
    _ = rig.taken()
    // Announced with 50: 49 can be used, 50 cannot.
    rig.receive(RouterRig.update(5, metric: 49), from: 2)
    #expect(rig.taken().changes == [reachable(5, [(1, 50), (2, 69)])])
    rig.receive(RouterRig.update(5, metric: 50), from: 3)
    #expect(rig.taken().changes.isEmpty)
    #expect(rig.router.counters[.infeasible] == 1)
    rig.router.neighbourDown(NeighbourID(1), now: rig.now)
    #expect(rig.taken().changes == [reachable(5, [(2, 69)])])
    // What is left is infeasible: the prefix is lost and a newer seqno is asked for.
    rig.router.neighbourDown(NeighbourID(2), now: rig.now)
    let actions = rig.taken()
    #expect(actions.changes == [RouteChange(prefix: RouterRig.prefix(5), outcome: .unreachable)])
    #expect(
        actions.contains(
            .send(
                .seqnoRequest(.init(prefix: RouterRig.prefix(5), routerID: RouterRig.id(5), seqno: 1)),
                to: NeighbourID(3))))
    rig.receive(RouterRig.update(5, metric: 50, seqno: 1), from: 3)
    #expect(rig.taken().changes == [reachable(5, [(3, 70)])])
}

@Test
func alternatesGoWhenTheOwnAnnouncementGetsBetter() {
    var rig = RouterRig()
    rig.settle([1, 2, 3])
    rig.receive(RouterRig.update(5, metric: 100), from: 1)
    rig.receive(RouterRig.update(5, metric: 110), from: 2)
    #expect(rig.taken().changes.last == reachable(5, [(1, 120), (2, 130)]))
    rig.pass(milliseconds: 20_000, keepAlive: [1, 2, 3])
    _ = rig.taken()
    // The better route is announced in the same breath: the distance falls to 60, below both others.
    rig.receive(RouterRig.update(5, metric: 40), from: 3)
    let actions = rig.taken()
    #expect(actions.changes.last == reachable(5, [(3, 60)]))
    let order = actions.compactMap { action -> Bool? in
        switch action {
        case .routeChanged(let change): change == reachable(5, [(3, 60)]) ? true : nil
        case .send(.update(let update), _): update.metric == 60 ? false : nil
        default: nil
        }
    }
    #expect(order == [true, false, false])
}

@Test
func nextHopsHaveOneRouterID() {
    var rig = RouterRig()
    rig.settle([1, 2])
    rig.receive(RouterRig.update(5, metric: 30), from: 1)
    _ = rig.taken()
    rig.receive(RouterRig.update(5, metric: 25, random: 2), from: 2)
    #expect(rig.taken().changes.isEmpty)
    rig.receive(RouterRig.update(5, metric: 10, random: 2), from: 2)
    #expect(rig.taken().changes == [reachable(5, [(2, 30)], random: 2)])
}

@Test
func aLossIsToldToEverybodyAndForgottenAfterSixSeconds() {
    var rig = RouterRig()
    rig.settle([1, 2])
    rig.receive(RouterRig.update(5, metric: 30), from: 1)
    _ = rig.taken()
    rig.receive(RouterRig.update(5, metric: 65_535), from: 1)
    let actions = rig.taken()
    #expect(actions.changes == [RouteChange(prefix: RouterRig.prefix(5), outcome: .unreachable)])
    for id in [1, 2] as [UInt16] {
        // Under the router id of the one who retracts.
        #expect(
            actions.updates(to: id) == [
                .init(
                    prefix: RouterRig.prefix(5), routerID: rig.router.routerID, seqno: 10, metric: 65_535,
                    interval: 30_000)
            ])
    }
    rig.pass(milliseconds: 5_900, keepAlive: [1, 2])
    #expect(rig.taken().changes.isEmpty)
    rig.pass(milliseconds: 200, keepAlive: [1, 2])
    #expect(rig.taken().changes == [RouteChange(prefix: RouterRig.prefix(5), outcome: .removed)])
    // The feasibility distance outlives it: the same announcement cannot be a loop's echo.
    #expect(rig.router.sizes.sources == 1)
    rig.receive(RouterRig.update(5, metric: 60), from: 2)
    #expect(rig.taken().changes.isEmpty)
    rig.pass(milliseconds: 233_000, keepAlive: [1, 2])
    #expect(rig.taken().changes.isEmpty)
    #expect(rig.router.sizes.sources == 1)
    // By then nobody can have a route that came from ours: it is another way.
    rig.pass(milliseconds: 10_000, keepAlive: [1, 2])
    #expect(rig.taken().changes == [reachable(5, [(2, 80)])])
    // Its hold time ends, and in the end nothing is left.
    rig.pass(milliseconds: 1_060_000, keepAlive: [1, 2])
    #expect(rig.taken().changes.last == RouteChange(prefix: RouterRig.prefix(5), outcome: .removed))
    rig.pass(milliseconds: 300_000, keepAlive: [1, 2])
    #expect(rig.router.sizes.sources == 0)
    #expect(rig.router.sizes.prefixes == 0)
    #expect(rig.router.sizes.routerIDs == 0)
}

@Test(arguments: [(30_000, 1_050_000), (3_000, 105_000), (0, 17_500), (65_535, 2_292_500)] as [(UInt16, UInt64)])
func routesExpire(interval: UInt16, hold: UInt64) {
    var rig = RouterRig()
    rig.settle([1, 2])
    rig.receive(RouterRig.update(5, metric: 30, interval: interval), from: 1)
    _ = rig.taken()
    rig.pass(milliseconds: hold - 100, keepAlive: [1, 2])
    #expect(rig.taken().changes.isEmpty)
    rig.pass(milliseconds: 200, keepAlive: [1, 2])
    #expect(rig.taken().changes == [RouteChange(prefix: RouterRig.prefix(5), outcome: .unreachable)])
    #expect(rig.router.counters[.routesExpired] == 1)
}

@Test
func aLonelyInfeasibleRouteIsKeptUntilTheOriginAnswers() {
    var rig = RouterRig()
    rig.settle([1, 2])
    rig.receive(RouterRig.update(5, metric: 30), from: 1)
    _ = rig.taken()
    rig.receive(RouterRig.update(5, metric: 90), from: 1)
    let actions = rig.taken()
    #expect(actions.changes.isEmpty)
    #expect(
        actions.contains(
            .send(
                .seqnoRequest(.init(prefix: RouterRig.prefix(5), routerID: RouterRig.id(5), seqno: 1)),
                to: NeighbourID(1))))
    rig.receive(RouterRig.update(5, metric: 90, seqno: 1), from: 1)
    #expect(rig.taken().changes == [reachable(5, [(1, 110)])])
}

@Test
func whatIsTooCheapComesOnlyFromTheOrigin() {
    var rig = RouterRig()
    rig.settle([1])
    rig.up(2, .hypha, key: RouterRig.key(6))
    _ = rig.taken()
    // A stream proves no key: the first one counts.
    rig.receive(RouterRig.update(5, metric: 0), from: 1)
    rig.receive(RouterRig.update(7, metric: 3), from: 1)
    rig.receive(RouterRig.update(8, metric: 4), from: 1)
    #expect(rig.taken().changes.map(\.prefix) == [RouterRig.prefix(5), RouterRig.prefix(8)])
    rig.receive(RouterRig.update(6, metric: 0), from: 2)
    rig.receive(RouterRig.update(9, metric: 0), from: 2)
    #expect(rig.taken().changes.map(\.prefix) == [RouterRig.prefix(6)])
    #expect(rig.router.counters[.metricTooLow] == 2)
}

@Test
func filtersHaveCounters() {
    var rig = RouterRig()
    rig.settle([1])
    func update(_ prefix: String, metric: UInt16 = 10) -> BabelTLV {
        .update(
            .init(
                prefix: Prefix(prefix)!, routerID: RouterRig.id(5), seqno: 0, metric: metric, interval: 30_000))
    }
    for prefix in ["fd00::/64", "400:0:0:4::/63", "200::/64"] { rig.receive(update(prefix), from: 1) }
    #expect(rig.router.counters[.prefixNotRoutable] == 3)
    rig.receive(update("400:0:0:6::/64"), from: 1)
    #expect(rig.router.counters[.originOutsidePrefix] == 1)
    rig.receive(update("400::/64"), from: 1)
    rig.receive(update("400::9/128"), from: 1)
    #expect(rig.router.counters[.ownPrefix] == 2)
    #expect(rig.router.sizes.routes == 0)
    #expect(rig.taken().isEmpty)
}

@Test
func strayBitsNeverLeaveAgain() {
    var rig = RouterRig()
    rig.settle([1, 2])
    var body = RouterRig.update(5, metric: 10, length: 65).body
    body[18] |= 0x54
    var packet: [UInt8] = [42, 3, 0, UInt8(body.count + 2), 8, UInt8(body.count)] + body
    rig.router.handle(packet: packet, from: NeighbourID(1), now: rig.now)
    #expect(rig.router.counters[.strayBits] == 1)
    #expect(rig.sent(to: 2).updates.map(\.prefix) == [RouterRig.prefix(5, length: 65)])
    packet = [42, 3, 0, 14, 9, 12, 0, 2, 66, 4, 0, 0, 0, 0, 0, 0, 9, 0xFF]
    rig.router.handle(packet: packet, from: NeighbourID(1), now: rig.now)
    #expect(rig.router.counters[.strayBits] == 2)
    #expect(rig.sent(to: 2) == [.routeRequest(.init(generation: 1, prefix: Prefix("400:0:0:9:c000::/66")!))])
}

@Test
func hostRoutesStandBesideTheSubnet() {
    var rig = RouterRig { $0.announcesHostRoute = true }
    rig.up(1)
    rig.pass(milliseconds: 100)
    #expect(rig.sent(to: 1).updates.map(\.prefix) == [RouterRig.prefix(0), RouterRig.prefix(0, length: 128)])
    rig.receive(RouterRig.update(5, metric: 30), from: 1)
    rig.receive(RouterRig.update(5, metric: 40, length: 128), from: 1)
    #expect(rig.taken().changes == [reachable(5, [(1, 50)]), reachable(5, [(1, 60)], length: 128)])
    #expect(
        rig.router.query(RouterRig.address(RouterRig.id(5)), now: rig.now) == .known(RouterRig.prefix(5, length: 128)))
    rig.receive(RouterRig.update(5, metric: 65_535, length: 128), from: 1)
    // Nothing shorter is followed for a while.
    #expect(
        rig.taken().changes == [RouteChange(prefix: RouterRig.prefix(5, length: 128), outcome: .unreachable)])
    rig.pass(milliseconds: 6_100, keepAlive: [1])
    #expect(rig.taken().changes == [RouteChange(prefix: RouterRig.prefix(5, length: 128), outcome: .removed)])
    #expect(rig.router.query(RouterRig.address(RouterRig.id(5)), now: rig.now) == .known(RouterRig.prefix(5)))
}

@Test
func flappingRoutesAreDamped() {
    var rig = RouterRig()
    rig.settle([1, 2])
    var announced = 0
    // Ten times a second for a minute.
    for _ in 0..<300 {
        rig.receive(RouterRig.update(5, metric: 10), from: 1)
        rig.pass(milliseconds: 100, keepAlive: [1, 2])
        rig.receive(RouterRig.update(5, metric: 65_535), from: 1)
        rig.pass(milliseconds: 100, keepAlive: [1, 2])
        announced += rig.sent(to: 2).updates.filter { $0.prefix == RouterRig.prefix(5) }.count
    }
    #expect((2...40).contains(announced))
    // In the end the neighbour knows what is true.
    rig.receive(RouterRig.update(5, metric: 10), from: 1)
    rig.pass(milliseconds: 11_000, keepAlive: [1, 2])
    #expect(rig.sent(to: 2).updates.last?.metric == 30)
}

/// How long a neighbour waits to hear of a route that is back 1 ms after its loss, when the loss before was so long ago.
@Test(
    arguments: [
        (after: 0, wait: 20), (after: 60_000, wait: 20), (after: 5_100, wait: 20), (after: 1_000, wait: 100),
    ] as [(after: UInt64, wait: UInt64)])
func aRouteThatIsBackIsToldSoon(after: UInt64, wait: UInt64) {
    var rig = RouterRig()
    rig.settle([1, 2])
    func heard() -> Bool { rig.sent(to: 2).updates.contains { $0.prefix == RouterRig.prefix(5) && $0.metric < 65_535 } }
    func loseAndFind() {
        rig.receive(RouterRig.update(5, metric: 65_535), from: 1)
        rig.pass(milliseconds: 1, keepAlive: [])
        rig.receive(RouterRig.update(5, metric: 10), from: 1)
    }
    rig.receive(RouterRig.update(5, metric: 10), from: 1)
    rig.pass(milliseconds: 5_000, keepAlive: [1, 2])
    if after > 0 {
        loseAndFind()
        rig.pass(milliseconds: after, keepAlive: [1, 2])
    }
    _ = rig.taken()
    loseAndFind()
    _ = rig.taken()
    rig.pass(milliseconds: wait - 2, keepAlive: [])
    #expect(!heard())
    rig.pass(milliseconds: 2, keepAlive: [])
    #expect(heard())
}

@Test
func aLeafPassesNothingOn() {
    var rig = RouterRig { $0.isTransit = false }
    rig.settle([1, 2])
    rig.receive(RouterRig.update(5, metric: 10), from: 1)
    rig.receive(.routeRequest(.init(prefix: RouterRig.prefix(6))), from: 1)
    rig.receive(.routeRequest(.init(prefix: RouterRig.prefix(5))), from: 2)
    let actions = rig.taken()
    #expect(actions.changes.count == 1)
    #expect(actions.count == 1)
}

@Test
func seqnosMayRiseWithTime() {
    var rig = RouterRig()
    rig.settle([1, 2])
    rig.receive(RouterRig.update(5, metric: 50, seqno: 100), from: 1)
    rig.pass(milliseconds: 301_000, keepAlive: [1, 2])
    _ = rig.taken()
    // 256 at once, and 160 in five minutes.
    rig.receive(RouterRig.update(5, metric: 10, seqno: 517), from: 2)
    #expect(rig.taken().changes.isEmpty)
    rig.receive(RouterRig.update(5, metric: 10, seqno: 516), from: 2)
    // So far ahead, the distance follows at once, and the other one falls behind.
    #expect(rig.taken().changes == [reachable(5, [(2, 30)])])
}

@Test
func theNextHopUnderANewRouterIDForgetsTheOldOne() {
    var rig = RouterRig()
    rig.settle([1, 2, 3])
    rig.receive(RouterRig.update(5, metric: 50), from: 1)
    #expect(rig.taken().updates(to: 2).map(\.metric) == [70])
    // 2 might use that announcement while we use its own: two origins do not exclude it.
    rig.receive(RouterRig.update(5, metric: 10, random: 2), from: 2)
    let actions = rig.taken()
    #expect(actions.changes == [reachable(5, [(2, 30)], random: 2)])
    #expect(actions.updates(to: 2).map(\.metric) == [65_535])
    #expect(actions.updates(to: 1).allSatisfy { $0.metric != 65_535 })
}

@Test
func requestsFollowTheRouteInUse() {
    var rig = RouterRig()
    rig.settle([1, 2, 3])
    rig.receive(RouterRig.update(5, metric: 50), from: 1)
    // Better, but not by enough.
    rig.receive(RouterRig.update(5, metric: 45), from: 2)
    _ = rig.taken()
    rig.receive(
        .seqnoRequest(.init(prefix: RouterRig.prefix(5), routerID: RouterRig.id(5), seqno: 1)), from: 3)
    let actions = rig.taken()
    #expect(actions.count == 1)
    if case .send(.seqnoRequest, NeighbourID(1))? = actions.first {} else { Issue.record("\(actions)") }
}

@Test
func theFormerNextHopHearsOfTheRouteThatReplacedIts() {
    var rig = RouterRig()
    rig.settle([1, 2, 3])
    rig.receive(RouterRig.update(5, metric: 300), from: 1)
    #expect(rig.taken().updates(to: 2).map(\.metric) == [320])
    // Better, but not by so much that all hear of it.
    rig.receive(RouterRig.update(5, metric: 285), from: 2)
    let actions = rig.taken()
    #expect(actions.changes == [reachable(5, [(2, 305), (1, 320)])])
    #expect(actions.updates(to: 1).map(\.metric) == [305])
    #expect(actions.updates(to: 2).isEmpty && actions.updates(to: 3).isEmpty)
}

@Test(arguments: ["expires", "is retracted", "gets worse"])
func theFormerNextHopHearsOfTheRouteThatIsLeft(cause: String) {
    var rig = RouterRig()
    rig.settle([1, 2, 3])
    rig.receive(RouterRig.update(5, metric: 300, interval: 500), from: 1)
    rig.receive(RouterRig.update(5, metric: 310), from: 2)
    rig.pass(milliseconds: 2_000, keepAlive: [1, 2, 3])
    #expect(rig.taken().changes.last == reachable(5, [(1, 320), (2, 330)]))
    switch cause {
    case "expires": rig.pass(milliseconds: 16_000, keepAlive: [1, 2, 3])
    case "is retracted": rig.receive(RouterRig.update(5, metric: .max), from: 1)
    default: rig.receive(RouterRig.update(5, metric: 400), from: 1)
    }
    let actions = rig.taken()
    #expect(actions.changes.last == reachable(5, [(2, 330)]))
    #expect(actions.updates(to: 1).filter { $0.prefix == RouterRig.prefix(5) }.map(\.metric) == [330])
    #expect(actions.updates(to: 3).allSatisfy { $0.prefix != RouterRig.prefix(5) })
}

@Test
func whoWasToldAnotherRouterIDThanTheOthersIsRemembered() {
    var rig = RouterRig()
    rig.settle([1, 2, 3])
    rig.receive(RouterRig.update(5, metric: 50), from: 1)
    #expect(rig.taken().updates(to: 2).map(\.routerID) == [RouterRig.id(5)])
    // Another origin for a moment: only 2 hears of it, because it asks.
    rig.receive(RouterRig.update(5, metric: 30, random: 2), from: 3)
    rig.receive(.routeRequest(.init(prefix: RouterRig.prefix(5))), from: 2)
    #expect(rig.taken().updates(to: 2).map(\.routerID) == [RouterRig.id(5, random: 2)])
    rig.receive(RouterRig.update(5, metric: .max), from: 3)
    #expect(rig.taken().changes.last == reachable(5, [(1, 70)]))
    // What it heard, it may use while we use its own route: it has to forget it.
    rig.receive(RouterRig.update(5, metric: 10), from: 2)
    let actions = rig.taken()
    #expect(actions.changes.last == reachable(5, [(2, 30)]))
    #expect(actions.updates(to: 2).map(\.metric) == [65_535])
}

@Test
func aRouterIDThatOnlySomeHeardIsTakenBack() {
    var rig = RouterRig()
    rig.settle([1, 2, 3])
    rig.receive(RouterRig.update(5, metric: 50), from: 1)
    rig.receive(RouterRig.update(5, metric: 30, random: 2), from: 3)
    rig.receive(.routeRequest(.init(prefix: RouterRig.prefix(5))), from: 2)
    rig.receive(RouterRig.update(5, metric: .max), from: 3)
    _ = rig.taken()
    // All but 2 know what is true; 2 hears it as soon as it may be announced.
    rig.pass(milliseconds: 1_000, keepAlive: [1, 2, 3])
    #expect(rig.taken().updates(to: 2).map(\.routerID) == [RouterRig.id(5)])
    rig.pass(milliseconds: 5_000, keepAlive: [1, 2, 3])
    #expect(rig.taken().updates(to: 2).isEmpty)
}
