/// What is known of a link's speed when a data frame is queued on it.
public struct StreamPace: Equatable, Sendable {
    /// Bytes that the peer takes in `StreamLimits.drainMilliseconds`, by the rate measured last.
    public var drained: Int
    /// The peer has taken something all the time lately: what still waits for long will wait for long.
    public var isSteady: Bool
    /// The time in microseconds, any start.
    public var microseconds: UInt32

    public init(drained: Int = 0, isSteady: Bool = false, microseconds: UInt32 = 0) {
        self.drained = drained
        self.isSteady = isSteady
        self.microseconds = microseconds
    }
}
