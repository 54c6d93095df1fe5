import HyphaBase
import HyphaWire

/// This node as an origin: under which router id and seqno it announces its own prefixes.
struct OwnOrigin: Sendable {
    /// Time between two changes of the seqno on average, and before one that follows a heard seqno, in milliseconds.
    static let spacing: UInt64 = 4_000
    /// So many changes that others need may come at once: a lost path is not kept waiting by the one before.
    static let burst: UInt64 = 4
    /// How fast the seqno moves in all: one step in so many milliseconds, the largest at once. Others take nothing that
    /// moves twice as far (`SourceTable.stepsAtOnce`), and what they hear may be four minutes old.
    static let stepTime: UInt64 = 2_000
    static let largestStep: UInt64 = 128
    /// As long as there is far to go, so many steps are taken together.
    static let usualStep: UInt64 = 32
    /// For so long a heard seqno is followed, in milliseconds: whoever holds it says it again.
    static let heardLife: UInt64 = 660_000
    /// So many sightings of the own prefix under another router id within a minute make us draw a new one, at most once
    /// in ten minutes; in milliseconds.
    static let sightings = 3
    static let sightingWindow: UInt64 = 60_000
    static let drawSpacing: UInt64 = 600_000

    private(set) var id: RouterID
    private(set) var seqno: Seqno
    private var changed: Instant
    /// Rises by `spacing` with each change; a change waits until no more than `burst` of them lie ahead of the clock.
    private var allowance: Instant
    /// Up to when the steps are accounted for, at one per `stepTime`.
    private var stepsUntil: Instant
    /// When a seqno that somebody needs may be taken, and the one to go beyond.
    private(set) var changeDue = Instant.distantFuture
    private var heard: Seqno?
    private var heardAt = Instant.zero
    private var sightingsSince: Instant?
    private var sighted = 0
    private var drawn: Instant?

    init(id: RouterID, seqno: Seqno, now: Instant) {
        self.id = id
        self.seqno = seqno
        changed = now
        allowance = now
        stepsUntil = now
    }

    var state: RouterState { RouterState(zone: id.zone, random: id.random, seqno: seqno.value) }

    /// Somebody needs a newer seqno than ours. It is taken at `changeDue`.
    mutating func requestBump() {
        let ahead = (OwnOrigin.burst - 1) * OwnOrigin.spacing * 1_000_000
        let due = allowance.nanoseconds > ahead ? allowance.nanoseconds - ahead : 0
        changeDue = min(changeDue, Instant(nanoseconds: due))
    }

    /// Somebody announces us with this seqno, or needs a newer one than this: an old one of ours, or a forged one. One so
    /// far ahead that nobody who knows us takes it is not followed: whoever has it forgets it.
    mutating func hear(_ seqno: Seqno, now: Instant) {
        forgetHeard(now: now)
        guard seqno.isNewer(than: self.seqno), UInt64(seqno.value &- self.seqno.value) <= SourceTable.mostSteps,
            heard.map({ !seqno.isOlder(than: $0) }) ?? true
        else { return }
        heard = seqno
        heardAt = now
        planToFollow()
    }

    /// What was left behind, or not heard for long, is followed no more.
    private mutating func forgetHeard(now: Instant) {
        guard let heard, !heard.isNewer(than: seqno) || now.milliseconds(since: heardAt) > OwnOrigin.heardLife else {
            return
        }
        self.heard = nil
    }

    /// How many steps lead beyond what was heard.
    private var way: UInt64 { heard.map { UInt64($0.value &- seqno.value) + 1 } ?? 0 }

    /// What was heard is followed a spacing after the last change, as soon as there are steps for it.
    private mutating func planToFollow() {
        let steps = min(way, OwnOrigin.usualStep)
        changeDue = min(
            changeDue,
            max(
                changed.advanced(byMilliseconds: OwnOrigin.spacing),
                stepsUntil.advanced(byMilliseconds: steps * OwnOrigin.stepTime)))
    }

    /// At `changeDue`: takes the next seqno, or one on the way beyond what was heard. True when it was that.
    mutating func change(now: Instant) -> Bool {
        changeDue = .distantFuture
        changed = now
        allowance = max(allowance, now).advanced(byMilliseconds: OwnOrigin.spacing)
        forgetHeard(now: now)
        let follows = heard != nil
        let saved = min(OwnOrigin.largestStep, now.milliseconds(since: stepsUntil) / OwnOrigin.stepTime)
        let steps = max(1, min(way, saved))
        let oldest = OwnOrigin.largestStep * OwnOrigin.stepTime * 1_000_000
        stepsUntil = max(stepsUntil, Instant(nanoseconds: now.nanoseconds > oldest ? now.nanoseconds - oldest : 0))
            .advanced(byMilliseconds: steps * OwnOrigin.stepTime)
        if steps >= way { heard = nil }
        seqno = seqno.advanced(by: UInt16(truncatingIfNeeded: steps))
        if heard != nil { planToFollow() }
        return follows
    }

    /// The own prefix was heard under another router id of our key. True when it is time to draw a new one.
    mutating func sightedForeignID(now: Instant) -> Bool {
        if let since = sightingsSince, now.milliseconds(since: since) < OwnOrigin.sightingWindow {
            sighted += 1
        } else {
            sightingsSince = now
            sighted = 1
        }
        guard sighted >= OwnOrigin.sightings,
            drawn.map({ now.milliseconds(since: $0) >= OwnOrigin.drawSpacing }) ?? true
        else { return false }
        sightingsSince = nil
        drawn = now
        return true
    }

    mutating func replace(id: RouterID, now: Instant) {
        self.id = id
        seqno = Seqno(0)
        heard = nil
        changeDue = .distantFuture
        changed = now
        allowance = now
        stepsUntil = now
    }
}
