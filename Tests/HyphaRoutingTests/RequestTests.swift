import HyphaBase
import HyphaRouting
import HyphaWire
import Testing

@Test
func ownPrefixesAreAnsweredFor() {
    var rig = RouterRig()
    rig.settle([1, 2])
    rig.receive(.routeRequest(.init(generation: 3, prefix: RouterRig.prefix(0, length: 128))), from: 1)
    let actions = rig.taken()
    #expect(actions.updates(to: 1).map(\.prefix) == [RouterRig.prefix(0)])
    #expect(actions.updates(to: 2).isEmpty)
}

@Test
func knownRoutesAreAnsweredButNotToTheirNextHop() {
    var rig = RouterRig()
    rig.settle([1, 2])
    rig.receive(RouterRig.update(5, metric: 10), from: 1)
    _ = rig.taken()
    rig.receive(.routeRequest(.init(prefix: RouterRig.prefix(5))), from: 2)
    #expect(rig.sent(to: 2).updates.map(\.metric) == [30])
    rig.receive(.routeRequest(.init(prefix: RouterRig.prefix(5))), from: 1)
    #expect(rig.taken().isEmpty)
    // Only exact matches are known.
    rig.receive(.routeRequest(.init(prefix: RouterRig.prefix(5, length: 128))), from: 2)
    #expect(rig.sent(to: 1).routeRequests.map(\.generation) == [1])
}

/// On the other side of a neighbour that has just come up there may be a way that it was never told of.
@Test
func whatWasJustLostIsAskedForAsWell() {
    var rig = RouterRig()
    rig.settle([1, 2, 3])
    rig.receive(RouterRig.update(5, metric: 10), from: 1)
    rig.receive(RouterRig.update(5, metric: 65_535), from: 1)
    #expect(rig.taken().changes.last?.outcome == .unreachable)
    rig.receive(.routeRequest(.init(prefix: RouterRig.prefix(5))), from: 2)
    #expect(rig.sent(to: 3).routeRequests.map(\.generation) == [1])
    rig.receive(RouterRig.update(5, metric: 5), from: 3)
    let actions = rig.taken()
    #expect(actions.updates(to: 2).map(\.metric) == [25] && actions.changes.last?.prefix == RouterRig.prefix(5))
    #expect(rig.router.inconsistencies().isEmpty)
}

@Test
func whoAsksForASubnetHearsOfItsOwnersAddress() {
    var rig = RouterRig()
    rig.settle([1, 2])
    rig.receive(RouterRig.update(5, metric: 10), from: 1)
    rig.receive(RouterRig.update(5, metric: 10, length: 128), from: 1)
    rig.receive(RouterRig.update(6, metric: 10), from: 1)
    rig.receive(RouterRig.update(6, metric: 10, length: 128), from: 2)
    rig.pass(milliseconds: 2_000, keepAlive: [1, 2])
    _ = rig.taken()
    rig.receive(.routeRequest(.init(prefix: RouterRig.prefix(5))), from: 2)
    #expect(rig.sent(to: 2).updates.map(\.prefix) == [RouterRig.prefix(5), RouterRig.prefix(5, length: 128)])
    // Not to the next hop.
    rig.receive(.routeRequest(.init(prefix: RouterRig.prefix(6))), from: 2)
    #expect(rig.sent(to: 2).updates.map(\.prefix) == [RouterRig.prefix(6)])
}

