import HyphaBase
import HyphaRouting
import HyphaWire
import Testing

private func requests(to id: UInt16, _ actions: [RouterAction]) -> [BabelTLV.RouteRequest] {
    actions.compactMap { if case .send(.routeRequest(let request), NeighbourID(id)) = $0 { request } else { nil } }
}

private func numbered(_ origin: UInt16, metric: UInt16, _ serial: UInt16) -> BabelTLV {
    guard case .update(var update) = RouterRig.update(origin, metric: metric) else {
        return RouterRig.update(origin, metric: metric)
    }
    update.serial = .init(epoch: 7, number: serial)
    return .update(update)
}

/// Neighbours 1 and 2 are stock nodes, 3 is none; 1 has filled the table of eight routes.
private func fullRig() -> RouterRig {
    var rig = RouterRig { $0.limits.routes = 8 }
    rig.settle([1, 2])
    rig.up(3, .hypha, key: RouterRig.key(3))
    for origin in 10..<18 as Range<UInt16> { rig.receive(RouterRig.update(origin, metric: 30), from: 1) }
    rig.pass(milliseconds: 2_000, keepAlive: [1, 2, 3])
    _ = rig.taken()
    return rig
}

@Test
func whatWasRefusedIsAskedForWhenThereIsRoom() {
    var rig = fullRig()
    rig.receive(RouterRig.update(20, metric: 30), from: 2)
    rig.receive(numbered(21, metric: 30, 0), from: 3)
    #expect(rig.router.counters[.routesFull] == 2)
    // One of eight is gone, then two: not yet.
    for origin in [10, 11] as [UInt16] {
        rig.receive(RouterRig.update(origin, metric: .max), from: 1)
        rig.pass(milliseconds: 15_000, keepAlive: [1, 2, 3])
        let actions = rig.taken()
        #expect(requests(to: 2, actions).allSatisfy { $0.prefix != nil } && requests(to: 3, actions).isEmpty)
    }
    #expect(rig.router.counters[.roomRequests] == 0)
    rig.receive(RouterRig.update(12, metric: .max), from: 1)
    _ = rig.taken()
    rig.pass(milliseconds: 11_500, keepAlive: [1, 2, 3])
    var actions = rig.taken()
    // Whoever was refused is asked for everything, each in its way; nobody else.
    #expect(requests(to: 1, actions).isEmpty)
    #expect(requests(to: 2, actions) == [.init(prefix: nil)])
    #expect(requests(to: 3, actions).first?.missing == .init(epoch: 7, number: 1, ranges: []))
    #expect(rig.router.counters[.roomRequests] == 2)
    rig.receive(numbered(21, metric: 30, 1), from: 3)
    rig.receive(
        .hello(.init(seqno: 1, interval: 400, progress: .init(next: .init(epoch: 7, number: 2), answered: 1))), from: 3)
    #expect(rig.router.sizes.routes == 6)
    // Once.
    _ = rig.taken()
    rig.pass(milliseconds: 200_000, keepAlive: [1, 2, 3])
    actions = rig.taken()
    for id in [1, 2, 3] as [UInt16] { #expect(requests(to: id, actions).isEmpty) }
}

@Test
func requestsForWhatWasRefusedArePaced() {
    var rig = fullRig()
    var times: [Int] = []
    // Room comes and goes, and each time a route is refused.
    for time in 0..<60 {
        for origin in 10..<13 as Range<UInt16> { rig.receive(RouterRig.update(origin, metric: 30), from: 1) }
        rig.receive(RouterRig.update(20, metric: 30), from: 2)
        rig.pass(milliseconds: 2_000, keepAlive: [1, 2, 3])
        for origin in 10..<13 as Range<UInt16> { rig.receive(RouterRig.update(origin, metric: .max), from: 1) }
        rig.pass(milliseconds: 2_000, keepAlive: [1, 2, 3])
        rig.receive(RouterRig.update(20, metric: .max), from: 2)
        if !requests(to: 2, rig.taken()).filter({ $0.prefix == nil }).isEmpty { times.append(time * 4) }
    }
    #expect((2...4).contains(times.count))
    for (first, second) in zip(times, times.dropFirst()) { #expect(second - first >= 56) }
}

@Test
func aLostPrefixIsAskedForWhereItsRouteWasRefused() {
    var rig = RouterRig { $0.limits.routesPerPrefix = 2 }
    rig.settle([1, 2])
    for id in [3, 4] as [UInt16] { rig.up(id, .hypha, key: RouterRig.key(id)) }
    for id in [1, 2] as [UInt16] { rig.receive(RouterRig.update(5, metric: 30), from: id) }
    rig.receive(numbered(5, metric: 30, 0), from: 3)
    #expect(rig.router.counters[.prefixRoutesFull] == 1)
    rig.receive(RouterRig.update(5, metric: .max), from: 1)
    #expect(requests(to: 3, rig.taken()).isEmpty)
    rig.receive(RouterRig.update(5, metric: .max), from: 2)
    #expect(requests(to: 3, rig.taken()) == [.init(generation: 15, prefix: RouterRig.prefix(5))])
    // Where nothing was refused, neighbours that tell everything are not asked.
    rig.receive(RouterRig.update(6, metric: 30), from: 1)
    rig.receive(RouterRig.update(6, metric: .max), from: 1)
    #expect(requests(to: 3, rig.taken()).isEmpty)
}
