/// How forwarding numbers links: those over HL1 come first, then one for each place of a TCP connection.
///
/// | ids | link |
/// |---|---|
/// | 0 ..< firstStream | HL1, numbered by control |
/// | firstStream ..< firstStream + streams | TCP, by the low 16 bits of the connection's id |
///
/// The ids are those of next hops and of the router's neighbours, below 65,536.
@frozen
public struct LinkNumbering: Equatable, Sendable {
    public let firstStream: UInt32
    /// TCP connections at most.
    public let streams: UInt32

    public init(datagramLinks: Int, streams: Int) {
        firstStream = UInt32(clamping: max(0, min(datagramLinks, 65_535)))
        self.streams = UInt32(clamping: max(0, min(streams, 65_535 - Int(firstStream))))
    }

    /// Links of both kinds.
    public var count: Int { Int(firstStream) + Int(streams) }

    /// The link of a TCP connection.
    @inlinable @inline(__always)
    public func link(connection: UInt32) -> UInt32 { firstStream &+ connection & 0xFFFF }

    @inlinable @inline(__always)
    public func isStream(_ link: UInt32) -> Bool { link >= firstStream && link &- firstStream < streams }
}
