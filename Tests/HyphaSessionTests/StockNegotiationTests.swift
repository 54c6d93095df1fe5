import HyphaBase
import HyphaSession
import HyphaWire
import Testing

private typealias Event = StockNegotiation.Event

private func ms(_ milliseconds: UInt64) -> Instant {
    Instant(nanoseconds: 1_000_000_000).advanced(byMilliseconds: milliseconds)
}

private let mark = NativeMark(capabilities: 0)

private func decision(
    _ fate: StockNegotiation.Fate?, starts: Bool = false, alarm: Bool = false, queue: StockNegotiation.Fate? = nil,
    count: Int = 0
) -> StockNegotiation.Decision {
    var value = StockNegotiation.Decision()
    value.fate = fate
    value.startsHandshake = starts
    value.fallsBack = alarm
    value.queue = queue
    value.queueCount = count
    return value
}

@Test func withoutAHintStockBodiesGoUntilAMarkComesBack() {
    var peer = StockNegotiation(session: .auto, early: .queue)
    for i in 0..<1_000 as Range<UInt64> {
        #expect(peer.handle(.packet(bytes: 1_400), now: ms(i)) == decision(.stock(mark)))
        #expect(peer.handle(.stockBodyOpened(mark: nil), now: ms(i)) == decision(.accept))
    }
    // One packet of stock is what a hidden hint costs.
    #expect(peer.handle(.stockBodyOpened(mark: mark), now: ms(2_000)) == decision(.accept, starts: true))
    #expect(peer.handle(.packet(bytes: 1_400), now: ms(2_050)) == decision(.queue))
    #expect(peer.nextDeadline == ms(2_300))
    #expect(peer.handle(.sessionStarted, now: ms(2_100)) == decision(nil, queue: .native, count: 1))
    #expect(peer.handle(.packet(bytes: 1_400), now: ms(2_101)) == decision(.native))
    #expect(peer.nextDeadline == nil && peer.isPinned(now: ms(2_101)))
}

