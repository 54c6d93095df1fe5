public import HyphaBase

/// Packets that leave together: equal-size datagrams for one UDP destination (the last may be shorter), or one packet
/// or super-packet for the TUN.
///
/// The pieces, in order, are the bytes to send. Each piece holds one reference on its buffer, which `PacketIO` takes
/// over in `transmit` and releases when the kernel is done.
@frozen
public struct Train {
    /// One stretch of memory.
    @frozen
    public struct Piece: BitwiseCopyable {
        public var buffer: UInt32
        public var offset: UInt32
        public var length: UInt32
        @inlinable @inline(__always)
        public init(buffer: UInt32, offset: UInt32, length: UInt32) {
            self.buffer = buffer
            self.offset = offset
            self.length = length
        }
    }

    /// Most datagrams in one train (UDP_MAX_SEGMENTS of current kernels).
    public static let maxPackets = 128
    /// Most bytes in one train: under the 65,507 of a UDP datagram.
    public static let maxBytes = 65_000
    /// Most pieces: one per packet.
    public static let maxPieces = 128

    /// The UDP socket's number at the rim.
    public var socket: UInt8 = 0
    /// Where a UDP train goes.
    public var destination = SocketAddress(address: IPv6Address(high: 0, low: 0), port: 0)
    /// Bytes of every datagram but the last.
    public var segmentSize = 0
    /// All bytes.
    public var totalLength = 0
    public var packetCount = 0
    public var pieceCount = 0
    /// Room for `maxPieces` pieces.
    public let pieces: UnsafeMutablePointer<Piece>

    public init() {
        pieces = .allocate(capacity: Train.maxPieces)
        pieces.initialize(repeating: Piece(buffer: 0, offset: 0, length: 0), count: Train.maxPieces)
    }

    public func deallocate() { pieces.deallocate() }

    @inlinable @inline(__always)
    public var isEmpty: Bool { packetCount == 0 }

    /// Forgets the pieces without releasing them.
    @inlinable @inline(__always)
    public mutating func clear() {
        packetCount = 0
        pieceCount = 0
        totalLength = 0
        segmentSize = 0
    }
}
