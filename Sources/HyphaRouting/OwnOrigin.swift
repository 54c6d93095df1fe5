import HyphaBase
import HyphaWire

/// This node as an origin: under which router id and seqno it announces its own prefixes.
struct OwnOrigin: Sendable {
    /// Least time between two changes of the seqno, in milliseconds.
    static let spacing: UInt64 = 4_000
    /// Largest step of the seqno: to reach one that is nearly half the circle ahead two steps are needed.
    static let largestJump: UInt16 = 16_384
    /// So many sightings of the own prefix under another router id within a minute make us draw a new one, at most once
    /// in ten minutes; in milliseconds.
    static let sightings = 3
    static let sightingWindow: UInt64 = 60_000
    static let drawSpacing: UInt64 = 600_000

    private(set) var id: RouterID
    private(set) var seqno: Seqno
    private var changed: Instant
    /// When a seqno that somebody needs may be taken, and the one to go beyond.
    private(set) var changeDue = Instant.distantFuture
    private var heard: Seqno?
    private var sightingsSince: Instant?
    private var sighted = 0
    private var drawn: Instant?

    init(id: RouterID, seqno: Seqno, now: Instant) {
        self.id = id
        self.seqno = seqno
        changed = now
    }

    var state: RouterState { RouterState(zone: id.zone, random: id.random, seqno: seqno.value) }

    /// Somebody needs a newer seqno than ours. It is taken at `changeDue`.
    mutating func requestBump() {
        changeDue = min(changeDue, changed.advanced(byMilliseconds: OwnOrigin.spacing))
    }

    /// Somebody announces us with this seqno, which is newer than ours: an old one of ours, or a forged one.
    mutating func hear(_ seqno: Seqno) {
        if heard.map({ seqno.isNewer(than: $0) }) ?? true { heard = seqno }
        requestBump()
    }

    /// At `changeDue`: takes the next seqno, or one that leaves what was heard behind. True when that was a jump.
    mutating func change(now: Instant) -> Bool {
        changeDue = .distantFuture
        changed = now
        guard let heard, heard.isNewer(than: seqno) else {
            self.heard = nil
            seqno = seqno.advanced()
            return false
        }
        let distance = heard.value &- seqno.value &+ 1
        if distance > OwnOrigin.largestJump {
            seqno = seqno.advanced(by: OwnOrigin.largestJump)
            requestBump()
        } else {
            seqno = heard.advanced()
            self.heard = nil
        }
        return true
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
    }
}
