/// What one connection and all connections of a worker may hold and how long they may wait. All times in milliseconds.
public struct StreamLimits: Equatable, Sendable {
    /// From the opening of a connection until its first whole frame. Stock nodes since 0.7.4 write one at once.
    public var firstFrameMilliseconds: UInt64 = 5_000
    /// Without a byte from the peer. Stock nodes say something every 20 s.
    public var idleMilliseconds: UInt64 = 65_000
    /// From the first byte of a frame to its last.
    public var frameMilliseconds: UInt64 = 30_000
    /// Without a byte taken by the peer while some wait.
    public var writeStallMilliseconds: UInt64 = 45_000
    /// Data packets that may wait for any peer, those under way in the kernel included, and their bytes. More push out the
    /// oldest of the largest flow, unless the peer takes all of it within `drainMilliseconds`.
    public var dataPackets = 256
    public var dataBytes = 512 * 1_024
    /// More may wait for a peer that takes it within this time by the rate measured last.
    public var drainMilliseconds = 5
    /// Slots that one link may hold, however fast it is.
    public var linkSlots = 8_192
    /// Data that has waited for longer is dropped, of the largest flow, on a link that takes some all the time.
    public var staleMilliseconds: UInt64 = 20
    /// A link that took nothing for as long while something waited has stopped: nothing becomes stale until it has gone on
    /// for `steadyMilliseconds`.
    public var stopMilliseconds: UInt64 = 50
    public var steadyMilliseconds: UInt64 = 100
    /// So many data packets are never stale.
    public var freshPackets = 16
    /// Control frames that wait; more are refused.
    public var controlFrames = 512
    public var controlBytes = 64 * 1_024
    /// Bytes handed to the kernel in one write. Control that comes later waits for at most these.
    public var writeBytes = 64 * 1_024

    public init() {}
}
