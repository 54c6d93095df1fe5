import HyphaBase
import HyphaWire

/// Which of a neighbour's numbered Updates arrived, and which have to be asked for.
///
/// What is missing is not repeated as it was: the neighbour says what is true now, in Updates with new serials, and then
/// in its next Hello that the request is answered.
struct ReceivedUpdates: Sendable {
    enum Order: Sendable {
        /// Newer than all before.
        case next
        /// Others overtook it, maybe one about the same prefix. It counts as missing until `fill`.
        case late
        /// Known already, or of an epoch that is over.
        case useless
    }

    /// How long an Update may be late before it is asked for, in milliseconds.
    static let patience: UInt64 = 100
    /// Before a request is repeated, in milliseconds; doubled each time up to the longest: what is asked for too late is not
    /// remembered any more.
    static let spacing: UInt64 = 500
    static let longestSpacing: UInt64 = 2_000
    /// Once the oldest missing one is so far behind, or they are in so many places, everything is asked for. The neighbour
    /// remembers twice as many: until the request is there it has sent further ones.
    static let most = SentUpdates.window / 2
    static let mostRanges = 256
    /// So many are asked for at once.
    static let mostAsked = 200

    typealias Range = BabelTLV.Missing.Range

    /// Epochs so many before the one at hand are over: what is late of them changes nothing.
    static let formerEpochs: UInt16 = 1_024

    private var epoch: UInt16?
    private var expected: UInt16 = 0
    /// In order; and whether there are too many to tell.
    private(set) var missing: [Range] = []
    private(set) var isAllMissing = false
    /// The first one of those that are too many to tell.
    private var firstOfAll: UInt16 = 0
    /// The newest serial of an Update that left no route, which could tell what is older.
    private var withoutRoute: UInt16?
    /// The request under way: its number, what it asked for, and how often it was sent.
    private var request: UInt16 = 0
    private var asked: BabelTLV.Missing?
    private var tries: UInt64 = 0
    /// When there is something to ask for.
    private(set) var due = Instant.distantFuture

    /// The first one that is missing; nil before the neighbour said anything.
    var heard: BabelTLV.Serial? {
        epoch.map { BabelTLV.Serial(epoch: $0, number: isAllMissing ? firstOfAll : missing.first?.first ?? expected) }
    }

    /// Notes that an Update arrived.
    mutating func note(_ serial: BabelTLV.Serial, now: Instant) -> Order {
        guard follow(serial.epoch) else { return .useless }
        let ahead = ReceivedUpdates.distance(from: expected, to: serial.number)
        if ahead >= 0 {
            lack(ahead, now: now)
            expected = serial.number &+ 1
            return .next
        }
        // Where all are missing it is not known which.
        return isAllMissing || missing.contains { serial.number &- $0.first < $0.count } ? .late : .useless
    }

    /// Notes how far the neighbour is.
    mutating func note(_ progress: BabelTLV.Progress, now: Instant) {
        guard follow(progress.next.epoch) else { return }
        if let asked, progress.answered == asked.number {
            settle(asked)
            // The neighbour answers so often and not more.
            let isDone = missing.isEmpty && !isAllMissing
            due = isDone ? .distantFuture : now.advanced(byMilliseconds: ReceivedUpdates.patience)
        }
        let ahead = ReceivedUpdates.distance(from: expected, to: progress.next.number)
        if ahead > 0 {
            lack(ahead, now: now)
        } else if ahead >= -SentUpdates.window {
            // Updates that were sent after the Hello overtook it.
            return
        } else {
            lackAll(now: now)
        }
        expected = progress.next.number
    }

    /// Notes the serial of an Update that was acted on and left no route: a retraction, or one that was refused.
    mutating func noteWithoutRoute(_ serial: UInt16) {
        if let newest = withoutRoute, expected &- newest < expected &- serial { return }
        withoutRoute = serial
    }

