/// What became of frames of all connections since the last look.
@frozen
public struct StreamTally: Equatable, Sendable {
    /// Whole frames that the kernel took.
    public var written = 0
    /// Data pushed out of a queue by younger data, or by the shortage of packet memory.
    public var displaced = 0
    /// Waiting when the link closed.
    public var discarded = 0
    /// Received and passed over: control without meaning, longer than 64 KiB, no buffer to assemble it in.
    public var meaningless = 0
    public var tooLong = 0
    public var unbuffered = 0

    public init() {}
}
