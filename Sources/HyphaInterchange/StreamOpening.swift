/// The bytes of a punt of kind `streamOpened`.
@frozen
public struct StreamOpening: BitwiseCopyable, Sendable {
    /// Number of the dial that it answers; max for a connection that came in.
    public var dial: UInt32
    /// The kernel's first round-trip time in microseconds; 0 when it does not know.
    public var roundTrip: UInt32

    public static let size = 8

    public init(dial: UInt32, roundTrip: UInt32) {
        self.dial = dial
        self.roundTrip = roundTrip
    }

    public var isDialled: Bool { dial != .max }
}
