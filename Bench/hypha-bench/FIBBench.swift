import HyphaBase
import HyphaFIB
import HyphaWire

/// Longest-prefix match on a synthetic table: half of the prefixes in 400::/7 (/32 to /64), half in 2000::/3 with the
/// length mix of the global IPv6 table, 65,000 next hops.
///
/// | address set | what it looks up |
/// |---|---|
/// | uniform | a random address inside a random prefix |
/// | zipf | 4,096 such addresses, number k with weight 1/k |
/// | miss | random addresses of the two ranges |
enum FIBBench {
    /// One measured combination.
    struct Row {
        /// uniform, zipf or miss.
        var addresses: String
        /// Addresses in one call; 1: the scalar lookup.
        var vector: Int
        /// Median over the rounds.
        var lookupsPerSecond: Double
        /// The same as nanoseconds for one lookup.
        var nanoseconds: Double
        /// Share of lookups that found a route.
        var hits: Double
        var prefixes: Int
        /// Memory of the snapshot.
        var memoryBytes: Int
        /// Time for building the snapshot after one more change.
        var buildMilliseconds: Double
    }

    /// Measures every combination for `seconds` each.
    static func run(prefixes: Int, seconds: Double) -> [Row] {
        var table = Table(prefixes: prefixes)
        var builder = FIBBuilder()
        for (i, prefix) in table.prefixes.enumerated() { builder.insert(prefix, Table.nextHop(i)) }
        var snapshot = builder.build()
        let build = median(
            (0..<5).map { round in
                builder.insert(table.prefixes[round], Table.nextHop(round))
                return time { snapshot = builder.build() }
            })
        var rows: [Row] = []
        for (name, addresses) in [("uniform", table.uniform()), ("zipf", table.zipf()), ("miss", table.misses())] {
            for vector in [256, 64, 32, 1] {
                let (rate, hits) = measure(snapshot, addresses, vector: vector, seconds: seconds)
                rows.append(
                    Row(
                        addresses: name, vector: vector, lookupsPerSecond: rate, nanoseconds: 1e9 / rate, hits: hits,
                        prefixes: snapshot.prefixCount, memoryBytes: snapshot.byteCount,
                        buildMilliseconds: build * 1e3))
            }
        }
        return rows
    }

    /// Lookups per second (median over rounds of all addresses, three at least) and the share of hits.
    private static func measure(
        _ snapshot: FIBSnapshot, _ addresses: [IPv6Address], vector: Int, seconds: Double
    ) -> (rate: Double, hits: Double) {
        var rounds: [Double] = []
        var spent = 0.0
        var hits = 0
        while spent < seconds || rounds.count < 3 {
            let round = time { hits = countHits(snapshot.view, addresses, vector) }
            rounds.append(round)
            spent += round
        }
        return (Double(addresses.count) / median(rounds), Double(hits) / Double(addresses.count))
    }

    /// Looks all addresses up, results in a small block that is used again, as a worker does it.
    @inline(never)
    private static func countHits(_ view: FIBView, _ addresses: [IPv6Address], _ vector: Int) -> Int {
        var hits = 0
        addresses.withUnsafeBufferPointer { addresses in
            withUnsafeTemporaryAllocation(of: NextHop.self, capacity: vector) { results in
                guard let from = addresses.baseAddress, let into = results.baseAddress else { return }
                var done = 0
                while done < addresses.count {
                    let part = min(vector, addresses.count - done)
                    if vector == 1 {
                        into[0] = view.lookup(from[done])
                    } else {
                        view.lookup(from + done, count: part, into: into)
                    }
                    for i in 0..<part { hits &+= into[i].kind == .none ? 0 : 1 }
                    done += part
                }
            }
        }
        return hits
    }

    private static func time(_ body: () -> Void) -> Double { ContinuousClock().measure(body) / .seconds(1) }

    private static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
}

extension FIBBench {
    /// The synthetic table and the address sets, the same in every run.
    struct Table {
        private(set) var prefixes: [Prefix] = []
        private var state: UInt64 = 88_172_645_463_325_252
        private let addressCount = 1 << 20

        init(prefixes count: Int) {
            for i in 0..<max(count, 1) {
                let a = randomAddress()
                if i & 1 == 1 {
                    let length = 32 + Int(next() % 33)
                    prefixes.append(Prefix(overlay(a, next()), length: length))
                } else {
                    let top = next()
                    prefixes.append(Prefix(global(a, top), length: globalLength()))
                }
            }
        }

        static func nextHop(_ i: Int) -> NextHop {
            NextHop(kind: .link, link: UInt32(truncatingIfNeeded: i % 65_000 + 1))
        }

        mutating func uniform() -> [IPv6Address] { (0..<addressCount).map { _ in inside() } }

        mutating func misses() -> [IPv6Address] {
            (0..<addressCount).map { i in
                let a = randomAddress()
                return i & 1 == 1 ? overlay(a, a.high &>> 56) : global(a, a.high &>> 56)
            }
        }

        mutating func zipf() -> [IPv6Address] {
            let hot = (0..<4096).map { _ in inside() }
            var sums: [Double] = []
            for i in hot.indices { sums.append((sums.last ?? 0) + 1 / Double(i + 1)) }
            let total = sums[sums.count - 1]
            return (0..<addressCount).map { _ in
                let u = Double(next() >> 11) / 9_007_199_254_740_992 * total
                var low = 0
                var high = sums.count - 1
                while low < high {
                    let middle = (low + high) / 2
                    if sums[middle] < u { low = middle + 1 } else { high = middle }
                }
                return hot[low]
            }
        }

        /// xorshift64*.
        private mutating func next() -> UInt64 {
            state ^= state &>> 12
            state ^= state &<< 25
            state ^= state &>> 27
            return state &* 0x2545_F491_4F6C_DD1D
        }

        private mutating func randomAddress() -> IPv6Address { IPv6Address(high: next(), low: next()) }

        /// A random address inside a random prefix.
        private mutating func inside() -> IPv6Address {
            let prefix = prefixes[Int(next() % UInt64(prefixes.count))]
            let a = randomAddress()
            let top = Prefix(a, length: prefix.length).address
            return IPv6Address(
                high: a.high ^ top.high | prefix.address.high, low: a.low ^ top.low | prefix.address.low)
        }

        /// First byte 4 or 5.
        private func overlay(_ a: IPv6Address, _ random: UInt64) -> IPv6Address {
            IPv6Address(high: a.high & 0x00FF_FFFF_FFFF_FFFF | (4 | random & 1) &<< 56, low: a.low)
        }

        /// First byte 0x20...0x2f, second 0...0x0f.
        private func global(_ a: IPv6Address, _ random: UInt64) -> IPv6Address {
            IPv6Address(high: a.high & 0x000F_FFFF_FFFF_FFFF | (0x20 | random & 15) &<< 56, low: a.low)
        }

        /// Rough shape of the global table: half /48, a fifth /32, the rest between.
        private mutating func globalLength() -> Int {
            switch next() % 100 {
            case ..<48: 48
            case ..<68: 32
            case ..<80: 40
            case ..<90: 44
            case ..<95: 36
            default: 33 + Int(next() % 32)
            }
        }
    }
}
