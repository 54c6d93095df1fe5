/// When a key is renewed and when it ends (docs/protocol.md, "Timers and limits").
public enum SessionLimits {
    /// The initiator of a session renews it at this age.
    public static let rekeyAfterMilliseconds: UInt64 = 120_000
    /// The responder renews it at this age if it still sends.
    public static let responderRekeyAfterMilliseconds: UInt64 = 130_000
    /// No packet is sealed or opened at this age or later.
    public static let rejectAfterMilliseconds: UInt64 = 180_000

    /// A lane that reaches this counter asks for a new session.
    @inlinable @inline(__always)
    public static func rekeyCounter(suite: UInt8) -> UInt64 { suite == 2 ? 1 &<< 28 : 1 &<< 48 }

    /// The first counter that is neither sent nor accepted.
    @inlinable @inline(__always)
    public static func rejectCounter(suite: UInt8) -> UInt64 { suite == 2 ? 1 &<< 32 : 1 &<< 50 }

    /// Failed opens under one key that ask for a new session.
    @inlinable @inline(__always)
    public static func rekeyFailures(suite: UInt8) -> UInt64 { suite == 2 ? 1 &<< 28 : 1 &<< 32 }

    /// Failed opens that end the key.
    public static let rejectFailures: UInt64 = 1 << 36

    /// Packets a second on one lane from which on its replay window is the large one.
    public static let fastLaneRate: UInt32 = 50_000
    /// Packets a second on an end-to-end lane from which on its window is no longer the quiet one.
    public static let activeLaneRate: UInt32 = 256
}
