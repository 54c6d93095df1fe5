import HyphaBase
import HyphaIdentity
import Testing

@testable import HyphaControl

@Suite struct KeySlotsTests {
    private func session(
        _ slot: UInt32, isInitiator: Bool, at milliseconds: UInt64 = 0, time: UInt64 = 0, run: UInt64 = 1
    ) -> HeldSession {
        let now = Instant.zero.advanced(byMilliseconds: milliseconds)
        return HeldSession(
            slot: slot, remoteIndex: slot, isInitiator: isInitiator, suite: 1, lanes: 2, created: now,
            path: .overlay(IPv6Address(high: 0, low: 1), link: 0), largestDatagram: 1_232, bootID: run,
            initTime: InitTime(seconds: time, count: 0), settled: now, isConfirmed: false)
    }

    private func instant(_ milliseconds: UInt64) -> Instant { Instant.zero.advanced(byMilliseconds: milliseconds) }

    private func promote(_ slots: inout KeySlots, _ slot: UInt32, at milliseconds: UInt64, isLower: Bool) -> [UInt32]? {
        guard
            case .promoted(_, _, let dropped) = slots.confirm(slot: slot, now: instant(milliseconds), isLower: isLower)
        else { return nil }
        return dropped.map(\.slot)
    }

    @Test func keepsAtMostThreeInUse() {
        var slots = KeySlots()
        #expect(slots.adopt(session(1, isInitiator: true), now: instant(0), isLower: true).dropped.isEmpty)
        #expect(slots.adopt(session(2, isInitiator: true), now: instant(10_000), isLower: true).dropped.isEmpty)
        let third = slots.adopt(session(3, isInitiator: true), now: instant(20_000), isLower: true)
        #expect(third.isCurrent && third.dropped.map(\.slot) == [1])
        #expect(slots.current?.slot == 3 && slots.previous?.slot == 2)
        #expect(slots.hold(next: session(4, isInitiator: false)) == nil)
        #expect(slots.hold(next: session(5, isInitiator: false))?.slot == 4)
        #expect(slots.hold(byCookie: session(6, isInitiator: false)) == nil)
        #expect(slots.all.map(\.slot) == [3, 2, 5, 6])
        #expect(slots.removeAll().count == 4 && slots.isEmpty)
    }

    @Test func confirmingOneAnswerDropsTheOther() {
        for (confirmed, other) in [(1 as UInt32, 2 as UInt32), (2, 1)] {
            var slots = KeySlots()
            _ = slots.hold(next: session(1, isInitiator: false))
            _ = slots.hold(byCookie: session(2, isInitiator: false))
            #expect(slots.isPending(1) && slots.isPending(2) && !slots.isPending(3))
            #expect(promote(&slots, confirmed, at: 100, isLower: false) == [other])
            #expect(slots.all.map(\.slot) == [confirmed])
            // A second word about the same session says nothing.
            #expect(promote(&slots, confirmed, at: 100, isLower: false) == nil)
        }
    }

    /// An answer that goes out again shortly before its session ends would else be for nothing.
    @Test func anAnswerRepeatedLetsItsSessionWaitOn() {
        var slots = KeySlots()
        _ = slots.hold(next: session(1, isInitiator: false))
        _ = slots.hold(byCookie: session(2, isInitiator: false))
        #expect(slots.nextDeadline == instant(2_000))
        slots.answeredAgain(slot: 2, now: instant(1_900))
        slots.answeredAgain(slot: 3, now: instant(1_900))
        #expect(slots.nextDeadline == instant(3_900))
        #expect(slots.expire(now: instant(3_900)).map(\.slot) == [2])
        slots.answeredAgain(slot: 1, now: instant(4_900))
        #expect(slots.expire(now: instant(9_899)).isEmpty)
        #expect(slots.nextDeadline == instant(9_900))
        // Not after its first packet: then it lives as long as any.
        #expect(promote(&slots, 1, at: 9_899, isLower: false) == [])
        #expect(slots.expire(now: instant(9_900)).isEmpty)
    }

    /// Ours (1) and the peer's (2) settle in either order: the lower key's is in use.
    @Test(arguments: [true, false], [true, false])
    func crossing(isLower: Bool, oursFirst: Bool) {
        var slots = KeySlots()
        _ = slots.hold(next: session(2, isInitiator: false))
        if oursFirst {
            _ = slots.adopt(session(1, isInitiator: true), now: instant(0), isLower: isLower)
            #expect(promote(&slots, 2, at: 4_999, isLower: isLower) == [])
        } else {
            #expect(promote(&slots, 2, at: 0, isLower: isLower) == [])
            _ = slots.adopt(session(1, isInitiator: true, at: 4_999), now: instant(4_999), isLower: isLower)
        }
        #expect(slots.current?.slot == (isLower ? 1 : 2))
        #expect(slots.previous?.slot == (isLower ? 2 : 1))
    }

    /// The peer starts again right after a handshake of its own: what is made with the new run is in use at once.
    @Test(arguments: [true, false])
    func sessionsWithAnotherRunDoNotCross(isLower: Bool) {
        var slots = KeySlots()
        _ = slots.hold(next: session(1, isInitiator: false))
        #expect(promote(&slots, 1, at: 0, isLower: isLower) == [])
        let new = session(2, isInitiator: true, at: 100, run: 2)
        #expect(slots.adopt(new, now: instant(100), isLower: isLower).isCurrent)
        #expect(slots.current?.slot == 2 && slots.previous?.slot == 1)
        // The same the other way round.
        _ = slots.hold(next: session(3, isInitiator: false, at: 200, run: 3))
        #expect(promote(&slots, 3, at: 200, isLower: isLower) == [1])
        #expect(slots.current?.slot == 3 && slots.previous?.slot == 2)
    }

    @Test func laterSessionsDoNotCross() {
        var slots = KeySlots()
        _ = slots.adopt(session(1, isInitiator: true), now: instant(0), isLower: true)
        _ = slots.hold(next: session(2, isInitiator: false, at: 5_000))
        #expect(promote(&slots, 2, at: 5_000, isLower: true) == [])
        #expect(slots.current?.slot == 2 && slots.previous?.slot == 1)
    }

    @Test func everythingEnds() {
        var slots = KeySlots()
        _ = slots.adopt(session(1, isInitiator: true), now: instant(0), isLower: true)
        _ = slots.adopt(session(2, isInitiator: true, at: 10_000), now: instant(10_000), isLower: true)
        _ = slots.hold(next: session(3, isInitiator: false, at: 20_000))
        _ = slots.hold(byCookie: session(4, isInitiator: false, at: 20_000))
        for (time, slot) in [(22_000 as UInt64, 4 as UInt32), (25_000, 3), (180_000, 1), (190_000, 2)] {
            #expect(slots.nextDeadline == instant(time))
            #expect(slots.expire(now: instant(time - 1)).isEmpty)
            #expect(slots.expire(now: instant(time)).map(\.slot) == [slot])
        }
        #expect(slots.isEmpty && slots.nextDeadline == nil)
    }

    @Test func timesFollowTheSlots() {
        var slots = KeySlots()
        let confirmed = InitTime(seconds: 5, count: 0)
        #expect(slots.times(confirmed: confirmed).next == nil)
        _ = slots.hold(next: session(1, isInitiator: false, time: 9))
        let times = slots.times(confirmed: confirmed)
        #expect(times.verdict(initTime: InitTime(seconds: 9, count: 0), mac2Valid: false) == .cookie)
        #expect(times.verdict(initTime: InitTime(seconds: 9, count: 1), mac2Valid: false) == .respond)
    }
}
