import HyphaBase
import HyphaWire

/// Numbers the Updates that go to one neighbour, and knows for a while what each was about: one that was lost is not sent
/// again, but what is true now of the same prefix.
struct SentUpdates: Sendable {
    /// How many are remembered: 16 KiB, where there were so many. A dump sends 2,000 a second, and what is lost of it may be
    /// asked for only at the second or third try.
    static let window = 4_096

    private(set) var epoch: UInt16
    /// The serial of the next one.
    private(set) var next: UInt16 = 0
    /// The number of the neighbour's last request that was answered.
    var answered: UInt16 = 0
    private var subjects: [UInt32] = []
    /// How many there were in all, and how many of these the neighbour heard all of.
    private var count: UInt64 = 0
    private var heard: UInt64 = 0
    /// A moment, and how many the neighbour must have heard of to know all that it was sent before; nil as long as that is
    /// being said anew.
    private var mark: (at: Instant, count: UInt64?)?
    /// The neighbour heard everything that it was sent before this moment.
    private(set) var confirmed = Instant.zero

    init(epoch: UInt16) { self.epoch = epoch }

    var progress: BabelTLV.Progress {
        BabelTLV.Progress(next: BabelTLV.Serial(epoch: epoch, number: next), answered: answered)
    }

    /// The serial of an Update that is sent now about `subject`, a number that means something to the caller.
    mutating func number(_ subject: UInt32) -> BabelTLV.Serial {
        let place = Int(next) % SentUpdates.window
        if place < subjects.count { subjects[place] = subject } else { subjects.append(subject) }
        defer {
            next &+= 1
            count += 1
        }
        return BabelTLV.Serial(epoch: epoch, number: next)
    }

    /// The neighbour says which one it misses first.
    mutating func note(heard serial: BabelTLV.Serial) {
        guard serial.epoch == epoch else { return }
        let more = UInt64(serial.number &- UInt16(truncatingIfNeeded: heard))
        // What it said before may come late.
        guard more < 32_768, heard + more <= count else { return }
        heard += more
        guard let mark, let enough = mark.count, heard >= enough else { return }
        confirmed = mark.at
        self.mark = nil
    }

    /// All is sent for now: it is to be confirmed next, or what is waited for already.
    mutating func awaitConfirmation(now: Instant) {
        if mark == nil { mark = (now, count) } else if mark?.count == nil { mark?.count = count }
    }

    /// What is missing is not repeated: it is about to be said anew, and counts as heard before that arrives.
    mutating func sayAnew() { mark?.count = nil }

    /// What the Update with this serial was about; nil if it was not sent in this epoch or too long ago.
    func subject(of serial: UInt16) -> UInt32? {
        let age = Int(next &- serial)
        guard age >= 1, age <= subjects.count else { return nil }
        return subjects[Int(serial) % SentUpdates.window]
    }
}