@Test
func requestsTravelUpToGenerationFifteen() {
    for (generation, relayed) in [(0, 1), (14, 15), (15, nil), (16, nil), (254, nil), (255, nil)] as [(UInt8, UInt8?)] {
        var rig = RouterRig()
        rig.settle([1, 2, 3])
        rig.receive(.routeRequest(.init(generation: generation, prefix: RouterRig.prefix(9))), from: 1)
        let actions = rig.taken()
        for id in [2, 3] as [UInt16] {
            let sent = actions.filter { if case .send(_, NeighbourID(id)) = $0 { true } else { false } }
            let expected = relayed.map {
                RouterAction.send(
                    .routeRequest(.init(generation: $0, prefix: RouterRig.prefix(9))), to: NeighbourID(id))
            }
            #expect(sent == (expected.map { [$0] } ?? []))
        }
        #expect(!actions.contains { if case .send(_, NeighbourID(1)) = $0 { true } else { false } })
        #expect(rig.router.counters[.generationExceeded] == (relayed == nil ? 1 : 0))
        // The same prefix is not asked for again for 15 s, whoever asks.
        rig.receive(.routeRequest(.init(generation: 0, prefix: RouterRig.prefix(9))), from: 2)
        #expect(rig.taken().isEmpty == (relayed != nil))
    }
}

@Test
func unroutablePrefixesAreNotAskedFor() {
    var rig = RouterRig()
    rig.settle([1, 2])
    for prefix in ["::/0", "fe80::/64", "2001:db8::/64", "400::/32"] {
        rig.receive(.routeRequest(.init(prefix: Prefix(prefix)!)), from: 1)
    }
    #expect(rig.taken().isEmpty)
    #expect(rig.router.counters[.prefixNotRoutable] == 4)
    #expect(rig.router.query(IPv6Address("2001:db8::1")!, now: rig.now) == .notRoutable)
}

@Test
func anAnswerEndsTheQuery() {
    var rig = RouterRig()
    rig.settle([1, 2])
    #expect(rig.router.query(RouterRig.address(RouterRig.id(5)), now: rig.now) == .asked(RouterRig.prefix(5)))
    let actions = rig.taken()
    for id in [1, 2] as [UInt16] {
        #expect(
            actions.contains(.send(.routeRequest(.init(prefix: RouterRig.prefix(5))), to: NeighbourID(id))))
    }
    #expect(rig.router.query(RouterRig.address(RouterRig.id(5)), now: rig.now) == .asked(RouterRig.prefix(5)))
    #expect(rig.taken().isEmpty)
    // Who comes up meanwhile is asked too.
    rig.up(3)
    rig.pass(milliseconds: 100, keepAlive: [1, 2])
    #expect(rig.sent(to: 3).routeRequests.map(\.prefix) == [RouterRig.prefix(5)])
    rig.receive(RouterRig.update(5, metric: 10), from: 2)
    #expect(rig.taken().contains(.queryResolved(RouterRig.prefix(5))))
    #expect(rig.router.sizes.queries == 0)
    #expect(rig.router.query(RouterRig.address(RouterRig.id(5)), now: rig.now) == .known(RouterRig.prefix(5)))
    #expect(rig.router.query(RouterRig.address(RouterRig.id(0)), now: rig.now) == .local)
}

@Test
func aQueryWithoutAnswerFailsAfterFifteenSeconds() {
    var rig = RouterRig()
    rig.settle([1])
    _ = rig.router.query(RouterRig.address(RouterRig.id(5)), now: rig.now)
    rig.pass(milliseconds: 14_900, keepAlive: [1])
    #expect(!rig.taken().contains(.queryFailed(RouterRig.prefix(5))))
    rig.pass(milliseconds: 200, keepAlive: [1])
    #expect(rig.taken().contains(.queryFailed(RouterRig.prefix(5))))
    // No memory of failure: the next packet asks again.
    #expect(rig.router.query(RouterRig.address(RouterRig.id(5)), now: rig.now) == .asked(RouterRig.prefix(5)))
    #expect(rig.sent(to: 1).routeRequests.count == 1)
}

