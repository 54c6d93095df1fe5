/// Median and range of the rounds of one measurement.
struct Statistics {
    let median: Double
    let minimum: Double
    let maximum: Double

    /// All zero without a value.
    init(_ values: [Double]) {
        let sorted = values.sorted()
        let middle = sorted.count / 2
        if sorted.isEmpty {
            median = 0
        } else if sorted.count % 2 == 1 {
            median = sorted[middle]
        } else {
            median = (sorted[middle - 1] + sorted[middle]) / 2
        }
        minimum = sorted.first ?? 0
        maximum = sorted.last ?? 0
    }

    init<Round>(_ rounds: [Round], _ value: (Round) -> Double) { self.init(rounds.map(value)) }
}
