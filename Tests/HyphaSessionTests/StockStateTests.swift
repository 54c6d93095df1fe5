import CAEAD
import HyphaBase
import HyphaSession
import HyphaWire
import Testing

// MARK: nonces

@Test func noncesOfASourceAreUniqueAndEnd() {
    var source = StockNonceSource()
    #expect(source.next() == nil && source.isLow)
    source.renew(prefix: 0x0807_0605_0403_0201)
    #expect(source.remaining == 1 << 32 && !source.isLow)
    for i in 0..<1_000 as Range<UInt32> {
        #expect(source.next() == StockNonce(prefix: 0x0807_0605_0403_0201, counter: i))
    }
    #expect(source.remaining == 1 << 32 - 1_000)
    var bytes = [UInt8](repeating: 0, count: 12)
    let nonce = StockNonce(prefix: 0x0807_0605_0403_0201, counter: 0x0C0B_0A09)
    bytes.withUnsafeMutableBytes { nonce.store(to: $0.baseAddress!) }
    #expect(bytes == Array(1...12))
    #expect(bytes.withUnsafeBytes { StockNonce(loading: $0.baseAddress!) } == nonce)
}

@Test func prefixesAreKnownUntilFourThousandOthers() {
    var seed = Seed(2)
    let prefixes = StockPrefixes()
    defer { prefixes.deallocate() }
    #expect(!prefixes.contains(0) && !prefixes.insert(0))
    var drawn: [UInt64] = []
    for i in 0..<10_000 {
        let prefix = seed.next()
        #expect(!prefixes.contains(prefix) && prefixes.insert(prefix) && !prefixes.insert(prefix))
        drawn.append(prefix)
        #expect(prefixes.count == min(i + 1, 4_096))
        if i % 997 == 0 || i == 4_095 || i == 4_096 {
            let known = drawn.suffix(4_096)
            #expect(known.allSatisfy { prefixes.contains($0) })
            #expect(!drawn.dropLast(4_096).contains { prefixes.contains($0) })
        }
    }
}

@Test func exposureIsHighPast2ToTheMinus33() {
    #expect(!StockExposure().isHigh)
    #expect(!StockExposure(sent: 1 << 62, received: 1).isHigh)
    #expect(!StockExposure(sent: 0, received: 1 << 32).isHigh)
    #expect(StockExposure(sent: 1, received: 1 << 32).isHigh)
    #expect(StockExposure(sent: .max, received: .max).isHigh)
    #expect(!StockExposure(sent: .max, received: 0).isHigh)
}

// MARK: duplicates

