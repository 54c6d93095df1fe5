import HyphaBase
import HyphaFIB
import HyphaWire
import Testing

@Suite struct FIBLookupTests {
    /// A next hop that no other number has.
    static func hop(_ number: Int) -> NextHop {
        NextHop(kind: .link, link: UInt32(truncatingIfNeeded: number), peer: UInt32(truncatingIfNeeded: ~number))
    }

    static func neighbour(_ a: IPv6Address, up: Bool) -> IPv6Address {
        if up { return IPv6Address(high: a.low == .max ? a.high &+ 1 : a.high, low: a.low &+ 1) }
        return IPv6Address(high: a.low == 0 ? a.high &- 1 : a.high, low: a.low &- 1)
    }

    /// The address with one bit changed, bit 0 the first.
    static func flip(_ a: IPv6Address, _ bit: Int) -> IPv6Address {
        bit < 64
            ? IPv6Address(high: a.high ^ 1 << UInt64(63 - bit), low: a.low)
            : IPv6Address(high: a.high, low: a.low ^ 1 << UInt64(127 - bit))
    }

    /// First and last address of the prefix, those beside it, and one inside.
    static func probes(_ prefix: Prefix, _ seed: inout Seed) -> [IPv6Address] {
        let first = prefix.address
        let last = prefix.lastAddress
        let inside = IPv6Address(
            high: first.high | seed.next() & (first.high ^ last.high),
            low: first.low | seed.next() & (first.low ^ last.low))
        return [first, last, neighbour(first, up: false), neighbour(last, up: true), inside]
    }

    /// Single and vector lookups of `probes` give what the linear table gives.
    static func check(
        _ snapshot: FIBSnapshot, _ model: LinearTable, _ probes: [IPv6Address],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        withExtendedLifetime(snapshot) {
            let view = snapshot.view
            var results = [NextHop](repeating: NextHop(kind: .local, link: 77), count: probes.count)
            probes.withUnsafeBufferPointer { from in
                results.withUnsafeMutableBufferPointer { into in
                    guard let from = from.baseAddress, let into = into.baseAddress else { return }
                    view.lookup(from, count: probes.count, into: into)
                }
            }
            var wrong = 0
            for (a, result) in zip(probes, results) {
                let expected = model.lookup(a)
                let single = view.lookup(a)
                guard single != expected || result != expected else { continue }
                wrong += 1
                if wrong <= 3 {
                    Issue.record(
                        "\(a): want \(expected), single \(single), vector \(result)", sourceLocation: sourceLocation)
                }
            }
            #expect(wrong == 0, sourceLocation: sourceLocation)
        }
    }

    @Test(arguments: TableShape.allCases, [1, 2, 3, 9, 40, 255, 256, 700])
    func agreesWithLinearScan(shape: TableShape, count: Int) {
        var seed = Seed(UInt64(count) &* 31)
        for round in 0..<(count < 100 ? 20 : 1) {
            let bases = (0..<3).map { _ in IPv6Address(high: seed.next(), low: seed.next()) }
            var builder = FIBBuilder()
            var model = LinearTable()
            for i in 0..<count {
                let prefix = shape.prefix(&seed, bases)
                builder.insert(prefix, Self.hop(i))
                model.insert(prefix, Self.hop(i))
            }
            // A default route changes every miss.
            if round % 2 == 1 {
                builder.insert(Prefix(IPv6Address(high: 0, low: 0), length: 0), Self.hop(count))
                model.insert(Prefix(IPv6Address(high: 0, low: 0), length: 0), Self.hop(count))
            }
            var probes = bases
            let step = max(1, model.entries.count / 200)
            for i in stride(from: 0, to: model.entries.count, by: step) {
                probes += Self.probes(model.entries[i].prefix, &seed)
                probes.append(IPv6Address(high: seed.next(), low: seed.next()))
            }
            let snapshot = builder.build()
            #expect(snapshot.prefixCount == model.entries.count)
            Self.check(snapshot, model, probes)
        }
    }

    @Test func largeTable() {
        var seed = Seed(5)
        let bases = (0..<200).map { _ in IPv6Address(high: seed.next() >> 7 | 4 << 56, low: seed.next()) }
        var builder = FIBBuilder()
        var model = LinearTable()
        var seen: Set<Prefix> = []
        for i in 0..<20_000 {
            let prefix = TableShape.allCases[i % TableShape.allCases.count].prefix(&seed, bases)
            guard seen.insert(prefix).inserted else { continue }
            builder.insert(prefix, Self.hop(i))
            model.entries.append((prefix, Self.hop(i)))
        }
        var probes: [IPv6Address] = []
        for _ in 0..<60 {
            let i = Int.random(in: 0..<model.entries.count, using: &seed)
            probes += Self.probes(model.entries[i].prefix, &seed)
        }
        let snapshot = builder.build()
        #expect(snapshot.prefixCount == model.entries.count)
        #expect(snapshot.byteCount < 100 * snapshot.prefixCount)
        Self.check(snapshot, model, probes)
    }

