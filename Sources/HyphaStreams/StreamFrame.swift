public import HyphaPacket
public import HyphaWire

/// One whole frame in packet memory. It holds one reference on its buffer, which whoever takes the frame releases.
@frozen
public struct StreamFrame: BitwiseCopyable, Sendable {
    public var kind: StockFrame.Kind
    public var buffer: UInt32
    /// First byte of the packet header.
    public var offset: UInt32
    /// All bytes, packet header included.
    public var length: UInt32

    @inlinable @inline(__always)
    public init(kind: StockFrame.Kind, buffer: UInt32, offset: UInt32, length: UInt32) {
        self.kind = kind
        self.buffer = buffer
        self.offset = offset
        self.length = length
    }

    /// The frame's bytes in `pool`.
    @inlinable @inline(__always)
    public func bytes(in pool: PacketPool) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: pool.base(buffer) + Int(offset), count: Int(length))
    }
}

/// What a stream gives next.
@frozen
public enum StreamEvent: BitwiseCopyable, Sendable {
    case frame(StreamFrame)
    /// All bytes received so far are used up.
    case exhausted
    /// The connection must be closed; nothing more comes out of it.
    case failed(StreamEnd)
}
