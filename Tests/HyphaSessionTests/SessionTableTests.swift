import CAEAD
import HyphaBase
import HyphaSession
import Testing

/// Blocks of the session table: filled, found, retired and wiped; windows that grow; slots and indices.
final class SessionTableTests {
    static let capacity = 4
    private let memory: UnsafeMutableRawPointer
    private let size = capacity * SessionTable.blockSize
    private let context: OpaquePointer
    private var random = Seed(3)

    init() throws {
        memory = .allocate(byteCount: size, alignment: 4_096)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        context = try #require(caead_context_create())
    }

    deinit {
        memory.deallocate()
        caead_context_destroy(context)
    }

    private func table(_ scope: SessionTable.Scope) -> SessionTable {
        SessionTable(memory: memory, capacity: SessionTableTests.capacity, scope: scope)
    }

    private func keys() -> [[UInt8]] {
        (0..<16).map { _ in (0..<32).map { _ in UInt8.random(in: 1...255, using: &random) } }
    }

    private func record(_ index: UInt32, suite: UInt8 = 1, lanes: Int = 16) -> SessionRecord {
        SessionRecord(
            localIndex: index, remoteIndex: 9, owner: 5, suite: suite, lanes: lanes, peerModes: 3, isInitiator: true,
            created: Instant(nanoseconds: 1_000))
    }

