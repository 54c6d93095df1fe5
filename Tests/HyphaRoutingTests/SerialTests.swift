import HyphaBase
import HyphaWire
import Testing

@testable import HyphaRouting
@testable import HyphaSimulator

private let epoch: UInt16 = 77

private func serial(_ number: Int) -> BabelTLV.Serial {
    .init(epoch: epoch, number: UInt16(truncatingIfNeeded: number))
}

private func moment(_ milliseconds: UInt64) -> Instant { Instant.zero.advanced(byMilliseconds: milliseconds) }

/// One of two routers that talk over a link which may lose, delay and reorder.
private struct Pair {
    var left = RouterRig()
    var right = RouterRig { $0.key = RouterRig.key(1) }
    /// Of a hundred messages.
    var loss = 0
    var jitter: UInt64 = 0
    /// Messages of Updates that are lost or late together.
    var perPacket = 1
    var seed: Seed
    private var flying: [(at: Instant, toRight: Bool, tlv: BabelTLV)] = []

    init(seed: UInt64 = 1) {
        self.seed = Seed(seed)
        left.up(1, .hypha, key: RouterRig.key(1))
        right.up(1, .hypha, key: RouterRig.key(0))
    }

    /// What left or right did since the last time.
    private mutating func collect() {
        for (toRight, actions) in [(true, left.taken()), (false, right.taken())] {
            var count = 0
            var isLost = false
            var delay: UInt64 = 0
            for case .send(let tlv, NeighbourID(1)) in actions {
                if count % perPacket == 0 {
                    isLost = Int.random(in: 0..<100, using: &seed) < loss
                    delay = 10 + UInt64.random(in: 0...jitter, using: &seed)
                }
                count += 1
                if isLost { continue }
                flying.append((left.now.advanced(byMilliseconds: delay), toRight, tlv))
            }
        }
    }

    mutating func run(milliseconds: UInt64) {
        for _ in 0..<milliseconds {
            left.pass(milliseconds: 1)
            right.pass(milliseconds: 1)
            collect()
            let now = left.now
            let landing = flying.filter { $0.at <= now }
            flying.removeAll { $0.at <= now }
            for (_, toRight, tlv) in landing {
                if toRight { right.receive(tlv, from: 1) } else { left.receive(tlv, from: 1) }
            }
        }
    }
}

