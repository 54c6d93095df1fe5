import HyphaBase
import HyphaRouting
import HyphaWire
import Testing

private func request(_ seqno: UInt16) -> BabelTLV {
    .seqnoRequest(.init(prefix: RouterRig.prefix(5), routerID: RouterRig.id(5), seqno: seqno))
}

/// A forged request must not stand in the way of true ones. (`hypha-sim --hostile requests`, before this: half of the runs.)
@Test
func aSeqnoFarAheadKeepsNobodyFromANearerOne() {
    var rig = RouterRig()
    rig.settle([1, 2, 3], .hypha)
    rig.receive(RouterRig.update(5, metric: 10), from: 1)
    _ = rig.taken()
    rig.receive(request(1_000), from: 2)
    #expect(rig.sent(to: 1).seqnoRequests.map(\.seqno) == [1_000])
    rig.pass(milliseconds: 1_000, keepAlive: [1, 2, 3])
    _ = rig.taken()
    rig.receive(request(1), from: 3)
    #expect(rig.sent(to: 1).seqnoRequests.map(\.seqno) == [1])
    rig.receive(RouterRig.update(5, metric: 10, seqno: 1), from: 1)
    let actions = rig.taken()
    #expect(actions.updates(to: 3).map(\.seqno) == [1])
    #expect(actions.updates(to: 2).isEmpty)
    #expect(rig.router.sizes.seqnoRequests == 1)
}

@Test(arguments: [2, 1_000, 32_767, 32_768, 40_000] as [UInt16])
func whatOthersAskForDoesNotChangeWhatThisNodeNeeds(forged: UInt16) {
    var rig = RouterRig()
    rig.settle([1, 2, 3], .hypha)
    rig.receive(RouterRig.update(5, metric: 10), from: 1)
    rig.receive(RouterRig.update(5, metric: 90), from: 2)
    _ = rig.taken()
    rig.receive(request(forged), from: 3)
    rig.router.neighbourDown(NeighbourID(1), now: rig.now)
    // Asked while the own request is open, too.
    rig.receive(request(forged), from: 3)
    #expect(rig.sent(to: 2).seqnoRequests.map(\.seqno) == [1])
    rig.pass(milliseconds: 20_000, keepAlive: [2, 3])
    #expect(Set(rig.sent(to: 2).seqnoRequests.map(\.seqno)) == [1])
}

@Test
func requestsOfOthersLeaveRoomForOwnOnes() {
    var rig = RouterRig { $0.limits.openSeqnoRequests = 4 }
    rig.settle([1, 2, 3], .hypha)
    for origin: UInt16 in 5...9 {
        rig.receive(RouterRig.update(origin, metric: 10), from: 1)
        rig.receive(RouterRig.update(origin, metric: 90), from: 2)
    }
    for origin: UInt16 in 5...8 {
        rig.receive(
            .seqnoRequest(.init(prefix: RouterRig.prefix(origin), routerID: RouterRig.id(origin), seqno: 1)), from: 3)
    }
    #expect(rig.router.sizes.seqnoRequests == 3)
    #expect(rig.router.counters[.seqnoRequestsFull] == 1)
    rig.receive(RouterRig.update(9, metric: 65_535), from: 1)
    #expect(rig.router.sizes.seqnoRequests == 4)
}
