import HyphaBase
import HyphaIdentity
import HyphaSession
import Testing

@testable import HyphaControl

@Suite struct TableTests {
    @Test func slotsComeBackWhenTheWorkerSaysSo() throws {
        let memory = TableMemory(capacity: 4, scope: .link)
        var slots = SessionSlots(table: memory.table)
        var chance = Seed(1)
        var held: [(slot: UInt32, index: UInt32)] = []
        for owner in 0..<4 as Range<UInt32> {
            let entry = slots.reserve(owner: owner, random: UInt32(truncatingIfNeeded: chance.next()))
            held.append(try #require(entry))
        }
        let fifth = slots.reserve(owner: 9, random: 5)
        #expect(Set(held.map(\.slot)).count == 4 && fifth == nil)
        for (owner, entry) in held.enumerated() {
            #expect(slots.owner(index: entry.index) == UInt32(owner) && slots.slot(index: entry.index) == entry.slot)
            #expect(slots.owner(index: entry.index ^ 0x8000_0000) == nil)
        }
        #expect(slots.owner(index: 0) == nil)
        // Not installed: free at once.
        var mustRetire = slots.end(held[0].slot)
        #expect(!mustRetire && slots.available == 1)
        slots.install(held[1].slot)
        mustRetire = slots.end(held[1].slot)
        #expect(mustRetire && slots.available == 1 && slots.owner(index: held[1].index) == nil)
        mustRetire = slots.end(held[1].slot)
        #expect(!mustRetire)
        slots.retired(held[1].slot)
        slots.retired(held[1].slot)
        slots.retired(held[2].slot)
        slots.retired(.max)
        #expect(slots.available == 2)
    }

    @Test func answersAreFoundForFiveSeconds() {
        var cache = AnswerCache()
        let source = IPv6Address(high: 1, low: 1)
        func insert(_ number: UInt8) {
            cache.insert(
                AnswerCache.Answer(
                    mac1: [number], source: source, owner: 0, slot: UInt32(number), response: [number],
                    until: Instant(nanoseconds: 100)))
        }
        for number in 0..<70 as Range<UInt8> { insert(number) }
        let now = Instant(nanoseconds: 99)
        // The oldest went.
        #expect(cache.answer(mac1: [5], source: source, now: now) == nil)
        #expect(cache.answer(mac1: [6], source: source, now: now)?.slot == 6)
        #expect(cache.answer(mac1: [69], source: source, now: now)?.slot == 69)
        #expect(cache.answer(mac1: [69], source: IPv6Address(high: 1, low: 2), now: now) == nil)
        #expect(cache.answer(mac1: [69], source: source, now: Instant(nanoseconds: 100)) == nil)
        #expect(cache.answer(slot: 69, owner: 0, now: now)?.mac1 == [69])
        #expect(cache.answer(slot: 69, owner: 1, now: now) == nil)
    }

    @Test func theIdlestPeerGoes() throws {
        let own = SimulatedNetwork.identity(1).publicKey
        var book = FlowBook(capacity: 4)
        let keys = (2...6).map { SimulatedNetwork.identity($0).publicKey }
        func add(_ key: PublicKey, now: Instant = .zero) -> UInt32? {
            book.add(key: key) { FlowPeer(id: $0, key: key, own: own, now: now) }
        }
        for (i, key) in keys.prefix(4).enumerated() {
            #expect(add(key, now: Instant(nanoseconds: UInt64(i))) == UInt32(i))
        }
        var id = add(keys[4])
        #expect(id == nil)
        // Referred to; in use; used last; used before that.
        _ = book.update(0) { $0.references = 1 }
        _ = book.update(1) { peer in
            _ = peer.machine.slots.adopt(
                HeldSession(
                    slot: 0, remoteIndex: 1, isInitiator: true, suite: 1, lanes: 16, created: .zero,
                    path: .overlay(peer.address, link: 0), largestDatagram: 1_432,
                    initTime: InitTime(seconds: 0, count: 0), settled: .zero, isConfirmed: false), now: .zero,
                isLower: true)
        }
        _ = book.update(2) { $0.lastUse = Instant(nanoseconds: 9) }
        #expect(book.idlest == 3)
        book.remove(3)
        #expect(book.id(of: keys[3]) == nil && book.ids == [0, 1, 2] && book.idlest == 2)
        id = add(keys[0])
        #expect(id == nil)
        id = add(keys[4])
        #expect(id == 3)
        #expect(book.id(of: keys[4]) == 3 && book.id(at: keys[4].address) == 3)
        #expect(book.ids(in: keys[4].address.high) == [3])
        book.remove(2)
        book.remove(3)
        #expect(book.idlest == nil)
    }

    @Test func linkIDsAreDense() {
        let own = SimulatedNetwork.identity(1).publicKey
        var book = PeerBook(capacity: 3)
        let keys = (2...5).map { SimulatedNetwork.identity($0).publicKey }
        func add(_ key: PublicKey) -> UInt32? {
            book.add(key: key) {
                Link(id: $0, key: key, own: own, configured: nil, dialer: nil, seal: .adaptive, now: .zero)
            }
        }
        let ids = keys.map(add)
        #expect(ids == [0, 1, 2, nil])
        book.remove(1)
        #expect(book[1] == nil && book.links(with: keys[1]).isEmpty && book.ids == [0, 2])
        let reused = add(keys[3])
        #expect(reused == 1 && book.links(with: keys[3]).map(\.id) == [1])
        let nobody = book.update(9) { _ in true }
        #expect(book[9] == nil && nobody == nil)
    }

    @Test func provenKeysAreBounded() {
        var proven = ProvenKeys(capacity: 3)
        let keys = (1...5).map { SimulatedNetwork.identity($0).publicKey }
        for key in keys.prefix(3) { proven.insert(key) }
        // Proved again: the others are older.
        for _ in 0..<20 { proven.insert(keys[0]) }
        proven.insert(keys[3])
        #expect(keys.map(proven.contains) == [true, false, true, true, false])
        proven.insert(keys[4])
        #expect(keys.map(proven.contains) == [true, false, false, true, true] && proven.count == 3)
        for i in 0..<1_000 { proven.insert(keys[i % 5]) }
        #expect(keys.map(proven.contains) == [false, false, true, true, true])
    }
}
