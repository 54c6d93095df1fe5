import HyphaBase
import HyphaStreams
import HyphaWire
import Testing

private func us(_ microseconds: UInt64) -> Instant { Instant(nanoseconds: 1_000_000_000 + microseconds * 1_000) }

/// The rate as it is described, with all that happened.
private struct SlowRate {
    var windows: [(began: UInt64, ended: UInt64, bytes: Int)] = []
    var began: UInt64 = 0
    var bytes = 0

    mutating func look(_ count: Int, at time: UInt64) -> Double {
        bytes += count
        if time - began >= 10_000 {
            windows.append((began, time, bytes))
            (began, bytes) = (time, 0)
        }
        var rate = 0.0
        for window in windows {
            let length = window.ended - window.began
            for _ in 0..<(length / 10_000) { rate *= 7 / 8.0 }
            rate = max(rate, Double(window.bytes) * 1e6 / Double(length))
        }
        return rate
    }
}

@Test(arguments: 0..<20) func rateEqualsTheSlowOne(run: Int) {
    var seed = Seed(UInt64(run) &+ 500)
    var rate = StreamRate(now: us(0))
    var slow = SlowRate()
    var time: UInt64 = 0
    for step in 0..<600 {
        time += UInt64.random(in: 0...[300, 9_000, 40_000][(step / 50 + run) % 3], using: &seed)
        let count = [0, 1_500, 65_536, 4_000_000][Int.random(in: 0..<4, using: &seed)]
        rate.note(count, now: us(time))
        let found = Double(rate.perSecond(now: us(time)))
        let expected = slow.look(count, at: time)
        // Whole bytes are kept.
        #expect(abs(found - expected) <= 10 + expected / 1_000_000)
    }
}

@Test func aRateIsForgotten() {
    var rate = StreamRate(now: us(0))
    for i in 1...1_000 as ClosedRange<UInt64> { rate.note(1_000, now: us(i * 100)) }
    #expect(abs(rate.perSecond(now: us(100_000)) - 10_000_000) < 10_000)
    #expect((4_900_000...5_200_000).contains(rate.perSecond(now: us(152_000))))
    #expect(rate.perSecond(now: us(3_000_000)) == 0)
    // Time that goes back or stands still changes nothing.
    rate.note(.max, now: us(3_000_001))
    rate.note(5, now: us(0))
    #expect(rate.perSecond(now: us(2_000_000)) == 0)
}
