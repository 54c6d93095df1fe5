/// What became of a frame that was to be sent, and of others because of it.
@frozen
public struct StreamAdmission: Equatable, Sendable {
    @frozen
    public enum Fate: UInt8, Sendable {
        /// It waits for the next write.
        case queued
        /// Its own flow holds the most here and has nothing older waiting, or control has no room.
        case noRoom
        /// No free packet memory.
        case noMemory
        /// A stock peer could not take it as it is meant.
        case unsafe
        /// The link is gone.
        case noLink
    }
    public var fate: Fate
    /// Older data packets of this link that were dropped for it.
    public var displaced: Int

    public init(_ fate: Fate, displaced: Int = 0) {
        self.fate = fate
        self.displaced = displaced
    }
}
