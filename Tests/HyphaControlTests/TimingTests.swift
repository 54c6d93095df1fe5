import HyphaBase
import HyphaIdentity
import Testing

@testable import HyphaControl

@Suite struct TimingTests {
    @Test func initTimesAlwaysRise() {
        var clock = InitClock()
        var last = InitTime(seconds: 0, count: 0)
        for wall in [0, 0, 10, 10, 9, 0, 11, .max, .max, 5] as [UInt64] {
            let time = clock.next(wallSeconds: wall)
            #expect(time > last)
            last = time
        }
        clock = InitClock()
        #expect(clock.next(wallSeconds: 7) == InitTime(seconds: 7, count: 0))
    }

    @Test func retriesFollowTheTable() {
        var jitter = Seed(1)
        func check(_ tries: Int, _ elapsed: UInt64, _ eager: Bool, _ milliseconds: UInt64) {
            for _ in 0..<50 {
                let delay = RetrySchedule.delay(tries: tries, elapsed: elapsed, eager: eager, jitter: &jitter)
                #expect((milliseconds * 800_000...milliseconds * 1_200_000).contains(delay))
            }
        }
        for eager in [true, false] {
            check(1, 0, eager, 250)
            check(2, 250, eager, 500)
            check(3, 750, eager, 1_000)
        }
        check(4, 1_750, false, 2_000)
        check(5, 3_750, false, 5_000)
        check(40, 80_000, false, 5_000)
        check(4, 1_750, true, 1_000)
        check(25, 29_999, true, 1_000)
        check(26, 30_000, true, 5_000)
    }

    @Test func cookiesAreGoodForTwoLives() {
        var random: any RandomSource = SeededRandom(3)
        let path = HandshakePath.underlay(SimulatedNetwork.endpoint(1), socket: 0)
        let start = Instant(nanoseconds: 1)
        var secrets = CookieSecrets(now: start, random: &random)
        let cookie = secrets.cookie(for: path)
        func isGood(_ cookie: [UInt8], from path: HandshakePath) -> Bool {
            let plain = [1, 1, 1, 0] + [UInt8](repeating: 7, count: 164)
            return secrets.isCarried(by: Cookie.applyMAC2(to: plain, cookie: cookie), from: path)
        }
        #expect(isGood(cookie, from: path))
        var moved = SimulatedNetwork.endpoint(1)
        moved.port += 1
        #expect(!isGood(cookie, from: .underlay(moved, socket: 0)))
        #expect(!isGood(cookie, from: .overlay(moved.address, link: 0)))
        secrets.rotate(now: start.advanced(byMilliseconds: 119_999), random: &random)
        #expect(secrets.cookie(for: path) == cookie)
        secrets.rotate(now: start.advanced(byMilliseconds: 120_000), random: &random)
        #expect(secrets.cookie(for: path) != cookie && isGood(cookie, from: path))
        secrets.rotate(now: start.advanced(byMilliseconds: 240_000), random: &random)
        #expect(!isGood(cookie, from: path))
        // After a long sleep neither of the old ones is good.
        let late = secrets.cookie(for: path)
        secrets.rotate(now: start.advanced(byMilliseconds: 900_000), random: &random)
        #expect(!isGood(late, from: path))
        // Without a cookie, mac2 is zero.
        #expect(!secrets.isCarried(by: [UInt8](repeating: 0, count: 168), from: path))
    }

    @Test func overlayCookiesNameTheLink() {
        var random: any RandomSource = SeededRandom(3)
        let secrets = CookieSecrets(now: .zero, random: &random)
        let source = IPv6Address(high: 1, low: 2)
        #expect(
            secrets.cookie(for: .overlay(source, link: 1)) != secrets.cookie(for: .overlay(source, link: 2)))
    }

    @Test func confirmsFiveTimes() {
        var repeats = ConfirmRepeats(slot: 1, now: .zero)
        for offset in [250, 500, 1_000, 2_000] as [UInt64] {
            #expect(!repeats.isOver && repeats.nextDeadline == Instant.zero.advanced(byMilliseconds: offset))
            repeats.sentOne()
        }
        #expect(repeats.isOver && repeats.nextDeadline == Instant.zero.advanced(byMilliseconds: 2_500))
    }

    @Test func roundTripsAreSmoothed() {
        var time = RoundTripTime()
        #expect(time.smoothed == nil)
        time.measured(nanoseconds: 8_000)
        time.measured(nanoseconds: 16_000)
        #expect(time.smoothed == 9_000)
    }
}
