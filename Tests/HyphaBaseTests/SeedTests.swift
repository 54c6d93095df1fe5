import HyphaBase
import Testing

@Suite struct SeedTests {
    /// The published sequence of SplitMix64 for seed 1234567.
    @Test func sequenceIsSplitMix64() {
        var seed = Seed(1_234_567)
        let values = (0..<5).map { _ in seed.next() }
        #expect(
            values == [
                6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
                4_593_380_528_125_082_431, 16_408_922_859_458_223_821,
            ])
    }

    @Test func seedsDifferAndRepeat() {
        var first = Seed(1)
        var again = Seed(1)
        var other = Seed(2)
        let sequence = (0..<8).map { _ in first.next() }
        let repeated = (0..<8).map { _ in again.next() }
        let different = (0..<8).map { _ in other.next() }
        #expect(sequence == repeated)
        #expect(sequence != different)
    }
}
