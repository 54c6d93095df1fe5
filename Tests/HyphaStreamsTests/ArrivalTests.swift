import HyphaBase
import HyphaStreams
import Testing

@Suite struct ArrivalTests {
    private func guest(_ number: UInt32, port: UInt16 = 40_000) -> SocketAddress {
        SocketAddress(address: .mapped(ipv4: number), port: port)
    }

    private func ms(_ milliseconds: UInt64) -> Instant { Instant.zero.advanced(byMilliseconds: milliseconds) }

    @Test func sixtyFourAtOnceThenTenASecond() {
        let arrivals = StreamArrivals(key: 5)
        defer { arrivals.deallocate() }
        var taken = 0
        for i in 0..<500 as Range<UInt16> where arrivals.admits(guest(7, port: i), now: .zero) { taken += 1 }
        #expect(taken == 64)
        #expect(arrivals.admits(guest(8), now: .zero))
        #expect(!arrivals.admits(guest(7), now: ms(99)))
        #expect(arrivals.admits(guest(7), now: ms(101)) && !arrivals.admits(guest(7), now: ms(102)))
        // Who tries all the time gets ten a second, no less.
        taken = 0
        for i in 0..<10_000 as Range<UInt64> where arrivals.admits(guest(7), now: ms(200 + i)) { taken += 1 }
        #expect((99...101).contains(taken))
        // A pause fills the bucket, and no more than that.
        taken = 0
        for _ in 0..<500 where arrivals.admits(guest(7), now: ms(1_000_000)) { taken += 1 }
        #expect(taken == 64)
    }

    @Test func aWholeSubnetCountsAsOne() {
        let arrivals = StreamArrivals(key: 5)
        defer { arrivals.deallocate() }
        func from(_ high: UInt64, _ low: UInt64, scope: UInt32 = 0) -> Bool {
            arrivals.admits(
                SocketAddress(address: IPv6Address(high: high, low: low), port: 1, scope: scope), now: .zero)
        }
        for i in 0..<64 as Range<UInt64> { #expect(from(0x2001_0DB8_0000_0001, i << 40)) }
        #expect(!from(0x2001_0DB8_0000_0001, 5) && from(0x2001_0DB8_0000_0002, 5))
        // Link-local addresses of two interfaces have nothing to do with each other.
        for i in 0..<64 as Range<UInt64> { #expect(from(0xFE80 << 48, i, scope: 2)) }
        #expect(!from(0xFE80 << 48, 99, scope: 2) && from(0xFE80 << 48, 99, scope: 3))
    }

    /// One address that floods takes few others with it, and other ones under another key.
    @Test func fewShareABucket() {
        var shared: [Set<UInt32>] = []
        for key in [5, 6] as [UInt64] {
            let arrivals = StreamArrivals(key: key)
            defer { arrivals.deallocate() }
            for _ in 0..<64 { _ = arrivals.admits(guest(1), now: .zero) }
            shared.append(Set((2..<40_002).filter { !arrivals.admits(guest($0), now: .zero) }))
        }
        // 40,000 in 4,096 classes: about ten in each.
        #expect(shared.allSatisfy { (1...40).contains($0.count) } && shared[0] != shared[1])
    }
}