@Test func aHintCostsTheWaitOnceAMinuteAndNothingMore() {
    var peer = StockNegotiation(session: .auto, early: .queue)
    #expect(peer.handle(.hint(mark), now: ms(0)) == decision(nil))
    var starts: [UInt64] = []
    var queued: [UInt64] = []
    for i in stride(from: 0 as UInt64, to: 200_000, by: 50) {
        let made = peer.handle(.packet(bytes: 100), now: ms(i))
        if made.startsHandshake { starts.append(i) }
        #expect(!made.fallsBack)
        switch made.fate {
        case .queue: queued.append(i)
        case .stock: break
        default: Issue.record("\(i): \(made)")
        }
        if made.queue != nil { #expect(made.queue == .stock(mark) && made.queueCount == 5) }
        if starts.last == i { continue }
        if let last = starts.last, i == last + 5_000 { _ = peer.handle(.handshakeFailed, now: ms(i)) }
    }
    #expect(starts == [0, 30_000, 60_000, 90_000, 120_000, 150_000, 180_000])
    #expect(queued.count == 4 * 5 && queued.filter { $0 % 60_000 == 0 }.count == 4)
    #expect(peer.handle(.hint(nil), now: ms(200_000)) == decision(nil) && !peer.isHinted)
}

@Test func anAblePeerGetsFewStockBodies() {
    for early in [EarlyPolicy.queue, .legacy] {
        var peer = StockNegotiation(session: .auto, early: early)
        _ = peer.handle(.pinned(until: ms(10_000_000)), now: ms(0))
        var stock = 0
        var starts = 0
        for i in 0..<600_000 as Range<UInt64> {
            let made = peer.handle(.packet(bytes: 100), now: ms(i))
            if made.startsHandshake {
                starts += 1
                if starts > 1 { _ = peer.handle(.handshakeFailed, now: ms(i + 300)) }
            }
            if case .stock = made.fate {
                stock += 1
                #expect(made.fallsBack)
            }
            if case .stock = made.queue { stock += made.queueCount }
            if i == 4_000 { _ = peer.handle(.handshakeFailed, now: ms(i)) }
        }
        // Ten minutes, 64 packets each.
        #expect(stock <= 640 && stock > 300, "\(early)")
        #expect(starts >= 100, "\(early)")
    }
}

/// What waits has nowhere else to go: it waits until there is a session, or until none can be made.
@Test func requireNeverSendsNorTakesAStockBody() {
    var peer = StockNegotiation(session: .require, early: .legacy)
    #expect(peer.handle(.packet(bytes: 9), now: ms(0)) == decision(.queue, starts: true))
    #expect(peer.handle(.stockBodyOpened(mark: mark), now: ms(1)) == decision(.refuse))
    #expect(!peer.isMarked)
    for i in 2..<100 as Range<UInt64> {
        #expect(peer.handle(.packet(bytes: 9_000), now: ms(i)) == decision(.queue))
    }
    #expect(peer.nextDeadline == nil)
    #expect(peer.handle(.timer, now: ms(900)) == decision(nil))
    // Asked again once a second: the first request may have been lost.
    #expect(peer.handle(.packet(bytes: 9), now: ms(999)) == decision(.queue))
    #expect(peer.handle(.packet(bytes: 9), now: ms(1_000)) == decision(.queue, starts: true))
    #expect(peer.handle(.handshakeFailed, now: ms(1_100)) == decision(nil, queue: .drop))
    #expect(peer.handle(.packet(bytes: 9), now: ms(1_101)) == decision(.queue, starts: true))
    #expect(peer.handle(.sessionStarted, now: ms(1_200)) == decision(nil, queue: .native))
    #expect(peer.handle(.packet(bytes: 9), now: ms(1_201)) == decision(.native))
    #expect(!peer.isPlain)
}

/// Which peers need no decision for each packet.
@Test func plainPeers() {
    var peer = StockNegotiation(session: .auto, early: .queue)
    #expect(peer.isPlain)
    _ = peer.handle(.packet(bytes: 9), now: ms(0))
    _ = peer.handle(.stockBodyOpened(mark: nil), now: ms(0))
    #expect(peer.isPlain)
    _ = peer.handle(.hint(mark), now: ms(1))
    #expect(!peer.isPlain)
    _ = peer.handle(.packet(bytes: 9), now: ms(2))
    _ = peer.handle(.hint(nil), now: ms(3))
    // A packet waits still.
    #expect(!peer.isPlain)
    #expect(peer.handle(.timer, now: ms(252)) == decision(nil, queue: .stock(mark), count: 1))
    #expect(peer.isPlain)
    _ = peer.handle(.stockBodyOpened(mark: mark), now: ms(300))
    #expect(!peer.isPlain)
    _ = peer.handle(.unpinned, now: ms(301))
    #expect(peer.isPlain)
    _ = peer.handle(.pinned(until: ms(1_000)), now: ms(302))
    #expect(!peer.isPlain)
    #expect(StockNegotiation(session: .classic, early: .queue).isPlain)
    #expect(MemoryLayout<StockNegotiation>.size <= 88)
}

/// No session will come: what waits goes at once.
@Test func aFailedHandshakeEndsTheWait() {
    var peer = StockNegotiation(session: .auto, early: .queue)
    _ = peer.handle(.hint(mark), now: ms(0))
    for i in 0..<3 as Range<UInt64> {
        #expect(peer.handle(.packet(bytes: 9), now: ms(i)) == decision(.queue, starts: i == 0))
    }
    #expect(peer.handle(.handshakeFailed, now: ms(20)) == decision(nil, queue: .stock(mark), count: 3))
    #expect(peer.nextDeadline == nil)
    #expect(peer.handle(.packet(bytes: 9), now: ms(21)) == decision(.stock(mark)))
    // One of which nothing is ever heard does not keep the next from beginning.
    _ = peer.handle(.stockBodyOpened(mark: mark), now: ms(40_000))
    #expect(peer.handle(.packet(bytes: 9), now: ms(49_999)).startsHandshake == false)
    #expect(peer.handle(.packet(bytes: 9), now: ms(50_000)).startsHandshake)
}

@Test func classicNeverStarts() {
    var peer = StockNegotiation(session: .classic, early: .queue)
    for event in [Event.hint(mark), .pinned(until: ms(10_000_000))] {
        #expect(peer.handle(event, now: ms(0)) == decision(nil))
    }
    for i in 0..<500 as Range<UInt64> {
        #expect(peer.handle(.packet(bytes: 9), now: ms(i)) == decision(.stock(nil)))
        #expect(peer.handle(.stockBodyOpened(mark: mark), now: ms(i)) == decision(.accept))
    }
}

@Test func theQueueIsBounded() {
    var peer = StockNegotiation(session: .auto, early: .queue)
    _ = peer.handle(.pinned(until: ms(10_000_000)), now: ms(0))
    #expect(peer.handle(.packet(bytes: 60_000), now: ms(0)) == decision(.queue, starts: true))
    #expect(peer.handle(.packet(bytes: 6_000), now: ms(0)) == decision(.drop))
    for _ in 0..<15 { #expect(peer.handle(.packet(bytes: 300), now: ms(1)) == decision(.queue)) }
    #expect(peer.handle(.packet(bytes: 300), now: ms(1)) == decision(.drop))
    #expect(peer.waitingPackets == 16 && peer.waitingBytes == 64_500)
    #expect(peer.handle(.timer, now: ms(250)) == decision(nil, alarm: true, queue: .stock(mark), count: 16))
    #expect(peer.waitingPackets == 0 && peer.nextDeadline == nil)
}

@Test func recordingsOfAPinnedPeerPassWithinTheBudget() {
    var peer = StockNegotiation(session: .auto, early: .queue)
    #expect(peer.handle(.sessionStarted, now: ms(0)) == decision(nil))
    // What was under way when the first session began.
    for i in 0..<500 as Range<UInt64> { #expect(peer.handle(.stockBodyOpened(mark: mark), now: ms(i)).fate == .accept) }
    var accepted = 0
    for i in 5_000..<65_000 as Range<UInt64> where peer.handle(.stockBodyOpened(mark: nil), now: ms(i)).fate == .accept
    {
        accepted += 1
    }
    #expect(accepted == 64)
    _ = peer.handle(.sessionEnded, now: ms(65_000))
    _ = peer.handle(.sessionStarted, now: ms(66_000))
    accepted = 0
    for i in 66_000..<67_000 as Range<UInt64> where peer.handle(.stockBodyOpened(mark: nil), now: ms(i)).fate == .accept
    {
        accepted += 1
    }
    #expect(accepted == 64)
    let later = ms(67_000 + StockNegotiation.pinMilliseconds)
    #expect(!peer.isPinned(now: later) && peer.handle(.stockBodyOpened(mark: nil), now: later).fate == .accept)
}

@Test func anUnpinnedPeerIsStockAgain() {
    var peer = StockNegotiation(session: .auto, early: .legacy)
    _ = peer.handle(.stockBodyOpened(mark: mark), now: ms(0))
    _ = peer.handle(.sessionStarted, now: ms(10))
    _ = peer.handle(.sessionEnded, now: ms(20))
    for i in 0..<64 as Range<UInt64> {
        #expect(peer.handle(.packet(bytes: 1), now: ms(30 + i)) == decision(.stock(mark), alarm: true))
    }
    #expect(peer.handle(.packet(bytes: 1), now: ms(100)) == decision(.drop))
    _ = peer.handle(.unpinned, now: ms(101))
    for i in 0..<500 as Range<UInt64> {
        #expect(peer.handle(.packet(bytes: 1), now: ms(102 + i)) == decision(.stock(mark)))
    }
}

/// Random events: what must hold whatever happens.
@Test(arguments: 0..<30) func promisesHoldInAnyOrder(run: Int) {
    var seed = Seed(UInt64(run))
    let session: SessionPolicy = [.auto, .require, .classic][run % 3]
    var peer = StockNegotiation(session: session, early: run % 2 == 0 ? .queue : .legacy)
    var twin = peer
    var now: UInt64 = 0
    var waiting = 0
    var ableStock: [UInt64] = []
    for _ in 0..<5_000 {
        now += [0, 1, 20, 300, 4_000][Int.random(in: 0..<5, using: &seed)]
        let event: Event =
            switch Int.random(in: 0..<24, using: &seed) {
            case 0: .hint(Bool.random(using: &seed) ? mark : nil)
            case 1: .stockBodyOpened(mark: mark)
            case 2, 3: .stockBodyOpened(mark: nil)
            case 4: .sessionStarted
            case 5: .sessionEnded
            case 6: .handshakeFailed
            case 7: .timer
            case 8: .pinned(until: ms(now + 50_000))
            default: .packet(bytes: Int.random(in: 0...9_000, using: &seed))
            }
        let wasAble = peer.isAble(now: ms(now))
        let wasPlain = peer.isPlain
        let hadSession = peer.hasSession
        let made = peer.handle(event, now: ms(now))
        #expect(made == twin.handle(event, now: ms(now)) && peer == twin)
        if wasPlain, case .packet = event { #expect(made == decision(.stock(session == .classic ? nil : mark))) }
        if made.queue != nil {
            #expect(made.queueCount <= waiting)
            waiting = 0
        }
        if made.fate == .queue, session != .require { waiting += 1 }
        #expect(waiting == peer.waitingPackets)
        #expect(waiting <= 16 && peer.waitingBytes <= 65_536 && (waiting > 0) == (peer.nextDeadline != nil))
        var stock = 0
        if case .stock = made.fate { stock += 1 }
        if case .stock = made.queue { stock += made.queueCount }
        if hadSession, case .packet = event { #expect(made.fate == (session == .classic ? .stock(nil) : .native)) }
        switch session {
        case .require: #expect(stock == 0 && made.fate != .accept && made.fate != .drop)
        case .classic: #expect(!made.startsHandshake && made.fate != .queue)
        case .auto:
            if wasAble { ableStock += [UInt64](repeating: now, count: stock) }
            // Any minute: the budgets of the two that it can overlap.
            #expect(ableStock.filter { $0 + 60_000 > now }.count <= 128)
        }
    }
    #expect(session != .auto || !ableStock.isEmpty)
}
