/// Why a connection must be closed.
@frozen
public enum StreamEnd: UInt8, CaseIterable, Sendable {
    /// A frame of another protocol version: the stream cannot be followed.
    case badVersion
    /// A frame type that does not exist.
    case badType
    /// No whole frame in time after the opening.
    case noFirstFrame
    /// Nothing received for too long.
    case idle
    /// A frame that does not end.
    case unfinishedFrame
    /// The peer takes nothing of what waits for it.
    case stalledWrite
}
