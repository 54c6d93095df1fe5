public import HyphaBase

/// One receive: a datagram, a train of equal datagrams, a packet or super-packet from the TUN, or bytes of a stream.
@frozen
public struct Arrival: BitwiseCopyable {
    @frozen
    public enum Source: UInt8, BitwiseCopyable, Sendable {
        case udp, tun, stream
    }
    public var source: Source
    /// UDP socket number at the rim.
    public var socket: UInt8
    /// Bytes of every datagram but the last; 0 for a single one. Never set for the TUN and streams.
    public var segmentSize: UInt16
    /// The receiver of the arrival owns one reference on this buffer.
    public var buffer: UInt32
    /// First byte: of the datagram, of the TUN's 10-byte virtio header, or of the next bytes of the stream.
    public var offset: UInt32
    /// Bytes from `offset` on, virtio header included.
    public var length: UInt32
    /// Sender of a UDP arrival.
    public var sender: SocketAddress
    /// Connection of a stream's bytes.
    public var connection: UInt32

    public init(
        source: Source, buffer: UInt32, offset: UInt32, length: UInt32, segmentSize: UInt16 = 0,
        socket: UInt8 = 0, sender: SocketAddress = SocketAddress(address: IPv6Address(high: 0, low: 0), port: 0),
        connection: UInt32 = 0
    ) {
        self.source = source
        self.socket = socket
        self.segmentSize = segmentSize
        self.buffer = buffer
        self.offset = offset
        self.length = length
        self.sender = sender
        self.connection = connection
    }
}

/// Packets in and out of a worker. The rim's version drives io_uring, the tests' version moves memory.
///
/// One call per batch or train, so that an unspecialised call costs nothing per packet. Single-threaded.
public protocol PacketIO: ~Copyable {
    /// Moves up to `arrivals.count` finished receives into `arrivals` and returns how many. Also takes finished sends
    /// back: releases their buffers and counts `sent`, `delivered`, or the drop reasons `sendFailed`, `tunFailed`.
    mutating func receive(into arrivals: UnsafeMutableBufferPointer<Arrival>) -> Int

    /// Queues a UDP train and takes over its references. False when the queue is full: nothing was taken.
    mutating func transmit(_ train: borrowing Train) -> Bool

    /// Queues one packet or super-packet for the TUN, virtio header in front, and takes over its references.
    /// False when there is no TUN or the queue is full: nothing was taken.
    mutating func deliver(_ train: borrowing Train) -> Bool

    /// Packets queued and not yet finished (they are "waiting" in the conservation law).
    var inFlight: Int { get }

    /// True when there is a TUN to deliver to.
    var hasTun: Bool { get }

    /// Hands everything queued to the kernel.
    mutating func submit()
}

extension Arrival {
    /// Datagrams in it; 1 for a read of the TUN or of a stream.
    @inlinable
    public var packetCount: Int {
        segmentSize == 0 ? 1 : (Int(length) &+ Int(segmentSize) &- 1) / Int(segmentSize)
    }
}