    /// All bytes of a block.
    private func block(_ slot: UInt32) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: memory + Int(slot) * SessionTable.blockSize, count: SessionTable.blockSize)
    }

    private func contains(_ slot: UInt32, _ bytes: [UInt8]) -> Bool {
        let all = block(slot)
        return (0...(all.count - bytes.count)).contains { at in
            all[at] == bytes[0] && all[at..<(at + bytes.count)].elementsEqual(bytes)
        }
    }

    @Test func recordsFitTheirPlaces() {
        #expect(MemoryLayout<SessionRecord>.size <= 64)
        #expect(MemoryLayout<SessionUse>.size <= 32)
        #expect(MemoryLayout<ReplayWindow>.stride == 32)
    }

    @Test func lanesAreClamped() {
        #expect(record(1, lanes: 0).lanes == 1)
        #expect(record(1, lanes: 40).lanes == 16)
        #expect(record(1, lanes: -3).lanes == 1)
    }

    @Test func timesOfARecord() {
        let first = record(1)
        #expect(first.rejectAt == Instant(nanoseconds: 180_000_001_000))
        #expect(first.rekeyAt == Instant(nanoseconds: 120_000_001_000))
        let second = SessionRecord(
            localIndex: 1, remoteIndex: 2, owner: 3, suite: 2, lanes: 1, peerModes: 3, isInitiator: false,
            created: Instant(nanoseconds: 0))
        #expect(second.rekeyAt == Instant(nanoseconds: 130_000_000_000))
    }

    @Test func foundOnlyWhileInstalled() {
        let sessions = table(.link)
        let index: UInt32 = 0xABCD_0002
        #expect(sessions.slot(index: index) == nil)
        sessions.prepare(2, record(index), sendKeys: keys(), receiveKeys: keys())
        #expect(sessions.slot(index: index) == nil)
        sessions.use(2).pointee.installed = 1
        #expect(sessions.slot(index: index) == 2)
        // The same slot under another index is not it.
        #expect(sessions.slot(index: 0xABCE_0002) == nil)
        #expect(sessions.slot(index: 2) == nil)
        sessions.retire(2)
        #expect(sessions.slot(index: index) == nil)
    }

    /// Neither raw nor expanded keys outlive the session, and its neighbours keep theirs.
    @Test(arguments: [1, 2] as [UInt8]) func retiringWipesKeys(suite: UInt8) {
        let sessions = table(.flow)
        let (send, receive) = (keys(), keys())
        let others = keys()
        sessions.prepare(0, record(4, suite: suite), sendKeys: others, receiveKeys: others)
        sessions.prepare(2, record(6, suite: suite), sendKeys: others, receiveKeys: others)
        sessions.prepare(1, record(5, suite: suite), sendKeys: send, receiveKeys: receive)
        sessions.use(1).pointee.installed = 1
        for key in send + receive { #expect(contains(1, key)) }
        for lane in [0, 3, 15] {
            let sending = sessions.sendKey(1, lane: lane, context)
            let opening = sessions.receiveKey(1, lane: lane, context)
            #expect(sending != opening)
            for key in [sending, opening] {
                #expect(UnsafeRawBufferPointer(start: key, count: Int(CAEAD_KEY_SIZE)).contains { $0 != 0 })
            }
        }
        #expect(sessions.use(1).pointee.expandedSend == 0x8009)
        #expect(sessions.use(1).pointee.expandedReceive == 0x8009)
        sessions.retire(1)
        for key in send + receive { #expect(!contains(1, key)) }
        // Keys, raw (256..<1280) and expanded (4096..<40960), are zero to the last byte.
        #expect(block(1)[256..<1_280].allSatisfy { $0 == 0 })
        #expect(block(1)[4_096..<40_960].allSatisfy { $0 == 0 })
        #expect(sessions.use(1).pointee.expandedSend == 0 && sessions.use(1).pointee.expandedReceive == 0)
        for key in others { #expect(contains(0, key) && contains(2, key)) }
    }

    /// A block that served before begins anew: counters, windows, expanded keys.
    @Test func preparedAgainBeginsAnew() {
        let sessions = table(.link)
        sessions.prepare(3, record(7), sendKeys: keys(), receiveKeys: keys())
        sessions.use(3).pointee.installed = 1
        sessions.sendCounter(3, lane: 5).pointee = 77
        for counter in 0..<2_000 as Range<UInt64> {
            #expect(sessions.admit(3, lane: 5, counter: counter, second: 1))
        }
        let old = Array(
            UnsafeRawBufferPointer(start: sessions.sendKey(3, lane: 5, context), count: Int(CAEAD_KEY_SIZE)))
        sessions.retire(3)
        sessions.prepare(3, record(11), sendKeys: keys(), receiveKeys: keys())
        sessions.use(3).pointee.installed = 1
        #expect(sessions.sendCounter(3, lane: 5).pointee == 0)
        #expect(sessions.window(3, lane: 5).pointee.next == 0)
        #expect(sessions.use(3).pointee.received == 0 && sessions.use(3).pointee.failures == 0)
        let new = Array(
            UnsafeRawBufferPointer(start: sessions.sendKey(3, lane: 5, context), count: Int(CAEAD_KEY_SIZE)))
        #expect(new != old)
        // Counters below what the last session saw are new ones here.
        #expect(sessions.admit(3, lane: 5, counter: 1_000, second: 1))
        #expect(sessions.admit(3, lane: 5, counter: 999, second: 1))
        #expect(!sessions.admit(3, lane: 5, counter: 999, second: 1))
    }

    @Test func lanesAreSeparate() {
        let sessions = table(.flow)
        sessions.prepare(0, record(4), sendKeys: keys(), receiveKeys: keys())
        for lane in 0..<16 {
            #expect(sessions.admit(0, lane: lane, counter: UInt64(100 + lane), second: 1))
            #expect(!sessions.admit(0, lane: lane, counter: UInt64(100 + lane), second: 1))
            sessions.sendCounter(0, lane: lane).pointee = UInt64(lane)
        }
        for lane in 0..<16 {
            #expect(sessions.sendCounter(0, lane: lane).pointee == UInt64(lane))
            #expect(sessions.window(0, lane: lane).pointee.next == UInt64(101 + lane))
        }
        #expect(Set((0..<16).map { sessions.sendKey(0, lane: $0, context) }).count == 16)
    }

    /// Windows grow with the rate of their lane, and what was seen stays seen.
    @Test(arguments: [SessionTable.Scope.link, .flow]) func windowsGrow(scope: SessionTable.Scope) {
        let sessions = table(scope)
        sessions.prepare(1, record(5), sendKeys: keys(), receiveKeys: keys())
        let window = sessions.window(1, lane: 2)
        let sizes: [UInt32] = scope == .link ? [1_024, 16_384] : [256, 4_096, 32_768]
        #expect(window.pointee.bits == sizes[0])
        var counter: UInt64 = 0
        var floors: [UInt64] = []
        var grown: [UInt32] = [sizes[0]]
        var wrong: [UInt64] = []
        while counter < 80_000 {
            // Every third is left out, to come late.
            if counter % 3 != 2, !sessions.admit(1, lane: 2, counter: counter, second: 9) { wrong.append(counter) }
            counter += 1
            if window.pointee.bits != grown.last {
                floors.append(window.pointee.floor)
                grown.append(window.pointee.bits)
            }
        }
        #expect(grown == sizes)
        #expect(floors == floors.sorted())
        // The neighbours kept theirs.
        #expect(sessions.window(1, lane: 1).pointee.bits == sizes[0])
        #expect(sessions.window(1, lane: 3).pointee.bits == sizes[0])
        // Growth may refuse, never admit twice: seen ones stay seen, left-out ones inside the new window pass.
        let reach = UInt64(window.pointee.bits) - 64
        var late = counter - 1
        while late > counter - 1 - min(counter - 1, reach) {
            let isSeen = late % 3 != 2
            let isBehind = late < window.pointee.floor
            if sessions.admit(1, lane: 2, counter: late, second: 10) == (isSeen || isBehind) { wrong.append(late) }
            late -= 1
        }
        #expect(wrong == [])
    }

    @Test(arguments: [1, 2, 4, 1_024]) func allocator(capacity: Int) {
        let sessions = SessionTable(memory: memory, capacity: capacity, scope: .link)
        var allocator = SessionAllocator(table: sessions)
        var random = Seed(UInt64(capacity))
        var held: [UInt32: UInt32] = [:]
        for round in 0..<3_000 {
            #expect(allocator.available == capacity - held.count)
            if Bool.random(using: &random) || held.isEmpty {
                // Sparse values too: the index is never zero.
                let value = UInt32(truncatingIfNeeded: random.next()) & (round % 3 == 0 ? 0xFF : .max)
                let place = allocator.allocate(random: value)
                #expect((place == nil) == (held.count == capacity))
                guard let place else { continue }
                #expect(place.index != 0)
                #expect(Int(place.slot) < capacity)
                #expect(Int(place.index) & (capacity - 1) == Int(place.slot))
                #expect(held.updateValue(place.index, forKey: place.slot) == nil)
            } else if let slot = held.keys.sorted().randomElement(using: &random) {
                held[slot] = nil
                allocator.release(slot)
            }
        }
    }

    @Test func indicesAreSpread() {
        let sessions = SessionTable(memory: memory, capacity: 1_024, scope: .link)
        var random = Seed(8)
        var slots: Set<UInt32> = []
        var indices: Set<UInt32> = []
        for _ in 0..<1_000 {
            var allocator = SessionAllocator(table: sessions)
            guard let place = allocator.allocate(random: UInt32(truncatingIfNeeded: random.next())) else { continue }
            slots.insert(place.slot)
            indices.insert(place.index)
        }
        // The first slot of an empty table is any slot; an index is not guessed.
        #expect(slots.count > 500)
        #expect(indices.count > 990)
    }
}