    /// Whether a late Update says more than what is known, which came with the serial `known`; nil: there is no route.
    func isNews(_ serial: UInt16, known: UInt16?) -> Bool {
        guard let newest = known ?? withoutRoute else { return true }
        return ReceivedUpdates.distance(from: newest, to: serial) > 0
    }

    private static func distance(from old: UInt16, to new: UInt16) -> Int { Int(Int16(bitPattern: new &- old)) }

    /// A late Update is of use after all.
    mutating func fill(_ serial: UInt16) {
        guard let place = missing.firstIndex(where: { serial &- $0.first < $0.count }) else { return }
        let range = missing[place]
        let before = serial &- range.first
        let behind = range.count &- before &- 1
        missing[place].count = before
        if behind > 0 { missing.insert(Range(first: serial &+ 1, count: behind), at: place + 1) }
        if before == 0 { missing.remove(at: place) }
        if missing.isEmpty, !isAllMissing, asked == nil { due = .distantFuture }
    }

    /// What to ask for at `due`; `roundTrip` in milliseconds.
    mutating func ask(roundTrip: UInt64, now: Instant) -> BabelTLV.Missing? {
        guard let epoch, !missing.isEmpty || isAllMissing else {
            asked = nil
            due = .distantFuture
            return nil
        }
        if asked == nil {
            request = request == .max ? 1 : request + 1
            tries = 0
            asked = BabelTLV.Missing(epoch: epoch, number: request, ranges: isAllMissing ? [] : firstMissing())
            if isAllMissing { missing = [] }
        }
        let spacing = max(ReceivedUpdates.spacing, 3 * roundTrip) << min(tries, 4)
        tries += 1
        due = now.advanced(byMilliseconds: min(ReceivedUpdates.longestSpacing, spacing))
        return asked
    }

    private func firstMissing() -> [Range] {
        var ranges: [Range] = []
        var room = ReceivedUpdates.mostAsked
        for range in missing.prefix(BabelTLV.Missing.capacity) where room > 0 {
            ranges.append(Range(first: range.first, count: min(range.count, UInt16(room))))
            room -= Int(min(range.count, UInt16(room)))
        }
        return ranges
    }

    /// False for an epoch that is over, even if nothing of it came before. Any other than before is a new one: nothing was
    /// missed of it yet.
    private mutating func follow(_ new: UInt16) -> Bool {
        if let epoch {
            if new == epoch { return true }
            if epoch &- new <= ReceivedUpdates.formerEpochs { return false }
        }
        epoch = new
        expected = 0
        missing = []
        isAllMissing = false
        withoutRoute = nil
        asked = nil
        due = .distantFuture
        return true
    }

    /// The next `count` did not arrive, so far.
    private mutating func lack(_ count: Int, now: Instant) {
        // Whoever is about to ask for everything need not know more.
        guard count > 0, !isAllMissing || asked != nil else { return }
        let oldest = missing.first?.first ?? expected
        guard Int(expected &- oldest) + count <= ReceivedUpdates.most, missing.count < ReceivedUpdates.mostRanges else {
            return lackAll(now: now)
        }
        if due == .distantFuture { due = now.advanced(byMilliseconds: ReceivedUpdates.patience) }
        missing.append(Range(first: expected, count: UInt16(truncatingIfNeeded: count)))
    }

    /// Everything is asked for.
    mutating func lackAll(now: Instant) {
        if !isAllMissing { firstOfAll = missing.first?.first ?? expected }
        missing = []
        isAllMissing = true
        asked = nil
        due = now.advanced(byMilliseconds: ReceivedUpdates.patience)
    }

    /// A request was answered.
    private mutating func settle(_ answered: BabelTLV.Missing) {
        asked = nil
        if answered.ranges.isEmpty {
            isAllMissing = false
            return
        }
        for range in answered.ranges {
            for offset in 0..<range.count { fill(range.first &+ offset) }
        }
    }
}
