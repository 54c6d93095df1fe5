import HyphaBase
import HyphaWire
import Testing

@testable import HyphaRouting

@Test
func tableEntriesStaySmall() {
    #expect(MemoryLayout<Route>.stride == 24)
    #expect(MemoryLayout<SourceTable.Entry>.stride == 24)
    #expect(MemoryLayout<Destination>.stride <= 152)
}

@Test(arguments: [1, 2, 3] as [UInt64])
func deadlinesComeOutInOrder(number: UInt64) {
    var seed = Seed(number)
    var slots = DeadlineSlots()
    var model: [Int: Instant] = [:]
    for _ in 0..<3000 {
        let slot = Int.random(in: 0..<40, using: &seed)
        switch Int.random(in: 0..<4, using: &seed) {
        case 0:
            slots.set(slot, nil)
            model[slot] = nil
        case 1:
            let now = Instant(nanoseconds: UInt64.random(in: 0...100, using: &seed))
            let expected = model.filter { $0.value <= now }.min { ($0.value, $0.key) < ($1.value, $1.key) }
            #expect(slots.popDue(now: now) == expected?.key, "seed \(number)")
            if let expected { model[expected.key] = nil }
        default:
            let deadline = Instant(nanoseconds: UInt64.random(in: 0...100, using: &seed))
            slots.set(slot, deadline)
            model[slot] = deadline
        }
        #expect(slots.next == model.values.min(), "seed \(number)")
        #expect(slots.count == model.count, "seed \(number)")
    }
}

@Test
func ticksAreNeverEarly() {
    for nanoseconds in [0, 1, 31_999_999, 32_000_000, 32_000_001, 999_999_999_999] as [UInt64] {
        let moment = Instant(nanoseconds: nanoseconds / 1_000_000 * 1_000_000)
        let tick = Tick(moment).instant
        #expect(tick >= moment)
        #expect(tick.nanoseconds(since: moment) < 32_000_000)
    }
    #expect(Tick(.distantFuture) > Tick(.zero))
}

@Test
func routerIDsLeaveWithTheirLastUse() {
    var table = RouterIDTable()
    let ids = (0..<3).map { RouterID(key: [UInt8](repeating: 1, count: 32), zone: 0, random: $0)! }
    let origin = IPv6Address(high: 1, low: 2)
    let numbers = ids.map { table.retain($0, origin: origin) }
    #expect(table.retain(ids[1], origin: origin) == numbers[1])
    table.release(numbers[1])
    #expect(table.number(of: ids[1]) == numbers[1])
    table.release(numbers[1])
    #expect(table.number(of: ids[1]) == nil)
    #expect(table.count == 2)
    // Its number serves the next one.
    let other = RouterID(key: [UInt8](repeating: 2, count: 32), zone: 0, random: 9)!
    #expect(table.retain(other, origin: origin) == numbers[1])
    #expect(table[numbers[1]] == other)
}

@Test
func routerIDsAreFortyBytes() throws {
    let bytes = (0..<40).map { UInt8($0 * 5 % 256) }
    let id = try #require(RouterID(bytes: bytes))
    #expect(id.bytes == bytes)
    #expect(id.key == Array(bytes[..<32]))
    #expect(id.zone == UInt16(bytes[32]) << 8 | UInt16(bytes[33]))
    #expect(RouterID(key: id.key, zone: id.zone, random: id.random) == id)
    #expect(RouterID(bytes: bytes.dropLast()) == nil)
    #expect(RouterID(key: bytes, zone: 0, random: 0) == nil)
}

@Test
func queuesKeepTheirOrder() {
    var ring = ActionRing<Int>()
    var taken: [Int] = []
    var next = 0
    for round in 0..<2000 {
        for _ in 0..<(round % 5) {
            ring.append(next)
            next += 1
        }
        if round % 3 != 0, let value = ring.popFirst() { taken.append(value) }
    }
    while let value = ring.popFirst() { taken.append(value) }
    #expect(taken == Array(0..<next))
    #expect(ring.isEmpty && ring.count == 0)
}
