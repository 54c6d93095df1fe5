import CAllocHook
import HyphaBase
import HyphaPacket
import HyphaStreams
import HyphaWire
import StockModel
import TestVectors
import Testing

private func ms(_ milliseconds: UInt64) -> Instant { Instant.zero.advanced(byMilliseconds: milliseconds) }

/// One hub, its memory and what a socket would carry.
private final class HubRig {
    // First: it gives its memory back before that is gone.
    var hub: StreamHub
    let rig: Rig
    let pieces: UnsafeMutableBufferPointer<Train.Piece>
    private let capacity: Int
    private var opened: UInt32 = 0

    init(slots: Int = 128, queueSlots: Int? = nil, capacity: Int = 8, limits: StreamLimits = StreamLimits()) {
        rig = Rig(slabs: 4, slots: slots, queueSlots: queueSlots)
        self.capacity = capacity
        hub = StreamHub(memory: rig.memory, limits: limits, capacity: capacity, flowKey: 99)
        pieces = .allocate(capacity: 64)
        pieces.initialize(repeating: Train.Piece(buffer: 0, offset: 0, length: 0))
    }

    deinit { pieces.deallocate() }

    func open(now: Instant = ms(0)) throws -> UInt32 {
        // Places in turn, and another use of each every time round.
        let id = opened % UInt32(capacity) | (opened / UInt32(capacity)) << 16
        opened += 1
        let isOpen = hub.open(id, now: now)
        try #require(isOpen)
        return id
    }

    /// A place that is not free.
    func reopen(_ id: UInt32) -> Bool { hub.open(id + 1 << 16, now: ms(0)) }

    func close(_ id: UInt32) -> Bool { hub.close(id) }
    func isOpen(_ id: UInt32) -> Bool { hub.isOpen(id) }
    func nextWrite(_ id: UInt32) -> Int { hub.nextWrite(id, pieces) }
    func popExpired(now: Instant) -> (id: UInt32, why: StreamEnd)? { hub.popExpired(now: now) }
    func counters(_ id: UInt32) -> StreamCounters? { hub.counters(id) }
    var openCount: Int { hub.openCount }
    var totals: StreamCounters { hub.totals }
    var waiting: (data: Int, control: Int) { hub.waiting }

    func sendData(_ frame: [UInt8], to id: UInt32, now: Instant) -> StreamAdmission {
        frame.withUnsafeBytes { hub.send(data: $0, to: id, now: now) }
    }

    func sendControl(_ frame: [UInt8], to id: UInt32, now: Instant) -> StreamAdmission {
        frame.withUnsafeBytes { hub.send(control: $0, to: id, now: now) }
    }

    func canPass(_ id: UInt32) -> Bool { hub.canPass(id) }

    /// Offers frames past the queue to a socket that takes `count` bytes of them.
    func pass(_ frames: [[UInt8]], taking count: Int, to id: UInt32, now: Instant) throws -> StreamPassage {
        let slab = try #require(rig.pool.takeSlab())
        let other = try #require(rig.pool.takeSlab())
        defer { for slab in [slab, other] { rig.pool.release(slab) } }
        // In two pieces, of which the second begins at a frame.
        let parts = [frames.prefix(frames.count / 2), frames.suffix(from: frames.count / 2)].map { Array($0.joined()) }
        var places: [Train.Piece] = []
        for (part, slab) in zip(parts, [slab, other]) where !part.isEmpty {
            (rig.pool.base(slab) + 128).copyBytes(part)
            places.append(Train.Piece(buffer: slab, offset: 128, length: UInt32(part.count)))
        }
        return places.withUnsafeBufferPointer { hub.passed($0, frames: frames.count, bytes: count, to: id, now: now) }
    }

    /// Everything that waits, up to `limit` bytes, as a socket takes it.
    func drain(_ id: UInt32, atMost limit: Int = .max, now: Instant) -> [UInt8] {
        var out: [UInt8] = []
        while out.count < limit {
            let count = hub.nextWrite(id, pieces)
            guard count > 0 else { break }
            var bytes: [UInt8] = []
            for piece in pieces[..<count] {
                bytes += Array(
                    UnsafeRawBufferPointer(
                        start: rig.pool.base(piece.buffer) + Int(piece.offset), count: Int(piece.length)))
            }
            let taken = min(bytes.count, limit - out.count)
            out += bytes[..<taken]
            hub.written(id, taken, now: now)
        }
        return out
    }

