import HyphaBase

/// How often each oddity was seen, with the bytes of the first one.
public struct StockOddities: Equatable, Sendable {
    public private(set) var counts: [StockOddity: Int] = [:]
    /// Hexadecimal bytes or words that show the first of each.
    public private(set) var examples: [StockOddity: String] = [:]

    public init() {}

    public var isEmpty: Bool { counts.isEmpty }

    public subscript(oddity: StockOddity) -> Int { counts[oddity] ?? 0 }

    /// All that was seen beside what `expected` names, in order.
    public func others(than expected: Set<StockOddity> = []) -> [StockOddity] {
        StockOddity.allCases.filter { self[$0] > 0 && !expected.contains($0) }
    }

    mutating func note(_ oddity: StockOddity, _ bytes: some Sequence<UInt8>) {
        if counts[oddity] == nil { examples[oddity] = Hex.encode(bytes) }
        counts[oddity, default: 0] += 1
    }

    mutating func note(_ oddity: StockOddity, _ words: @autoclosure () -> String) {
        if counts[oddity] == nil { examples[oddity] = words() }
        counts[oddity, default: 0] += 1
    }

    mutating func absorb(_ other: StockOddities) {
        for (oddity, count) in other.counts {
            if counts[oddity] == nil { examples[oddity] = other.examples[oddity] }
            counts[oddity, default: 0] += count
        }
    }
}
