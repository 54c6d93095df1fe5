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
    /// Data packets that wait for a peer, those under way in the kernel included. More push out the oldest of the largest
    /// flow.
    public var dataPackets = 256
    /// Bytes of the same.
    public var dataBytes = 512 * 1_024
    /// Control frames that wait; more are refused.
    public var controlFrames = 512
    public var controlBytes = 64 * 1_024
    /// Bytes handed to the kernel in one write. Control that comes later waits for at most these.
    public var writeBytes = 64 * 1_024

    public init() {}
}
