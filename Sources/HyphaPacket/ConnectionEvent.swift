public import HyphaBase

/// What happened to one TCP connection.
///
/// A connection's life: `connected` or `accepted`, then one `written` for each write, then one `closed`. A dial that
/// fails has `closed` only. After `closed` its id means nothing any more.
@frozen
public struct ConnectionEvent: BitwiseCopyable, Sendable {
    @frozen
    public enum Kind: BitwiseCopyable, Sendable, Equatable {
        /// A dial reached the other side.
        case connected(local: SocketAddress, remote: SocketAddress)
        /// A new connection came in on the listener of this number.
        case accepted(listener: UInt8, local: SocketAddress, remote: SocketAddress)
        /// The write that was under way ended: the kernel took that many of its bytes from the front, fewer than it
        /// was given when its queue is full, none when the connection is broken. The next write may follow.
        case written(Int)
        /// The connection is gone. 0 after an orderly end by either side, else the errno value that ended it.
        case closed(Int32)
    }

    public var connection: UInt32
    public var kind: Kind

    @inlinable @inline(__always)
    public init(connection: UInt32, kind: Kind) {
        self.connection = connection
        self.kind = kind
    }
}