@Test
func serialsCountUpdatesToEachNeighbour() {
    var rig = RouterRig()
    rig.settle([1])
    for id in [2, 3] as [UInt16] {
        rig.up(id, .hypha, key: RouterRig.key(id))
        let numbers = rig.sent(to: id).updates.compactMap(\.serial?.number)
        #expect(numbers == [0])
    }
    rig.receive(RouterRig.update(5, metric: 30), from: 1)
    rig.receive(RouterRig.update(6, metric: 30), from: 1)
    let actions = rig.taken()
    for id in [2, 3] as [UInt16] { #expect(actions.updates(to: id).compactMap(\.serial?.number) == [1, 2]) }
    #expect(actions.updates(to: 2)[0].serial?.epoch != actions.updates(to: 3)[0].serial?.epoch)
    // A stock node gets none.
    rig.receive(RouterRig.update(7, metric: 30), from: 2)
    #expect(rig.taken().updates(to: 1).map(\.serial) == [nil])
}

@Test
func helloFollowsABurst() {
    var rig = RouterRig()
    rig.settle([1])
    rig.up(2, .hypha, key: RouterRig.key(2))
    rig.pass(milliseconds: 3_000, keepAlive: [1, 2])
    _ = rig.taken()
    rig.receive(RouterRig.update(5, metric: 30), from: 1)
    rig.pass(milliseconds: 150, keepAlive: [1, 2])
    rig.receive(RouterRig.update(6, metric: 30), from: 1)
    var hellos: [Int] = []
    for time in 0..<1_000 {
        for case .hello(let hello) in rig.sent(to: 2) {
            hellos.append(time)
            #expect(hello.progress?.next.number == 3)
        }
        rig.pass(milliseconds: 1, keepAlive: [1, 2])
    }
    #expect(hellos.filter { (199...201).contains($0) }.count == 1)
    #expect(hellos.filter { (799...801).contains($0) }.count == 1)
    #expect(hellos.count <= 3)
}

@Test
func lostUpdatesAreAskedFor() {
    var received = ReceivedUpdates()
    #expect(received.note(serial(0), now: moment(0)) == .next)
    #expect(received.due == .distantFuture)
    #expect(received.note(serial(3), now: moment(10)) == .next)
    #expect(received.missing == [.init(first: 1, count: 2)])
    #expect(received.due == moment(110))
    // Late, not lost.
    #expect(received.note(serial(2), now: moment(20)) == .late)
    received.fill(2)
    #expect(received.note(serial(2), now: moment(20)) == .useless)
    #expect(received.note(serial(0), now: moment(20)) == .useless)
    received.note(.init(next: serial(6), answered: 0), now: moment(30))
    #expect(received.missing == [.init(first: 1, count: 1), .init(first: 4, count: 2)])
    let asked = received.ask(roundTrip: 20, now: moment(110))
    #expect(asked == .init(epoch: epoch, number: 1, ranges: received.missing))
    // The same again, ever less often, until it is answered.
    #expect(received.due == moment(610))
    #expect(received.ask(roundTrip: 20, now: moment(610)) == asked)
    #expect(received.due == moment(1_610))
    #expect(received.ask(roundTrip: 20, now: moment(1_610)) == asked)
    #expect(received.ask(roundTrip: 20, now: moment(3_610)) == asked)
    #expect(received.due == moment(5_610))
    received.note(.init(next: serial(9), answered: 1), now: moment(3_700))
    #expect(received.missing == [.init(first: 6, count: 3)])
    #expect(received.due == moment(3_800))
    #expect(received.ask(roundTrip: 20, now: received.due)?.number == 2)
    received.note(.init(next: serial(9), answered: 2), now: moment(3_900))
    #expect(received.missing.isEmpty)
    #expect(received.due == .distantFuture)
}

@Test
func whoMissesTooMuchAsksForEverything() {
    var received = ReceivedUpdates()
    _ = received.note(serial(0), now: moment(0))
    _ = received.note(serial(3), now: moment(0))
    _ = received.note(serial(2_000), now: moment(0))
    #expect(!received.isAllMissing)
    _ = received.note(serial(2_050), now: moment(0))
    #expect(received.isAllMissing)
    // What is late of them all may still be news.
    #expect(received.note(serial(1_000), now: moment(0)) == .late)
    let asked = received.ask(roundTrip: 20, now: received.due)
    #expect(asked?.ranges == [])
    // What is lost of the answer is missing again.
    _ = received.note(serial(2_055), now: moment(300))
    received.note(.init(next: serial(2_056), answered: 1), now: moment(400))
    #expect(!received.isAllMissing)
    #expect(received.missing == [.init(first: 2_051, count: 4)])
}

@Test
func aNewEpochIsANewBeginning() {
    var received = ReceivedUpdates()
    _ = received.note(serial(5), now: moment(0))
    #expect(received.missing == [.init(first: 0, count: 5)])
    #expect(received.note(.init(epoch: epoch + 3, number: 1), now: moment(5)) == .next)
    #expect(received.missing == [.init(first: 0, count: 1)])
    // What is late of the former one is over.
    #expect(received.note(serial(6), now: moment(6)) == .useless)
}

/// Two sessions made at once: what was said under the second can overtake all that was said under the first.
@Test
func anEpochThatNobodyHeardOfBeforeIsOverToo() {
    var received = ReceivedUpdates()
    #expect(received.note(.init(epoch: 1, number: 0), now: moment(1)) == .next)
    #expect(received.note(.init(epoch: 0, number: 0), now: moment(2)) == .useless)
    #expect(received.note(.init(epoch: .max, number: 0), now: moment(2)) == .useless)
    #expect(received.note(.init(epoch: 1, number: 1), now: moment(3)) == .next)
    // A neighbour that counts anew, and one that counted on without this node.
    #expect(received.note(.init(epoch: 1 &- 1_025, number: 0), now: moment(4)) == .next)
    #expect(received.note(.init(epoch: 3_000, number: 0), now: moment(5)) == .next)
}

@Test
func epochsRise() {
    var rig = RouterRig()
    var epochs: [UInt16] = []
    for round in 0..<3 {
        for id in [2, 3] as [UInt16] {
            rig.up(id, .hypha, key: RouterRig.key(id))
            if round == 2 { rig.router.neighbourRenewed(NeighbourID(id), hasForgotten: true, now: rig.now) }
            epochs.append(rig.sent(to: id).updates.last?.serial?.epoch ?? 0)
        }
    }
    for (old, new) in zip(epochs, epochs.dropFirst()) { #expect((1...2).contains(new &- old)) }
}

@Test
func serialsWrap() {
    var sent = SentUpdates(epoch: epoch)
    var received = ReceivedUpdates()
    for number in 0..<140_000 as Range<UInt32> {
        let serial = sent.number(number)
        if number % 7 == 3 { continue }
        #expect(received.note(serial, now: moment(0)) == .next)
        // Asked for and answered at once.
        guard let asked = received.ask(roundTrip: 1, now: moment(0)) else { continue }
        #expect(asked.ranges.map { sent.subject(of: $0.first) } == [number - 1])
        received.note(.init(next: sent.progress.next, answered: asked.number), now: moment(0))
        #expect(received.missing.isEmpty)
    }
    #expect(sent.subject(of: sent.progress.next.number) == nil)
    #expect(sent.subject(of: sent.progress.next.number &- UInt16(SentUpdates.window) &- 1) == nil)
}

@Test
func lateUpdatesDoNotUndoNewerOnes() {
    var rig = RouterRig()
    rig.settle([1, 2])
    rig.up(3, .hypha, key: RouterRig.key(3))
    func update(_ metric: UInt16, _ number: Int) -> BabelTLV {
        guard case .update(var update) = RouterRig.update(5, metric: metric) else {
            return RouterRig.update(5, metric: 0)
        }
        update.serial = serial(number)
        return .update(update)
    }
    rig.receive(update(30, 0), from: 3)
    #expect(rig.router.sizes.routes == 1)
    rig.receive(update(65_535, 2), from: 3)
    #expect(rig.router.sizes.routes == 0)
    // Announced before the retraction, and overtaken by it.
    rig.receive(update(30, 1), from: 3)
    #expect(rig.router.sizes.routes == 0)
    #expect(rig.router.counters[.updatesOutOfOrder] == 1)
    // Whether it was about this prefix is not known: it is asked for, and what is true now comes with a new serial.
    _ = rig.taken()
    rig.pass(milliseconds: 101)
    let requests = rig.sent(to: 3).routeRequests
    #expect(requests.map(\.missing) == [.init(epoch: epoch, number: 1, ranges: [.init(first: 1, count: 1)])])
}

@Test
func refusedUpdatesAreNotUndoneByLateOnes() {
    var rig = RouterRig { $0.limits.routes = 1 }
    rig.settle([1])
    rig.receive(RouterRig.update(6, metric: 30), from: 1)
    rig.up(3, .hypha, key: RouterRig.key(3))
    func receive(_ origin: UInt16, _ metric: UInt16, _ number: Int) {
        guard case .update(var update) = RouterRig.update(origin, metric: metric) else { return }
        update.serial = serial(number)
        rig.receive(.update(update), from: 3)
    }
    // No room, then room again: what was said before the refused Update is old all the same.
    receive(5, 90, 1)
    #expect(rig.router.counters[.routesFull] == 1)
    rig.router.neighbourDown(NeighbourID(1), now: rig.now)
    receive(5, 30, 0)
    #expect(rig.router.sizes.routes == 0)
}

@Test
func lateRetractionsAreRemembered() {
    var rig = RouterRig()
    rig.up(3, .hypha, key: RouterRig.key(3))
    func receive(_ origin: UInt16, _ metric: UInt16, _ number: Int) {
        guard case .update(var update) = RouterRig.update(origin, metric: metric) else { return }
        update.serial = serial(number)
        rig.receive(.update(update), from: 3)
    }
    receive(5, 30, 0)
    receive(6, 30, 3)
    // The retraction is late; the announcement that it overtook comes even later.
    receive(5, .max, 2)
    #expect(rig.router.sizes.routes == 1)
    receive(5, 30, 1)
    #expect(rig.router.sizes.routes == 1)
    #expect(rig.router.counters[.updatesOutOfOrder] == 1)
    // A newer one is remembered, and an older one changes nothing about that.
    receive(7, .max, 8)
    receive(7, .max, 5)
    receive(5, 30, 6)
    #expect(rig.router.sizes.routes == 1)
    receive(5, 30, 9)
    #expect(rig.router.sizes.routes == 2)
    // What is no route is not missed: neither 2 nor 5, only what might have brought one.
    _ = rig.taken()
    rig.pass(milliseconds: 101)
    let asked = rig.sent(to: 3).routeRequests.compactMap(\.missing).flatMap(\.ranges)
    #expect(asked == [.init(first: 1, count: 1), .init(first: 4, count: 1), .init(first: 6, count: 2)])
}

@Test(arguments: 1...6 as ClosedRange<UInt64>)
func twoRoutersAgreeWhateverTheLinkLoses(number: UInt64) {
    var pair = Pair(seed: number)
    var seed = Seed(number)
    pair.loss = 30
    pair.jitter = 40
    pair.left.up(2)
    pair.run(milliseconds: 200)
    for _ in 0..<120 {
        let origin = UInt16.random(in: 10...40, using: &seed)
        let isRetraction = Int.random(in: 0..<3, using: &seed) == 0
        let metric = isRetraction ? .max : UInt16.random(in: 4...60, using: &seed)
        pair.left.receive(
            RouterRig.update(origin, metric: metric, seqno: UInt16.random(in: 0...9, using: &seed)), from: 2)
        pair.run(milliseconds: UInt64.random(in: 0...120, using: &seed))
        pair.left.receive(.ihu(.init(receiveCost: 0, interval: 0)), from: 2)
    }
    // Not even the link gets better.
    pair.run(milliseconds: 16_000)
    for origin in 10...40 as ClosedRange<UInt16> {
        let address = RouterRig.address(RouterRig.id(origin))
        func knows(_ rig: RouterRig) -> Bool {
            rig.router.table.longestMatch(address).map { rig.router.table[$0].phase == .reachable } ?? false
        }
        #expect(knows(pair.left) == knows(pair.right), "seed \(number), origin \(origin)")
    }
    #expect(pair.right.router.counters[.resendRequests] > 5)
    #expect(pair.left.router.counters[.resends] > 5)
    #expect(pair.left.router.inconsistencies().isEmpty && pair.right.router.inconsistencies().isEmpty)
}

@Test(arguments: [1, 2, 3] as [UInt64])
func aLargeDumpOverALossyLinkEnds(number: UInt64) {
    var pair = Pair(seed: number)
    pair.left.up(2)
    pair.run(milliseconds: 100)
    for origin in 10..<3_010 as Range<UInt16> { pair.left.receive(RouterRig.update(origin, metric: 30), from: 2) }
    pair.loss = 5
    pair.jitter = 10
    pair.perPacket = 12
    pair.run(milliseconds: 3_000)
    #expect(pair.right.router.sizes.routes == 3_001)
    for _ in 0..<2 {
        pair.left.receive(.ihu(.init(receiveCost: 0, interval: 0)), from: 2)
        pair.run(milliseconds: 12_000)
    }
    // One when the link came up, one because it lost and mixed up so much.
    #expect(pair.left.router.counters[.dumps] <= 2)
    #expect(pair.left.router.counters[.resends] > 1)
    #expect(pair.right.router.sizes.routes == 3_001)
}

@Test
func answersToGreedyNeighboursAreFew() {
    var rig = RouterRig()
    rig.settle([1])
    rig.up(2, .hypha, key: RouterRig.key(2))
    for origin in 5...204 as ClosedRange<UInt16> { rig.receive(RouterRig.update(origin, metric: 30), from: 1) }
    guard let epoch = rig.sent(to: 2).updates.last?.serial?.epoch else {
        Issue.record("no serial")
        return
    }
    func ask(_ ranges: [BabelTLV.Missing.Range]) -> Int {
        var count = 0
        for number in 1...50 as ClosedRange<UInt16> {
            rig.receive(
                .routeRequest(.init(prefix: nil, missing: .init(epoch: epoch, number: number, ranges: ranges))), from: 2
            )
            count += rig.sent(to: 2).updates.count
        }
        return count
    }
    // Once in 100 ms; not more than 200 at once; of the same prefix once.
    #expect(ask([.init(first: 1, count: 150)]) == 150)
    rig.pass(milliseconds: 1_000, keepAlive: [1, 2])
    _ = rig.taken()
    #expect(ask([.init(first: 1, count: 201)]) == 0)
    rig.pass(milliseconds: 1_000, keepAlive: [1, 2])
    _ = rig.taken()
    #expect(ask([.init(first: 1, count: 3), .init(first: 1, count: 3)]) == 3)
    // Too long ago: everything, at most every 10 s.
    rig.pass(milliseconds: 1_000, keepAlive: [1, 2])
    _ = rig.taken()
    #expect(ask([.init(first: 60_000, count: 1)]) == 201)
    rig.pass(milliseconds: 9_000, keepAlive: [1, 2])
    _ = rig.taken()
    #expect(ask([.init(first: 60_000, count: 1)]) == 0)
    rig.pass(milliseconds: 1_100, keepAlive: [1, 2])
    _ = rig.taken()
    #expect(ask([.init(first: 60_000, count: 1)]) == 201)
    #expect(rig.router.counters[.resendsRefused] > 100)
}

@Test
func messagesAreAsLongAsTheSimulatorCounts() {
    var seed = Seed(3)
    for _ in 0..<500 {
        let tlv = Bool.random(using: &seed) ? randomTLV(&seed) : randomNumberedTLV(&seed)
        #expect(SimMessage.bodySize(tlv) == tlv.body.count)
    }
}