@Test
func usedRoutesAreAskedForBeforeTheyExpire() {
    var rig = RouterRig()
    rig.settle([1, 2])
    rig.receive(RouterRig.update(5, metric: 10), from: 1)
    _ = rig.taken()
    let destination = RouterRig.address(RouterRig.id(5))
    rig.pass(milliseconds: 900_000, keepAlive: [1, 2])
    _ = rig.taken()
    rig.router.routeUsed(destination, now: rig.now)
    #expect(rig.taken().isEmpty)
    rig.pass(milliseconds: 100_000, keepAlive: [1, 2])
    _ = rig.taken()
    rig.router.routeUsed(destination, now: rig.now)
    rig.router.routeUsed(destination, now: rig.now)
    #expect(rig.sent(to: 1).routeRequests.count == 1)
    // No answer: it is asked again before the route ends, then the answer comes.
    rig.pass(milliseconds: 16_000, keepAlive: [1, 2])
    _ = rig.taken()
    rig.router.routeUsed(destination, now: rig.now)
    #expect(rig.sent(to: 1).routeRequests.count == 1)
    rig.receive(RouterRig.update(5, metric: 10), from: 1)
    rig.pass(milliseconds: 200_000, keepAlive: [1, 2])
    #expect(rig.taken().changes.isEmpty)
}

@Test
func theEndOfARouteIsToldAMinuteAhead() {
    var rig = RouterRig()
    rig.settle([1, 2])
    rig.receive(RouterRig.update(5, metric: 10), from: 1)
    _ = rig.taken()
    let (old, fresh) = (
        RouterAction.routeAgeing(RouterRig.prefix(5), true), RouterAction.routeAgeing(RouterRig.prefix(5), false)
    )
    rig.pass(milliseconds: 985_000, keepAlive: [1, 2])
    #expect(!rig.taken().contains(old))
    rig.pass(milliseconds: 10_000, keepAlive: [1, 2])
    #expect(rig.taken().filter { $0 == old } == [old])
    rig.receive(RouterRig.update(5, metric: 10), from: 1)
    #expect(rig.taken().contains(fresh))
    // It ends: nothing is ageing any more.
    rig.pass(milliseconds: 1_100_000, keepAlive: [1, 2])
    let actions = rig.taken()
    let told = actions.filter { $0 == old || $0 == fresh }
    #expect(told == [old, fresh] && actions.changes.last?.outcome == .removed)
}

@Test
func openQueriesAreBounded() {
    var rig = RouterRig { configuration in
        configuration.limits.openQueries = 30
        configuration.limits.openQueriesPerNeighbour = 20
    }
    rig.settle([1, 2])
    for number in 100..<125 as Range<UInt16> {
        rig.receive(.routeRequest(.init(prefix: RouterRig.prefix(number))), from: 1)
    }
    #expect(rig.router.sizes.queries == 20)
    #expect(rig.router.counters[.neighbourQueriesFull] == 5)
    for number in 200..<215 as Range<UInt16> {
        rig.receive(.routeRequest(.init(prefix: RouterRig.prefix(number))), from: 2)
    }
    #expect(rig.router.sizes.queries == 30)
    #expect(rig.router.counters[.queriesFull] == 5)
    #expect(rig.router.query(RouterRig.address(RouterRig.id(5)), now: rig.now) == .refused)
    rig.pass(milliseconds: 15_000, keepAlive: [1, 2])
    #expect(rig.router.sizes.queries == 0)
}

@Test
func whoAsksForNobodyIsThrottled() {
    var rig = RouterRig()
    rig.settle([1, 2])
    var number: UInt16 = 100
    for _ in 0..<5 {
        for _ in 0..<40 {
            number += 1
            rig.receive(.routeRequest(.init(prefix: RouterRig.prefix(number))), from: 1)
        }
        rig.pass(milliseconds: 15_100, keepAlive: [1, 2])
    }
    _ = rig.taken()
    let before = rig.router.counters[.requestsRelayed]
    for _ in 0..<40 {
        number += 1
        rig.receive(.routeRequest(.init(prefix: RouterRig.prefix(number))), from: 1)
    }
    #expect(rig.router.counters[.requestsRelayed] == before + 1)
    #expect(rig.router.counters[.queriesThrottled] == 39)
}

