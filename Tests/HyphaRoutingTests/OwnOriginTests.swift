import HyphaBase
import HyphaRouting
import HyphaWire
import Testing

@Test
func theOriginSurvivesARestart() {
    var rig = RouterRig(state: nil, seed: 5)
    #expect(rig.router.seqno == 0)
    #expect(RouterRig(state: nil, seed: 6).router.routerID != rig.router.routerID)
    let written = rig.taken().states
    #expect(written.count == 1)
    let again = RouterRig(state: written.last)
    #expect(again.router.routerID == rig.router.routerID)
    #expect(again.router.seqno == 1)
    #expect(again.actions.states.map(\.seqno) == [1])
    #expect(RouterRig(state: RouterState(zone: 0, random: 1, seqno: 65_535)).router.seqno == 0)
}

@Test
func theZoneIsTheConfigurationsNotTheStates() {
    let rig = RouterRig(state: RouterState(zone: 1, random: 7, seqno: 1)) { $0.zone = 0x4801 }
    #expect(rig.router.routerID.zone == 0x4801)
    #expect(rig.router.routerID.random == 7)
}

@Test(arguments: [(30_000, 300_000), (1_000, 10_000), (800, 8_000)] as [(UInt16, UInt64)])
func ownPrefixesAreAnnouncedLongBeforeTheirHoldEnds(interval: UInt16, period: UInt64) {
    var rig = RouterRig { $0.stockInterval = interval }
    rig.settle([1])
    rig.pass(milliseconds: 3 * period, keepAlive: [1])
    let updates = rig.sent(to: 1).updates
    #expect(updates.count == 3)
    #expect(updates.allSatisfy { $0.interval == interval && $0.seqno == 10 && $0.metric == 0 })
    #expect(period + 15_000 <= UInt64(interval) * 35)
}

@Test
func anOldSelfIsLeftBehind() {
    var rig = RouterRig()
    rig.settle([1])
    rig.pass(milliseconds: 4_000, keepAlive: [1])
    _ = rig.taken()
    func heard(_ seqno: UInt16, metric: UInt16 = 40) -> BabelTLV {
        .update(
            .init(
                prefix: RouterRig.prefix(0), routerID: rig.router.routerID, seqno: seqno, metric: metric,
                interval: 30_000))
    }
    // Older, equal, or a retraction: no news.
    rig.receive(heard(10), from: 1)
    rig.receive(heard(9), from: 1)
    rig.receive(heard(500, metric: 65_535), from: 1)
    rig.pass(milliseconds: 5_000, keepAlive: [1])
    #expect(rig.router.seqno == 10)
    rig.receive(heard(15), from: 1)
    // It started 8 s ago: two steps for each 4 s.
    rig.pass(milliseconds: 4_000, keepAlive: [1])
    #expect(rig.router.seqno == 16)
    #expect(rig.taken().states.map(\.seqno) == [16])
    #expect(rig.router.counters[.seqnoJumps] == 1)
    // After a quiet time 128 at once, then 32 a minute.
    rig.pass(milliseconds: 270_000, keepAlive: [1])
    rig.receive(heard(300), from: 1)
    rig.pass(milliseconds: 100, keepAlive: [1])
    #expect(rig.router.seqno == 144)
    rig.pass(milliseconds: 63_000, keepAlive: [1])
    #expect(rig.router.seqno == 144)
    rig.pass(milliseconds: 1_000, keepAlive: [1])
    #expect(rig.router.seqno == 176)
    rig.pass(milliseconds: 260_000, keepAlive: [1])
    #expect(rig.router.seqno == 301)
    // Further than anybody believes who knew it before: not followed.
    rig.receive(heard(301 + 4_097), from: 1)
    rig.receive(heard(301 + 32_767), from: 1)
    rig.pass(milliseconds: 300_000, keepAlive: [1])
    #expect(rig.router.seqno == 301)
    // Nobody says it any more.
    rig.receive(heard(301 + 4_096), from: 1)
    rig.pass(milliseconds: 3_000_000, keepAlive: [1])
    #expect((700...800).contains(rig.router.seqno))
}

@Test
func strangersUnderTheOwnKeyMakeItDrawANewID() {
    var rig = RouterRig()
    rig.settle([1])
    func stranger(_ random: UInt64) -> BabelTLV { RouterRig.update(0, metric: 30, random: random) }
    let old = rig.router.routerID
    rig.receive(stranger(50), from: 1)
    rig.receive(stranger(50), from: 1)
    #expect(rig.router.routerID == old)
    rig.receive(stranger(51), from: 1)
    let new = rig.router.routerID
    #expect(new != old)
    #expect(new.hasSameKey(as: old))
    let actions = rig.taken()
    #expect(actions.states == [RouterState(zone: 0, random: new.random, seqno: 0)])
    #expect(actions.updates(to: 1).map(\.routerID) == [new])
    // At most once in ten minutes.
    for _ in 0..<9 { rig.receive(stranger(52), from: 1) }
    #expect(rig.router.routerID == new)
    #expect(rig.router.counters[.foreignRouterIDs] == 12)
    rig.pass(milliseconds: 600_000, keepAlive: [1])
    for _ in 0..<3 { rig.receive(stranger(52), from: 1) }
    #expect(rig.router.routerID != new)
}

@Test
func aNodeThatEndsRetractsItsPrefixes() {
    var rig = RouterRig()
    rig.settle([1, 2])
    rig.router.stop(now: rig.now)
    let actions = rig.taken()
    for id in [1, 2] as [UInt16] { #expect(actions.updates(to: id).map(\.metric) == [65_535]) }
}
