/// A TCP connection of `MemoryIO`.
struct MemoryConnection {
    var id: UInt32
    var isFree = false
    /// Both ends are there; false for a dial without answer.
    var isOpen = false
    /// The owner has taken its opening.
    var isKnown = false
    var isPaused = false
    /// Bytes that may be held unsent, as the owner said last.
    var unsentLimit: Int?
    /// The peer takes nothing.
    var isStalled = false
    /// Bytes of one write that the peer takes at most.
    var writeLimit = Int.max
    /// The shortest round trip, microseconds.
    var leastRoundTrip: UInt32 = 1_000
    /// The write under way.
    var pieces: [Train.Piece] = []
    /// A write is under way or its event was not taken yet.
    var isWriting = false
    /// What the peer has received.
    var bytes: [UInt8] = []
    /// The peer saw RST; nil while it saw no end.
    var wasReset: Bool?
}