@Test
func wildcardsAreAnsweredPacedAndOnceAMinute() {
    var rig = RouterRig { $0.limits.dump = .init(perSecond: 100, burst: 10) }
    rig.settle([1, 2])
    for number in 100..<150 as Range<UInt16> { rig.receive(RouterRig.update(number, metric: 10), from: 1) }
    _ = rig.taken()
    rig.receive(.routeRequest(.init(prefix: nil)), from: 2)
    #expect(rig.sent(to: 2).updates.count <= 11)
    rig.receive(.routeRequest(.init(prefix: nil)), from: 2)
    #expect(rig.router.counters[.wildcardsIgnored] == 1)
    rig.pass(milliseconds: 1_000, keepAlive: [1, 2])
    #expect(rig.sent(to: 2).updates.count >= 40)
    // The next hop of all of them has nothing to learn.
    rig.receive(.routeRequest(.init(prefix: nil)), from: 1)
    rig.pass(milliseconds: 1_000, keepAlive: [1, 2])
    #expect(rig.sent(to: 1).updates.map(\.prefix) == [RouterRig.prefix(0)])
}

@Test
func theOwnSeqnoRisesOnRequestFourTimesThenEveryFourSeconds() {
    var rig = RouterRig()
    rig.settle([1, 2])
    rig.pass(milliseconds: 2_000, keepAlive: [1, 2])
    _ = rig.taken()
    func request(_ seqno: UInt16) -> BabelTLV {
        .seqnoRequest(.init(prefix: RouterRig.prefix(0), routerID: rig.router.routerID, seqno: seqno))
    }
    // Already there: whoever asks is told.
    rig.receive(request(10), from: 1)
    #expect(rig.sent(to: 1).updates.map(\.seqno) == [10])
    rig.receive(request(11), from: 1)
    rig.pass(milliseconds: 0, keepAlive: [1, 2])
    var actions = rig.taken()
    #expect(actions.states == [RouterState(zone: 0, random: 7, seqno: 11)])
    #expect(actions.updates(to: 1).map(\.seqno) == [11])
    #expect(actions.updates(to: 2).map(\.seqno) == [11])
    // Written before anybody hears of it.
    let order = actions.compactMap { action -> Bool? in
        switch action {
        case .persist: true
        case .send(.update, _): false
        default: nil
        }
    }
    #expect(order == [true, false, false])
    // A few are answered at once, then one in four seconds.
    for seqno: UInt16 in 12...14 {
        rig.receive(request(seqno), from: 1)
        rig.pass(milliseconds: 0, keepAlive: [1, 2])
        #expect(rig.taken().states.map(\.seqno) == [seqno])
    }
    rig.receive(request(15), from: 1)
    rig.pass(milliseconds: 3_900, keepAlive: [1, 2])
    #expect(rig.taken().states.isEmpty)
    rig.pass(milliseconds: 200, keepAlive: [1, 2])
    actions = rig.taken()
    #expect(actions.states.map(\.seqno) == [15])
    // An old router id of this node is nobody's.
    rig.receive(
        .seqnoRequest(.init(prefix: RouterRig.prefix(0), routerID: RouterRig.id(0, random: 99), seqno: 50)), from: 1)
    rig.pass(milliseconds: 5_000, keepAlive: [1, 2])
    #expect(rig.taken().states.isEmpty)
}

