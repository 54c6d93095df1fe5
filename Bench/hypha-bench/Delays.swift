/// How long things took: median, the value that one in a hundred exceeds, and the longest; nanoseconds.
struct Delays {
    let median: UInt64
    let percentile99: UInt64
    let maximum: UInt64

    /// All zero without a value.
    init(_ values: [UInt64]) {
        let sorted = values.sorted()
        let at = { (share: Double) -> UInt64 in
            sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))]
        }
        median = at(0.5)
        percentile99 = at(0.99)
        maximum = sorted.last ?? 0
    }

    /// As fields of a message, their names beginning with `name`.
    func fields(_ name: String) -> [(key: String, value: String)] {
        [
            ("\(name)_p50", "\(median)"), ("\(name)_p99", "\(percentile99)"), ("\(name)_max", "\(maximum)"),
        ]
    }
}