@Test func theLastFourThousandNoncesAreRemembered() {
    let filter = StockDuplicates(capacity: 2, key: 5)
    defer { filter.deallocate() }
    var seed = Seed(9)
    var place = UInt32.max
    var seen: [StockNonce] = []
    var wronglyDropped = 0
    for i in 0..<40_000 {
        let nonce = StockNonce(prefix: seed.next(), counter: UInt32(truncatingIfNeeded: seed.next()))
        if !filter.admit(nonce, owner: 1, place: &place) { wronglyDropped += 1 }
        seen.append(nonce)
        // Any of the last 4,096, the oldest above all.
        let back = i % 3 == 0 ? 4_096 : Int.random(in: 1...4_096, using: &seed)
        if seen.count >= back { #expect(!filter.admit(seen[seen.count - back], owner: 1, place: &place)) }
    }
    #expect(wronglyDropped == 0)
    // What came long before is forgotten: that is all that can be promised.
    #expect(filter.admit(seen[0], owner: 1, place: &place))
}

@Test func noncesThatCountUpAreTold() {
    let filter = StockDuplicates(capacity: 1, key: 5)
    defer { filter.deallocate() }
    var place = UInt32.max
    for i in 0..<20_000 as Range<UInt32> {
        #expect(filter.admit(StockNonce(prefix: 1, counter: i), owner: 0, place: &place))
        #expect(!filter.admit(StockNonce(prefix: 1, counter: i), owner: 0, place: &place))
    }
}

@Test func theQuietestPeerLosesItsPlace() {
    let filter = StockDuplicates(capacity: 3, key: 5)
    defer { filter.deallocate() }
    var places = [UInt32](repeating: .max, count: 6)
    func admit(_ owner: Int, _ counter: UInt32) -> Bool {
        filter.admit(StockNonce(prefix: 8, counter: counter), owner: UInt32(owner), place: &places[owner])
    }
    for owner in 0..<3 { #expect(admit(owner, 1)) }
    for owner in 0..<3 { #expect(!admit(owner, 1)) }
    #expect(Set(places[..<3]).count == 3)
    #expect(!admit(0, 1))
    #expect(admit(3, 1))  // takes the place of peer 1
    #expect(!admit(0, 1) && !admit(2, 1) && !admit(3, 1))
    #expect(admit(1, 1))  // and peer 1 that of peer 0
    #expect(!admit(2, 1) && !admit(3, 1) && !admit(1, 1))
    #expect(admit(0, 1))
}

// MARK: keys

@Test func keysAreKeptByUse() throws {
    let context = try #require(caead_context_create())
    defer { caead_context_destroy(context) }
    let keys = StockKeys(capacity: 16, hashKey: 3)
    defer { keys.deallocate() }
    var seed = Seed(4)
    var order: [UInt64] = []  // most recently used last
    var serial: [UInt64: UInt64] = [:]
    for step in 0..<5_000 as Range<UInt64> {
        let number = UInt64.random(in: 0..<40, using: &seed)
        let address = IPv6Address(high: 0x0400_0000_0000_0000 | number, low: number &* 7)
        let slot = keys.find(address)
        #expect((slot != nil) == order.contains(number))
        if let slot {
            #expect(
                keys.peer(slot).pointee.address == address && keys.peer(slot).pointee.exposure.sent == serial[number])
        }
        if slot == nil || Int.random(in: 0..<9, using: &seed) == 0 {
            let raw = [UInt8](repeating: UInt8(number), count: 32)
            let made = keys.insert(address, secret: raw, context)
            if slot == nil {
                #expect(
                    keys.peer(made).pointee.exposure == StockExposure() && keys.peer(made).pointee.duplicates == .max)
            } else {
                #expect(made == slot)
            }
            keys.peer(made).pointee.exposure.sent = step
            serial[number] = step
        }
        order.removeAll { $0 == number }
        order.append(number)
        if order.count > 16 { order.removeFirst() }
        #expect(keys.count == order.count)
    }
}

@Test func evictedKeysAreWiped() throws {
    let context = try #require(caead_context_create())
    defer { caead_context_destroy(context) }
    let keys = StockKeys(capacity: 1, hashKey: 3)
    defer { keys.deallocate() }
    let first = keys.insert(IPv6Address(high: 1, low: 1), secret: [UInt8](repeating: 1, count: 32), context)
    let size = Int(CAEAD_KEY_SIZE)
    let old = Array(UnsafeRawBufferPointer(start: keys.key(first), count: size))
    let second = keys.insert(IPv6Address(high: 2, low: 2), secret: [UInt8](repeating: 2, count: 32), context)
    #expect(first == second && keys.find(IPv6Address(high: 1, low: 1)) == nil)
    let new = Array(UnsafeRawBufferPointer(start: keys.key(second), count: size))
    let bench = try StockBench(key: [UInt8](repeating: 2, count: 32))
    let payload = bench.seal([7], kind: .message, nonce: StockNonce(prefix: 1, counter: 1))
    bench.load(payload)
    #expect(
        StockFlow.describeOpen(
            bench.job, payload: bench.memory, length: payload.count, key: keys.key(second), own: bench.prefixes) == nil)
    caead_open(context, bench.job, 1)
    #expect(bench.job.pointee.ok == 1 && old != new)
}
