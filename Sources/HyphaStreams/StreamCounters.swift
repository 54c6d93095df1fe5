/// What happened on connections, in frames unless the name says bytes.
///
/// Law, per connection and in all: queued = written + displaced + discarded + waiting, for data; for control the same
/// without displaced.
@frozen
public struct StreamCounters: Equatable, Sendable {
    public var receivedBytes: UInt64 = 0
    public var dataReceived: UInt64 = 0
    public var controlReceived: UInt64 = 0
    /// Passed over: control without meaning.
    public var meaningless: UInt64 = 0
    /// Passed over: longer than 64 KiB.
    public var tooLong: UInt64 = 0
    /// Passed over: no buffer to assemble it in.
    public var unbuffered: UInt64 = 0
    public var writtenBytes: UInt64 = 0
    public var dataQueued: UInt64 = 0
    public var controlQueued: UInt64 = 0
    public var dataWritten: UInt64 = 0
    public var controlWritten: UInt64 = 0
    /// Data pushed out by younger data of a link, or by the shortage of packet memory.
    public var dataDisplaced: UInt64 = 0
    /// Waiting when the link closed.
    public var dataDiscarded: UInt64 = 0
    public var controlDiscarded: UInt64 = 0
    /// Never queued: no room, no memory, or not safe for a stock peer.
    public var dataRefused: UInt64 = 0
    public var controlRefused: UInt64 = 0

    public init() {}

    public static func += (a: inout StreamCounters, b: StreamCounters) {
        a.receivedBytes &+= b.receivedBytes
        a.dataReceived &+= b.dataReceived
        a.controlReceived &+= b.controlReceived
        a.meaningless &+= b.meaningless
        a.tooLong &+= b.tooLong
        a.unbuffered &+= b.unbuffered
        a.writtenBytes &+= b.writtenBytes
        a.dataQueued &+= b.dataQueued
        a.controlQueued &+= b.controlQueued
        a.dataWritten &+= b.dataWritten
        a.controlWritten &+= b.controlWritten
        a.dataDisplaced &+= b.dataDisplaced
        a.dataDiscarded &+= b.dataDiscarded
        a.controlDiscarded &+= b.controlDiscarded
        a.dataRefused &+= b.dataRefused
        a.controlRefused &+= b.controlRefused
    }
}
