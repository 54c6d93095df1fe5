public import HyphaBase

/// TCP connections beside the packets of a worker. Single-threaded.
///
/// A connection's id is its place (low 16 bits, below the cap on connections) and the number of earlier uses of that
/// place (high 16 bits): tables may be indexed by place, and a stale id is recognised. What is asked for a stale id is
/// not done.
///
/// After every `receive`: first the arrivals, then `takeConnectionEvents` until it returns 0. Bytes that came before
/// an end are then seen before it, and a connection is known before its bytes: nothing is received on it until its
/// `connected` or `accepted` was taken.
public protocol StreamIO: PacketIO, ~Copyable {
    /// Moves up to `events.count` events into `events` and returns how many. Of each connection in order.
    mutating func takeConnectionEvents(into events: UnsafeMutableBufferPointer<ConnectionEvent>) -> Int

    /// Begins to connect and returns the new connection's id; nil when there are as many connections as there may be.
    mutating func connect(to address: SocketAddress) -> UInt32?

    /// Queues a write of the pieces' bytes, in order, and takes over one reference for each piece. At most
    /// `maxWritePieces`. False when the connection is not open or a write is under way, which lasts until its `written`
    /// was taken: nothing was taken over.
    mutating func write(_ connection: UInt32, _ pieces: UnsafeBufferPointer<Train.Piece>) -> Bool

    /// Writes at once as much of the pieces' bytes as the connection takes without waiting, and returns how many bytes.
    /// Takes over nothing. 0 as well when the connection is not open or a write is under way; when it turns out to be
    /// broken, `closed` follows. At most `maxWritePieces`.
    mutating func offer(_ connection: UInt32, _ pieces: UnsafeBufferPointer<Train.Piece>) -> Int

    /// Stops receiving: what the peer sends waits in the kernel, and then at the peer. What is received already may
    /// still arrive; that the peer ended is noticed after `resumeReceive`, or by a write.
    mutating func pauseReceive(_ connection: UInt32)

    /// Receives again after `pauseReceive`.
    mutating func resumeReceive(_ connection: UInt32)

    /// How many bytes the kernel may hold of a connection that it has not sent once; `leastUnsent` at first. One system call.
    mutating func limitUnsent(_ connection: UInt32, _ bytes: Int)

    /// Ends a connection: tells the peer, with FIN behind all bytes that the kernel has taken, or with RST, which
    /// throws those away. Nothing arrives on it any more; `written` for a write under way and `closed` follow.
    mutating func close(_ connection: UInt32, reset: Bool)

    /// The kernel's smoothed round-trip time in microseconds; nil when the connection is not open. One system call.
    func roundTripTime(_ connection: UInt32) -> UInt32?

    /// The shortest round trip that the kernel measured in the last minutes (Linux: five), in microseconds; nil when the
    /// connection is not open. One system call.
    func leastRoundTripTime(_ connection: UInt32) -> UInt32?
}

extension StreamIO where Self: ~Copyable {
    /// Pieces of one write at most.
    @inlinable
    public static var maxWritePieces: Int { 64 }

    /// Bytes that the kernel may hold unsent of a new connection.
    @inlinable
    public static var leastUnsent: Int { 131_072 }

    /// Nothing: all connections hold the same.
    public mutating func limitUnsent(_ connection: UInt32, _ bytes: Int) {}

    /// Nothing: everything goes by `write`.
    public mutating func offer(_ connection: UInt32, _ pieces: UnsafeBufferPointer<Train.Piece>) -> Int { 0 }

    /// Of a connection's id, the part below the cap on connections.
    @inlinable @inline(__always)
    public static func place(of connection: UInt32) -> Int { Int(connection & 0xFFFF) }
}
