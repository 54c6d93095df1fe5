import HyphaBase
import Testing

@Suite struct TokenBucketTests {
    /// How many of `count` tokens the bucket gives at `now`.
    static func granted(_ bucket: inout TokenBucket, of count: Int, at now: Instant) -> Int {
        var granted = 0
        for _ in 0..<count where bucket.take(now: now) { granted += 1 }
        return granted
    }

    @Test func burstAtOnceThenTheRate() {
        var bucket = TokenBucket(rate: 20, burst: 5, now: Instant(nanoseconds: 1_000))
        var now = Instant(nanoseconds: 1_000)
        #expect(Self.granted(&bucket, of: 8, at: now) == 5)
        for _ in 0..<50 {
            now = now.advanced(byNanoseconds: 49_999_999)
            #expect(Self.granted(&bucket, of: 2, at: now) == 0)
            now = now.advanced(byNanoseconds: 1)
            #expect(Self.granted(&bucket, of: 2, at: now) == 1)
        }
        // A long pause gives the burst again and no more.
        now = now.advanced(byMilliseconds: 3_600_000)
        #expect(Self.granted(&bucket, of: 8, at: now) == 5)
    }

    /// Over random arrivals: the same answers as counting every earned token from the start with exact fractions.
    @Test func answersAreThoseOfExactCounting() {
        var random = Seed(31)
        for round in 0..<200 {
            let rate = [1, 7, 20, 1_000, 1_000_000][round % 5] as UInt64
            let burst = 1 + random.next() % 10
            let perToken = 1_000_000_000 / rate
            var bucket = TokenBucket(rate: rate, burst: burst)
            var now: UInt64 = 0
            var credit = perToken * burst
            var taken = 0
            for _ in 0..<300 {
                let step = random.next() % (perToken * 2)
                now += step
                credit = min(perToken * burst, credit + step)
                let expected = credit >= perToken
                if expected { credit -= perToken }
                let answer = bucket.take(now: Instant(nanoseconds: now))
                #expect(answer == expected)
                taken += expected ? 1 : 0
            }
            #expect(UInt64(taken) <= burst + now / perToken)
        }
    }

    @Test func timeThatGoesBackEarnsNothing() {
        var bucket = TokenBucket(rate: 10, burst: 1, now: Instant(nanoseconds: 5_000_000_000))
        let moments: [UInt64] = [5_000_000_000, 0, 5_000_000_000, 5_099_999_999, 5_100_000_000]
        let answers = moments.map { bucket.take(now: Instant(nanoseconds: $0)) }
        #expect(answers == [true, false, false, false, true])
    }

    @Test func extremesDoNotTrap() {
        for rate in [0, 1, UInt64.max] {
            for burst in [0, 1, UInt64.max] {
                var bucket = TokenBucket(rate: rate, burst: burst)
                #expect(Self.granted(&bucket, of: 1, at: .zero) == 1)
                #expect(Self.granted(&bucket, of: 1, at: .distantFuture) == 1)
            }
        }
    }
}