    func receive(_ id: UInt32, _ bytes: [UInt8], now: Instant) throws -> [Rig.Out] {
        let slab = try #require(rig.pool.takeSlab())
        defer { rig.pool.release(slab) }
        rig.pool.base(slab).copyBytes(bytes)
        var input = Train.Piece(buffer: slab, offset: 0, length: UInt32(bytes.count))
        var frames: [Rig.Out] = []
        while case .frame(let frame) = hub.next(id, &input, now: now) {
            frames.append(Rig.Out(kind: frame.kind, bytes: Array(frame.bytes(in: rig.pool))))
            rig.pool.release(frame.buffer)
        }
        return frames
    }
}

private func expectLaw(_ counters: StreamCounters, _ waiting: (data: Int, control: Int)) {
    let data = counters.dataWritten + counters.dataDisplaced + counters.dataDiscarded + UInt64(waiting.data)
    #expect(counters.dataQueued == data)
    #expect(counters.controlQueued == counters.controlWritten + counters.controlDiscarded + UInt64(waiting.control))
}

@Test func linksExpireForTheirReasons() throws {
    let rig = HubRig()
    let silent = try rig.open()
    let idle = try rig.open()
    let slow = try rig.open()
    let stuck = try rig.open()
    let broken = try rig.open()
    let hello = try Make.hello(1)
    for id in [idle, slow, stuck] { #expect(try rig.receive(id, hello, now: ms(100)).count == 1) }
    _ = try rig.receive(broken, [9], now: ms(100))
    #expect(rig.sendControl(hello, to: stuck, now: ms(200)).fate == .queued)
    var ends: [UInt32: (StreamEnd, UInt64)] = [:]
    for second in 0..<80 as Range<UInt64> {
        let now = ms(second * 1_000)
        if second == 10 { _ = try rig.receive(slow, Array(try Make.data(500)[..<50]), now: now) }
        if second > 10, second < 41 { _ = try rig.receive(slow, [7], now: now) }
        if second < 70, second % 20 == 0 { _ = try rig.receive(stuck, hello, now: now) }
        while let (id, why) = rig.popExpired(now: now) {
            ends[id] = (why, second)
            #expect(rig.close(id))
        }
    }
    #expect(ends[broken]?.0 == .badVersion && ends[broken]?.1 == 0)
    #expect(ends[silent]?.0 == .noFirstFrame && ends[silent]?.1 == 5)
    #expect(ends[slow]?.0 == .unfinishedFrame && ends[slow]?.1 == 40)
    #expect(ends[stuck]?.0 == .stalledWrite && ends[stuck]?.1 == 46)
    #expect(ends[idle]?.0 == .idle && ends[idle]?.1 == 66)
    #expect(rig.openCount == 0 && rig.rig.memory.slotsHeld == 0)
    expectLaw(rig.totals, rig.waiting)
}

@Test func idsOfClosedLinksMeanNothing() throws {
    let rig = HubRig(capacity: 1)
    let first = try rig.open()
    #expect(!rig.reopen(first))
    #expect(rig.close(first))
    let second = try rig.open()
    #expect(first != second && !rig.isOpen(first) && rig.isOpen(second))
    #expect(try rig.sendData(Make.data(9), to: first, now: ms(0)).fate == .noLink)
    #expect(rig.nextWrite(first) == 0)
    #expect(rig.close(first) && rig.isOpen(second))
}

@Test func aCloseWaitsForTheKernel() throws {
    let rig = HubRig()
    let id = try rig.open()
    for _ in 0..<3 { #expect(try rig.sendData(Make.data(100), to: id, now: ms(0)).fate == .queued) }
    #expect(rig.nextWrite(id) == 3)
    #expect(try rig.sendData(Make.data(100), to: id, now: ms(0)).fate == .queued)
    #expect(!rig.close(id) && rig.rig.memory.slotsHeld == 3)
    #expect(!rig.isOpen(id))
    #expect(try rig.sendData(Make.data(9), to: id, now: ms(0)).fate == .noLink)
    rig.hub.written(id, 140, now: ms(1))
    #expect(rig.rig.memory.slotsHeld == 0 && rig.rig.isBalanced)
    let totals = rig.totals
    #expect(totals.dataWritten == 1 && totals.dataDiscarded == 3)
    expectLaw(totals, rig.waiting)
}

@Test func aSlowReaderCostsOnlyItself() throws {
    // Memory for far less than the two slow readers may hold by their own limits.
    let rig = HubRig(slots: 200, queueSlots: 150)
    let slow = try rig.open()
    let slower = try rig.open()
    let quick = try rig.open()
    for i in 0..<2_000 {
        #expect(try rig.sendData(Make.data(1_432, source: 1), to: slow, now: ms(UInt64(i))).fate == .queued)
        #expect(try rig.sendData(Make.data(1_432, source: 2), to: slower, now: ms(UInt64(i))).fate == .queued)
        let frame = try Make.data(1_432, source: UInt64(i))
        #expect(rig.sendData(frame, to: quick, now: ms(UInt64(i))) == StreamAdmission(.queued))
        #expect(rig.drain(quick, now: ms(UInt64(i))) == frame)
        #expect(rig.rig.memory.slotsHeld <= 150)
    }
    #expect(rig.counters(quick)?.dataWritten == 2_000 && rig.counters(quick)?.dataDisplaced == 0)
    expectLaw(rig.totals, rig.waiting)
    // What others send in pieces still arrives.
    let whole = try Make.data(1_000)
    for _ in 0..<50 {
        #expect(try rig.receive(quick, Array(whole[..<500]), now: ms(2_500)).isEmpty)
        #expect(try rig.receive(quick, Array(whole[500...]), now: ms(2_500)).map(\.bytes) == [whole])
    }
    let control = try Make.hello(1)
    #expect(rig.sendControl(control, to: slow, now: ms(3_000)).fate == .queued)
    #expect(rig.drain(slow, atMost: 16, now: ms(3_000)) == control)
}

/// Wherever the kernel stops, the peer gets every frame once, whole and in order.
@Test func framesGoPastAnEmptyQueue() throws {
    var seed = Seed(41)
    let frames = try (0..<9).map { try Make.data([0, 1, 700, 2_000, 5_000][$0 % 5], fill: UInt8($0)) }
    let bytes = Array(frames.joined())
    var cuts = Set((0..<400).map { _ in Int.random(in: 0...bytes.count, using: &seed) })
    var end = 0
    for frame in frames {
        end += frame.count
        cuts.formUnion([end - 1, end, min(end + 1, bytes.count)])
    }
    for cut in cuts.sorted() {
        let rig = HubRig()
        let id = try rig.open()
        #expect(rig.canPass(id))
        #expect(try rig.pass(frames, taking: cut, to: id, now: ms(1)) == StreamPassage())
        #expect(rig.canPass(id) == (cut == bytes.count))
        // What comes now stands behind, control in front of all that has not begun.
        let later = try Make.data(30)
        let hello = try Make.hello(1)
        #expect(rig.sendData(later, to: id, now: ms(2)).fate == .queued)
        #expect(rig.sendControl(hello, to: id, now: ms(2)).fate == .queued)
        expectLaw(rig.totals, rig.waiting)
        var decoder = StockDecoder()
        let packets = decoder.receive(Array(bytes[..<cut]) + rig.drain(id, now: ms(3)))
        let payloads = packets.compactMap { if case .data(_, _, _, let payload) = $0 { payload } else { nil } }
        #expect(payloads == (frames + [later]).map { Array($0[40...]) })
        #expect(packets.count == payloads.count + 1)
        #expect(rig.totals.writtenBytes == UInt64(bytes.count + later.count + hello.count))
        #expect(rig.totals.dataWritten == 10 && rig.hub.waitingFrames == 0 && rig.rig.isBalanced)
        #expect(rig.hub.takeTally().written == 11)
        expectLaw(rig.totals, rig.waiting)
    }
}

@Test func nothingGoesPastWhatWaits() throws {
    let rig = HubRig()
    let id = try rig.open()
    #expect(rig.sendControl(try Make.hello(1), to: id, now: ms(0)).fate == .queued)
    #expect(!rig.canPass(id))
    #expect(rig.nextWrite(id) == 1 && !rig.canPass(id))
    rig.hub.written(id, 16, now: ms(0))
    #expect(rig.canPass(id) && !rig.canPass(id + 1))
    // A closed connection takes nothing; what was on its way to it is counted.
    #expect(rig.close(id) && !rig.canPass(id))
    #expect(try rig.pass([Make.data(9), Make.data(9)], taking: 0, to: id, now: ms(1)).gone == 2)
}

@Test func whatNeitherPassesNorFitsIsCounted() throws {
    // Memory for a begun frame is always there: others give theirs up for it.
    let rig = HubRig(slots: 60)
    let busy = try rig.open()
    let id = try rig.open()
    for _ in 0..<60 { #expect(try rig.sendData(Make.data(9), to: busy, now: ms(0)).fate == .queued) }
    #expect(rig.canPass(id))
    #expect(rig.rig.pool.freeSlotCount == 33 && rig.hub.takeTally().displaced == 33)
    let frames = try (0..<100).map { _ in try Make.data(9) }
    let passage = try rig.pass(frames, taking: 60, to: id, now: ms(1))
    #expect(passage == StreamPassage())
    #expect(rig.counters(id)?.dataWritten == 1)
    expectLaw(rig.totals, rig.waiting)
    // No connection may give up what the kernel has: then none passes, and a frame that was begun all the same is cut off.
    #expect(rig.close(id))
    for _ in 0..<60 { _ = try rig.sendData(Make.data(9), to: busy, now: ms(2)) }
    #expect(rig.nextWrite(busy) == 60)
    let last = try rig.open()
    #expect(!rig.canPass(last))
    let refused = try rig.pass(frames, taking: 0, to: last, now: ms(3))
    #expect(refused.noMemory == 100 && !refused.isCut)
    let cut = try rig.pass(frames, taking: 60, to: last, now: ms(3))
    #expect(cut.isCut && cut.gone == 99 && !rig.isOpen(last))
    rig.hub.written(busy, 60 * 49, now: ms(4))
    expectLaw(rig.totals, rig.waiting)
}

@Test func oneLoudFlowDoesNotPushOutAQuietOne() throws {
    let rig = HubRig(slots: 600)
    let id = try rig.open()
    let quiet = try Make.data(80, source: 500, fill: 1)
    #expect(rig.sendData(quiet, to: id, now: ms(0)).fate == .queued)
    for i in 0..<5_000 {
        #expect(try rig.sendData(Make.data(1_400, source: 7), to: id, now: ms(0)).fate == .queued)
        if i == 2_500 { #expect(rig.sendData(quiet, to: id, now: ms(0)).fate == .queued) }
    }
    #expect(rig.waiting.data == 256)
    var decoder = StockDecoder()
    let packets = decoder.receive(rig.drain(id, now: ms(1)))
    let quietOnes = packets.filter { if case .data(_, _, _, let payload) = $0 { payload.first == 1 } else { false } }
    #expect(packets.count == 256 && quietOnes.count == 2)
    expectLaw(rig.totals, rig.waiting)
}

@Test func whatHurtsStockIsRefused() throws {
    let rig = HubRig()
    let id = try rig.open()
    let hello = try Make.hello(1)
    for entry in try Vectors.load("control.json")["irregular"].array() {
        for chunk in try entry["chunks"].array() {
            let frame = try chunk.bytes()
            let name = try entry["name"].string()
            guard frame[1] == 1, frame != hello, name != "route request generation 255" else { continue }
            #expect(rig.sendControl(frame, to: id, now: ms(0)).fate == .unsafe)
        }
    }
    let data = try Make.data(20)
    #expect(rig.sendData(Array(data.dropLast()), to: id, now: ms(0)).fate == .unsafe)
    #expect(rig.sendData(data + [0], to: id, now: ms(0)).fate == .unsafe)
    #expect(rig.waiting.control == 0 && rig.waiting.data == 0)
    for entry in try Vectors.load("live.json")["frames"].array() {
        let frame = try entry["frame"].bytes()
        let admission =
            frame[1] == 0 ? rig.sendData(frame, to: id, now: ms(0)) : rig.sendControl(frame, to: id, now: ms(0))
        #expect(admission.fate == .queued)
    }
}

/// Two ends, one of them a stock node, over a stream that breaks everything into pieces.
@Test func aConversationWithAStockNode() throws {
    var seed = Seed(77)
    let rig = HubRig(slots: 600)
    let id = try rig.open()
    var model = StockModel(routerID: [UInt8](repeating: 3, count: 40), prefix: [UInt8](0x40..<0x48), now: 0)
    var toUs = model.start()
    var toModel: [UInt8] = []
    var received = 0
    var sent = 0
    for step in 1..<4_000 as Range<UInt64> {
        let now = ms(step * 50)
        toUs += model.advance(to: step * 50)
        let size = min(toUs.count, Int.random(in: 0...90, using: &seed))
        for frame in try rig.receive(id, Array(toUs[..<size]), now: now) {
            received += 1
            guard frame.kind == .control, frame.bytes[8] == 4 else { continue }
            let ihu = try #require(StockFrame.control([5, 6, 0, 0, 0, 9, 0x17, 0x70]))
            #expect(rig.sendControl(ihu, to: id, now: now).fate == .queued)
        }
        toUs.removeFirst(size)
        if step % 3 == 0 {
            sent += 1
            let frame = try Make.data(Int.random(in: 0...3_000, using: &seed))
            #expect(rig.sendData(frame, to: id, now: now).fate == .queued)
        }
        toModel += rig.drain(id, atMost: Int.random(in: 0...4_000, using: &seed), now: now)
        let part = min(toModel.count, Int.random(in: 0...4_000, using: &seed))
        toUs += model.receive(Array(toModel[..<part]), now: step * 50)
        toModel.removeFirst(part)
        #expect(rig.popExpired(now: now) == nil)
    }
    #expect(model.isConnected)
    _ = model.receive(toModel + rig.drain(id, now: ms(200_000)), now: 200_000)
    let data = model.received.filter { if case .data = $0 { true } else { false } }
    #expect(data.count == sent && received == 10)
}

@Test(.enabled(if: chy_alloc_hook_active() != 0)) func framesAllocateNothing() throws {
    let rig = HubRig(slots: 600)
    let id = try rig.open()
    let frame = try Make.data(1_432)
    let slab = try #require(rig.rig.pool.takeSlab())
    rig.rig.pool.base(slab).copyBytes(frame + frame + frame.prefix(700))
    let rest = 3 * frame.count - (2 * frame.count + 700)
    (rig.rig.pool.base(slab) + 8_000).copyBytes(frame.suffix(rest))
    var frames = 0
    func round() {
        for part in 0..<2 {
            var input = Train.Piece(
                buffer: slab, offset: part == 0 ? 0 : 8_000, length: UInt32(part == 0 ? 2 * frame.count + 700 : rest))
            while case .frame(let found) = rig.hub.next(id, &input, now: ms(1)) {
                frames += 1
                _ = rig.hub.send(data: UnsafeRawBufferPointer(found.bytes(in: rig.rig.pool)), to: id, now: ms(1))
                rig.rig.pool.release(found.buffer)
            }
        }
        if frames % 600 == 0, rig.hub.nextWrite(id, rig.pieces) > 0 { rig.hub.written(id, 5_000, now: ms(1)) }
    }
    for _ in 0..<300 { round() }
    let before = chy_alloc_hook_count()
    for _ in 0..<2_000 { round() }
    #expect(chy_alloc_hook_count() == before)
    #expect(frames == 6_900)
    rig.rig.pool.release(slab)
}
