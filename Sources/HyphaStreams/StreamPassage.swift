/// What became of data frames that were to go past a queue and did not, or not all.
@frozen
public struct StreamPassage: Equatable, Sendable {
    /// Refused by the queue: its limits, or no packet memory.
    public var noRoom = 0
    public var noMemory = 0
    /// Ended with their connection.
    public var gone = 0
    /// The peer has part of a frame and the rest is lost: the connection must end.
    public var isCut = false

    public init(gone: Int = 0, isCut: Bool = false) {
        self.gone = gone
        self.isCut = isCut
    }

    /// Counts a frame that the queue was given.
    mutating func note(_ fate: StreamAdmission.Fate) {
        switch fate {
        case .queued: break
        case .noMemory: noMemory &+= 1
        case .noRoom, .unsafe: noRoom &+= 1
        case .noLink: gone &+= 1
        }
    }
}
