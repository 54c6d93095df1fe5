import HyphaBase
import Testing

@Suite struct InstantTests {
    static let edges: [UInt64] = [0, 1, 999_999, 1_000_000, 1 << 32, .max / 1_000_000, .max / 2, .max - 1, .max]

    /// Against arithmetic that cannot overflow.
    @Test func arithmeticSaturates() {
        for a in Self.edges {
            for b in Self.edges {
                let start = Instant(nanoseconds: a)
                let most = UInt64.max
                let sum = a > most - b ? most : a + b
                #expect(start.advanced(byNanoseconds: b).nanoseconds == sum)
                let scaled = b > most / 1_000_000 ? most : b * 1_000_000
                #expect(start.advanced(byMilliseconds: b).nanoseconds == (a > most - scaled ? most : a + scaled))
                let other = Instant(nanoseconds: b)
                #expect(start.nanoseconds(since: other) == (a > b ? a - b : 0))
                #expect(start.milliseconds(since: other) == (a > b ? (a - b) / 1_000_000 : 0))
                #expect((start < other) == (a < b))
            }
        }
        #expect(Instant.zero < Instant.distantFuture)
    }
}