@Test
func seqnoRequestsGoOnTowardsTheOriginAndTheAnswerComesBack() {
    var rig = RouterRig()
    rig.settle([1, 2, 3])
    rig.receive(RouterRig.update(5, metric: 10), from: 1)
    _ = rig.taken()
    func request(_ seqno: UInt16, hopCount: UInt8 = 64, random: UInt64 = 1) -> BabelTLV {
        .seqnoRequest(
            .init(
                prefix: RouterRig.prefix(5), routerID: RouterRig.id(5, random: random), seqno: seqno,
                hopCount: hopCount))
    }
    // Not newer, or another origin: the selected route is the answer.
    rig.receive(request(0), from: 2)
    #expect(rig.sent(to: 2).updates.map(\.seqno) == [0])
    rig.receive(request(9, random: 2), from: 2)
    #expect(rig.sent(to: 2).updates.count == 1)
    rig.receive(request(1, hopCount: 1), from: 2)
    #expect(rig.taken().isEmpty)
    #expect(rig.router.counters[.hopCountExceeded] == 1)
    rig.receive(request(1), from: 2)
    #expect(
        rig.taken() == [
            .send(
                .seqnoRequest(
                    .init(prefix: RouterRig.prefix(5), routerID: RouterRig.id(5), seqno: 1, hopCount: 63)),
                to: NeighbourID(1))
        ])
    // Once, but whoever asks is remembered.
    rig.receive(request(1), from: 3)
    #expect(rig.taken().isEmpty)
    rig.receive(RouterRig.update(5, metric: 10, seqno: 1), from: 1)
    let actions = rig.taken()
    #expect(actions.updates(to: 2).map(\.seqno) == [1])
    #expect(actions.updates(to: 3).map(\.seqno) == [1])
    #expect(rig.router.sizes.seqnoRequests == 0)
}

@Test
func ownSeqnoRequestsAreRepeatedWhileThereIsSomebodyToAsk() {
    var rig = RouterRig()
    rig.settle([1, 2], .hypha)
    rig.receive(RouterRig.update(5, metric: 10), from: 1)
    rig.receive(RouterRig.update(5, metric: 90), from: 2)
    rig.router.neighbourDown(NeighbourID(1), now: rig.now)
    rig.pass(milliseconds: 60_000, keepAlive: [2])
    let requests = rig.sent(to: 2).seqnoRequests
    // At once, after 1, 2, 4 and 8 s, then every 16 s.
    #expect(requests.count == 7)
    rig.receive(RouterRig.update(5, metric: 65_535), from: 2)
    _ = rig.taken()
    rig.pass(milliseconds: 80_000, keepAlive: [2])
    #expect(rig.router.sizes.seqnoRequests == 0)
    #expect(rig.sent(to: 2).seqnoRequests.isEmpty)
}

@Test
func packetsOfANeighbourWithoutARouteRepairALostRetraction() {
    var rig = RouterRig { $0.limits.openQueriesPerNeighbour = 3 }
    rig.settle([1, 2])
    let destination = RouterRig.address(RouterRig.id(5))
    #expect(rig.router.query(destination, from: NeighbourID(1), now: rig.now) == .asked(RouterRig.prefix(5)))
    let actions = rig.taken()
    #expect(
        actions.updates(to: 1) == [
            .init(
                prefix: RouterRig.prefix(5), routerID: rig.router.routerID, seqno: 10, metric: 65_535,
                interval: 30_000)
        ])
    #expect(actions.contains(.send(.routeRequest(.init(prefix: RouterRig.prefix(5))), to: NeighbourID(2))))
    // Once, until the query has ended; and for few prefixes at a time.
    #expect(rig.router.query(destination, from: NeighbourID(1), now: rig.now) == .asked(RouterRig.prefix(5)))
    #expect(rig.taken().isEmpty)
    for number in 6...7 as ClosedRange<UInt16> {
        let other = RouterRig.address(RouterRig.id(number))
        #expect(rig.router.query(other, from: NeighbourID(1), now: rig.now) == .asked(RouterRig.prefix(number)))
    }
    #expect(rig.router.query(RouterRig.address(RouterRig.id(8)), from: NeighbourID(1), now: rig.now) == .refused)
    _ = rig.taken()
    rig.receive(RouterRig.update(5, metric: 10), from: 2)
    #expect(rig.taken().updates(to: 1).map(\.metric).last == 30)
}