    @Test func emptyTable() {
        let snapshot = FIBBuilder().build()
        #expect(snapshot.prefixCount == 0)
        #expect(snapshot.byteCount <= 64)
        let ends = [
            IPv6Address(high: 0, low: 0), IPv6Address(high: .max, low: .max), IPv6Address(high: 4 << 56, low: 1),
        ]
        Self.check(snapshot, LinearTable(), ends)
        withExtendedLifetime(snapshot) { #expect(snapshot.view.lookup(ends[0]).kind == .none) }
    }

    /// The table of an idle node takes no more than a page.
    @Test func smallTableIsSmall() {
        var builder = FIBBuilder()
        var seed = Seed(8)
        for i in 0..<20 {
            builder.insert(TableShape.overlay.prefix(&seed, [IPv6Address(high: 0, low: 0)]), Self.hop(i))
        }
        #expect(builder.build().byteCount < 4096)
    }

    @Test func defaultRouteAlone() {
        var builder = FIBBuilder()
        var model = LinearTable()
        let all = Prefix(IPv6Address(high: 0, low: 0), length: 0)
        builder.insert(all, .unreachable)
        model.insert(all, .unreachable)
        Self.check(
            builder.build(), model, [IPv6Address(high: 0, low: 0), IPv6Address(high: .max, low: .max)])
    }

    /// All 129 prefixes of one address: an address with bit k flipped matches the one of length k.
    @Test(arguments: [false, true])
    func everyLength(withCrowd: Bool) {
        let base = IPv6Address(high: 0x0412_3456_789A_BCDE, low: 0xFEDC_BA98_7654_3210)
        var builder = FIBBuilder()
        var model = LinearTable()
        for length in (0...128).reversed() {
            builder.insert(Prefix(base, length: length), Self.hop(length))
            model.insert(Prefix(base, length: length), Self.hop(length))
        }
        if withCrowd {
            // Enough prefixes elsewhere for a first level.
            for i in 0..<600 {
                let prefix = Prefix(IPv6Address(high: 0x2000_0000_0000_0000 | UInt64(i) << 32, low: 0), length: 40)
                builder.insert(prefix, Self.hop(1000 + i))
                model.insert(prefix, Self.hop(1000 + i))
            }
        }
        let snapshot = builder.build()
        var probes = [base]
        for bit in 0..<128 {
            let flipped = Self.flip(base, bit)
            probes.append(flipped)
            withExtendedLifetime(snapshot) {
                if !withCrowd { #expect(snapshot.view.lookup(flipped) == Self.hop(bit)) }
            }
        }
        withExtendedLifetime(snapshot) { #expect(snapshot.view.lookup(base) == Self.hop(128)) }
        Self.check(snapshot, model, probes)
    }

    /// One prefix of every length, matched to its last bit and missed by one bit anywhere.
    @Test func everyLengthAlone() {
        let base = IPv6Address(high: 0x5555_AAAA_0F0F_F0F0, low: 0x1234_5678_9ABC_DEF1)
        var seed = Seed(3)
        for length in 0...128 {
            var builder = FIBBuilder()
            var model = LinearTable()
            let prefix = Prefix(base, length: length)
            builder.insert(prefix, Self.hop(length))
            model.insert(prefix, Self.hop(length))
            var probes = Self.probes(prefix, &seed)
            probes += (0..<128).map { Self.flip(base, $0) }
            Self.check(builder.build(), model, probes)
        }
    }

    /// Two hosts that part at every bit in turn, inside the default route or a prefix that ends `inside` bits
    /// before; missed by one bit anywhere.
    @Test(arguments: [1, 8, 70, 128])
    func everyFork(inside: Int) {
        let base = IPv6Address(high: 0x0123_4567_89AB_CDEF, low: 0xFEDC_BA98_7654_3210)
        for bit in 0..<128 {
            let other = Self.flip(base, bit)
            var builder = FIBBuilder()
            var model = LinearTable()
            for (i, prefix) in [
                Prefix(base, length: 128), Prefix(other, length: 128), Prefix(base, length: max(0, bit - inside)),
            ].enumerated() {
                builder.insert(prefix, Self.hop(i))
                model.insert(prefix, Self.hop(i))
            }
            let probes = (0..<128).flatMap { [Self.flip(base, $0), Self.flip(other, $0)] }
            Self.check(builder.build(), model, probes + [base, other])
        }
    }

    @Test(arguments: [-1, 0, 1, 2, 63, 64, 65, 128, 200])
    func vectorWritesItsResultsAndNoMore(count: Int) {
        var builder = FIBBuilder()
        var seed = Seed(11)
        for i in 0..<50 {
            builder.insert(TableShape.anything.prefix(&seed, [IPv6Address(high: 0, low: 0)]), Self.hop(i))
        }
        let snapshot = builder.build()
        let addresses = (0..<256).map { _ in IPv6Address(high: seed.next(), low: seed.next()) }
        let mark = NextHop(kind: .local, link: 123)
        var results = [NextHop](repeating: mark, count: 256)
        withExtendedLifetime(snapshot) {
            addresses.withUnsafeBufferPointer { from in
                results.withUnsafeMutableBufferPointer { into in
                    guard let from = from.baseAddress, let into = into.baseAddress else { return }
                    snapshot.view.lookup(from, count: count, into: into)
                }
            }
            for i in 0..<256 {
                #expect(results[i] == (i < count ? snapshot.view.lookup(addresses[i]) : mark))
            }
        }
    }

    @Test func nextHopIsSixteenBytes() {
        #expect(MemoryLayout<NextHop>.size == 16)
        #expect(MemoryLayout<NextHop>.stride == 16)
    }
}
