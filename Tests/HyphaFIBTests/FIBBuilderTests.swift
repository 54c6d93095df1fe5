import HyphaBase
import HyphaWire
import Testing

@testable import HyphaFIB

@Suite struct FIBBuilderTests {
    /// A long life of a small table: every build shows the changes so far.
    @Test(arguments: [UInt64(1), 2, 3])
    func changesInAnyOrder(start: UInt64) {
        var seed = Seed(start)
        let bases = (0..<4).map { _ in IPv6Address(high: seed.next(), low: seed.next()) }
        var builder = FIBBuilder()
        var model = LinearTable()
        for step in 0..<3000 {
            let shape = TableShape.allCases[Int.random(in: 0..<TableShape.allCases.count, using: &seed)]
            // Few lengths of few addresses: most changes meet an earlier one.
            let prefix = Prefix(
                shape.prefix(&seed, bases).address,
                length: [0, 1, 7, 16, 32, 60, 64, 127, 128].randomElement(using: &seed) ?? 0)
            let known = model.entries.randomElement(using: &seed)?.prefix ?? prefix
            switch Int.random(in: 0..<8, using: &seed) {
            case 0...2:
                builder.insert(prefix, FIBLookupTests.hop(step))
                model.insert(prefix, FIBLookupTests.hop(step))
            case 3:
                builder.insert(known, FIBLookupTests.hop(step))
                model.insert(known, FIBLookupTests.hop(step))
            case 4:
                builder.remove(prefix)
                model.remove(prefix)
            default:
                if model.entries.count < 200, step % 4 != 0 { continue }
                builder.remove(known)
                model.remove(known)
            }
            guard step % 250 == 249 else { continue }
            let snapshot = builder.build()
            #expect(snapshot.prefixCount == model.entries.count)
            FIBLookupTests.check(
                snapshot, model, bases + model.entries.flatMap { FIBLookupTests.probes($0.prefix, &seed) })
        }
    }

    @Test func laterInsertReplaces() {
        var builder = FIBBuilder()
        let prefix = Prefix(IPv6Address(high: 0x0400_0000_0000_0001, low: 0), length: 64)
        builder.insert(prefix, FIBLookupTests.hop(1))
        builder.insert(prefix, FIBLookupTests.hop(2))
        let two = builder.build()
        builder.remove(prefix)
        builder.remove(prefix)
        let none = builder.build()
        builder.insert(prefix, FIBLookupTests.hop(3))
        let three = builder.build()
        // Snapshots do not change with the builder.
        withExtendedLifetime((two, none, three)) {
            #expect(two.view.lookup(prefix.lastAddress) == FIBLookupTests.hop(2))
            #expect(none.view.lookup(prefix.lastAddress) == .none)
            #expect(none.prefixCount == 0)
            #expect(three.view.lookup(prefix.lastAddress) == FIBLookupTests.hop(3))
        }
    }

    /// Inserting in any order gives the same table, byte for byte as far as counts show.
    @Test func orderOfInsertionDoesNotMatter() {
        var seed = Seed(21)
        let prefixes = (0..<2000).map { _ in TableShape.overlay.prefix(&seed, [IPv6Address(high: 0, low: 0)]) }
        var forward = FIBBuilder()
        var backward = FIBBuilder()
        for (i, prefix) in prefixes.enumerated() { forward.insert(prefix, FIBLookupTests.hop(i % 50)) }
        for (i, prefix) in prefixes.enumerated().reversed() { backward.insert(prefix, FIBLookupTests.hop(i % 50)) }
        let a = forward.build()
        let b = backward.build()
        #expect(a.byteCount == b.byteCount)
        withExtendedLifetime((a, b)) {
            #expect(prefixes.allSatisfy { a.view.lookup($0.address) == b.view.lookup($0.address) })
        }
    }

    @Test func fullTableLeavesTheLastPrefixesOut() {
        var builder = FIBBuilder()
        for i in 0..<5 {
            builder.insert(Prefix(IPv6Address(high: UInt64(i) << 32, low: 0), length: 32), FIBLookupTests.hop(i))
        }
        let snapshot = builder.build(prefixMax: 3)
        #expect(snapshot.prefixCount == 3)
        withExtendedLifetime(snapshot) {
            for i in 0..<5 {
                let expected = i < 3 ? FIBLookupTests.hop(i) : .none
                #expect(snapshot.view.lookup(IPv6Address(high: UInt64(i) << 32, low: 9)) == expected)
            }
        }
    }

    /// Equal next hops are stored once, different ones never mixed up, however many there are.
    @Test func nextHopsAreNumberedOnce() {
        var table = NextHopTable(capacity: 3000)
        var numbers: [NextHop: Int] = [:]
        for i in 0..<9000 {
            let kind = NextHop.Kind(rawValue: UInt8(i % 3 + 1)) ?? .none
            let hop = NextHop(kind: kind, link: UInt32(i % 30), peer: UInt32(i % 100) << 8)
            let number = table.number(hop)
            #expect(numbers[hop, default: number] == number)
            numbers[hop] = number
        }
        #expect(table.nextHops.count == numbers.count + 1)
        #expect(table.number(.none) == 0)
        for (hop, number) in numbers { #expect(table.nextHops[number] == hop) }
    }
}
