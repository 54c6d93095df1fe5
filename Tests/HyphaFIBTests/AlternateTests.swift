import HyphaBase
import HyphaWire
import Testing

@testable import HyphaFIB

/// The hops that a lookup leads to: the best, then its alternates.
@Suite struct AlternateTests {
    private let prefix = Prefix(IPv6Address(high: 0x0400_0000_0000_0001, low: 0), length: 64)

    private static func hop(_ link: Int, isAgeing: Bool = false) -> NextHop {
        var hop = NextHop(kind: .link, link: UInt32(link), peer: 7)
        hop.isAgeing = isAgeing
        return hop
    }

    /// Everything about a hop but its alternate.
    private static func bare(_ hop: NextHop) -> NextHop {
        var bare = NextHop(kind: hop.kind, link: hop.link, peer: hop.peer)
        bare.isAgeing = hop.isAgeing
        return bare
    }

    /// The hops for an address, best first.
    private static func chain(_ snapshot: FIBSnapshot, _ address: IPv6Address) -> [NextHop] {
        withExtendedLifetime(snapshot) {
            var hop = snapshot.view.lookup(address)
            var chain = [bare(hop)]
            // One more than there may be.
            while chain.count < 6, let next = snapshot.view.alternate(of: hop) {
                hop = next
                chain.append(bare(hop))
            }
            return chain
        }
    }

    /// A long life of a table: after any changes each prefix has its list, cut to four, whatever others have.
    @Test(arguments: [UInt64(1), 2, 3]) func everyPrefixHasItsList(start: UInt64) {
        var seed = Seed(start)
        var builder = FIBBuilder()
        var model: [Prefix: [NextHop]] = [:]
        let prefixes = (0..<300).map { i in
            Prefix(IPv6Address(high: 0x0400 << 48 | UInt64(i) << 16, low: seed.next()), length: i % 3 == 0 ? 128 : 64)
        }
        for step in 0..<9_000 {
            let prefix = prefixes[Int.random(in: 0..<prefixes.count, using: &seed)]
            if step % 7 == 0 {
                builder.remove(prefix)
                model[prefix] = nil
                continue
            }
            // Few links: many lists are equal, or end alike.
            let links = (0..<Int.random(in: 1...7, using: &seed)).map { _ in
                Self.hop(Int.random(in: 0..<5, using: &seed), isAgeing: Int.random(in: 0..<4, using: &seed) == 0)
            }
            builder.insert(prefix, links[0], alternates: Array(links[1...]))
            model[prefix] = Array(links.prefix(4))
            guard step % 900 == 0 else { continue }
            let snapshot = builder.build()
            for prefix in prefixes {
                #expect(Self.chain(snapshot, prefix.address) == model[prefix] ?? [.none], "\(prefix)")
            }
        }
    }

    /// A vector lookup and a single one give hops with the same alternates.
    @Test func bothLookupsLeadOn() {
        var builder = FIBBuilder()
        let prefixes = (0..<100).map { Prefix(IPv6Address(high: UInt64($0 + 1) << 40, low: 0), length: 64) }
        for (i, prefix) in prefixes.enumerated() {
            builder.insert(prefix, Self.hop(i), alternates: [Self.hop(i + 1), Self.hop(i % 3)])
        }
        let snapshot = builder.build()
        let addresses = prefixes.map(\.address)
        var results = [NextHop](repeating: .none, count: addresses.count)
        withExtendedLifetime(snapshot) {
            addresses.withUnsafeBufferPointer { from in
                results.withUnsafeMutableBufferPointer { into in
                    guard let from = from.baseAddress, let into = into.baseAddress else { return }
                    snapshot.view.lookup(from, count: addresses.count, into: into)
                }
            }
            for (address, result) in zip(addresses, results) {
                #expect(result == snapshot.view.lookup(address))
                #expect(snapshot.view.alternate(of: result)?.link == result.link + 1)
            }
        }
    }

    /// Equal lists are stored once, and so are equal ends of lists.
    @Test func listsShareMemory() {
        func size(_ alternates: (Int) -> [NextHop]) -> Int {
            var builder = FIBBuilder()
            for i in 0..<2_000 {
                builder.insert(
                    Prefix(IPv6Address(high: 0x0400 << 48 | UInt64(i) << 20, low: 0), length: 64), Self.hop(i % 4),
                    alternates: alternates(i))
            }
            return builder.build().byteCount
        }
        let none = size { _ in [] }
        let same = size { _ in [Self.hop(10), Self.hop(11), Self.hop(12)] }
        #expect(same <= none + 4 * 16)
        let ends = size { [Self.hop(20 + $0 % 2), Self.hop(11), Self.hop(12)] }
        // Two second hops, one end of two.
        #expect(ends <= none + 5 * 16)
    }

    /// What is replaced again and again leaves nothing behind.
    @Test func replacedListsAreForgotten() {
        var builder = FIBBuilder()
        for i in 0..<20_000 {
            builder.insert(prefix, Self.hop(i), alternates: [Self.hop(i + 1), Self.hop(i + 2), Self.hop(i + 3)])
        }
        #expect(builder.alternates.nextHops.count < 3 * 1_100)
        #expect(Self.chain(builder.build(), prefix.address).map(\.link) == [19_999, 20_000, 20_001, 20_002])
    }

    @Test func onlyLinksHaveAlternates() {
        var builder = FIBBuilder()
        let other = Prefix(IPv6Address(high: 0x0400_0000_0000_0002, low: 0), length: 64)
        builder.insert(prefix, NextHop(kind: .local), alternates: [Self.hop(1)])
        builder.insert(other, Self.hop(1), alternates: [.unreachable, Self.hop(2), NextHop(kind: .local), Self.hop(3)])
        let snapshot = builder.build()
        #expect(Self.chain(snapshot, prefix.address) == [NextHop(kind: .local)])
        #expect(Self.chain(snapshot, other.address).map(\.link) == [1, 2, 3])
    }

    /// A hop that a lookup returned may go into another table: its list there is what is said there.
    @Test func hopsOfAnotherTableBringNothing() {
        var builder = FIBBuilder()
        builder.insert(prefix, Self.hop(1), alternates: [Self.hop(2)])
        let first = builder.build()
        let found = withExtendedLifetime(first) { first.view.lookup(prefix.address) }
        #expect(found.alternate != 0)
        var second = FIBBuilder()
        second.insert(prefix, found)
        let snapshot = second.build()
        #expect(Self.chain(snapshot, prefix.address) == [Self.hop(1)])
        // And a number that is none of this table leads nowhere.
        var invented = found
        for number: UInt32 in [2, 1_000, 1 << 30] {
            invented.setAlternate(number)
            withExtendedLifetime(snapshot) { #expect(snapshot.view.alternate(of: invented) == nil) }
        }
    }

    /// A table of next hops that grows keeps the numbers it gave.
    @Test func numbersSurviveGrowth() {
        var table = NextHopTable(capacity: 0)
        var numbers: [NextHop: Int] = [:]
        for i in 0..<4_000 {
            var hop = Self.hop(i % 1_000, isAgeing: i % 2 == 0)
            hop.setAlternate(UInt32(i / 2_000))
            let number = table.number(hop)
            #expect(numbers[hop, default: number] == number)
            numbers[hop] = number
        }
        #expect(numbers.count == 2_000)
        for (hop, number) in numbers {
            #expect(table.number(hop) == number)
            #expect(table.nextHops[number] == hop)
        }
    }
}
