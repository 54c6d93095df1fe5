public import HyphaBase

/// A native end-to-end packet (routing types 0 to 3) as the payload of a stock data frame, for paths that lead over TCP
/// links. Hop limit, source and destination stand in the frame's header. Relays pass it on unread.
///
/// | off | size | field |
/// |---|---|---|
/// | 0 | 4 | 48 45 31 01 |
/// | 4 | 16 | the first 16 bytes of the routing header, flags and hop limit zero |
/// | 20 | | body |
public enum NativePayload {
    /// Bytes in front of the body.
    public static let headerSize = 20
    /// Bytes in front of the body in a frame.
    public static let frameHeaderSize = StockData.headerSize + headerSize
    public static let magic: UInt32 = 0x4845_3101

    /// Whether a payload is native. One stock payload in 2^32 looks like it: what then fails is tried as a stock body.
    @inlinable @inline(__always)
    public static func isNative(_ payload: UnsafeRawPointer, length: Int) -> Bool {
        length >= headerSize && UInt32(bigEndian: payload.loadUnaligned(as: UInt32.self)) == magic
            && payload.load(fromByteOffset: 4, as: UInt8.self) &>> 4 <= RoutingHeader.Kind.cookie.rawValue
    }

    /// Writes the 60 bytes of frame and payload header at `frame` from the 48 bytes at `routing`, which may overlap. The
    /// body of `bodyLength` bytes belongs at `frame` + 60. False, and nothing written, when the packet is not of types 0
    /// to 3 or too long for a frame.
    @inlinable
    public static func write(
        _ frame: UnsafeMutableRawPointer, from routing: UnsafeRawPointer, bodyLength: Int
    ) -> Bool {
        guard let kind = RoutingHeader.kind(routing), kind.rawValue <= RoutingHeader.Kind.cookie.rawValue,
            bodyLength >= 0, let payload = UInt16(exactly: headerSize &+ bodyLength)
        else { return false }
        // Byte 0 without flags, byte 1 without hop limit.
        let first = UInt64(littleEndian: routing.loadUnaligned(as: UInt64.self)) & ~0xFF0F
        let counter = routing.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
        let hopLimit = RoutingHeader.hopLimit(routing)
        let source = RoutingHeader.source(routing)
        let destination = RoutingHeader.destination(routing)
        StockData.write(
            frame, payloadLength: payload, hopLimit: hopLimit, source: source, destination: destination)
        frame.storeBytes(of: magic.bigEndian, toByteOffset: StockData.headerSize, as: UInt32.self)
        frame.storeBytes(of: first.littleEndian, toByteOffset: StockData.headerSize &+ 4, as: UInt64.self)
        frame.storeBytes(of: counter, toByteOffset: StockData.headerSize &+ 12, as: UInt64.self)
        return true
    }

    /// Writes the 48 bytes of the routing header at `routing` from the first 60 of a frame whose payload `isNative`; the
    /// two may overlap. Flags are zero, the hop limit is the frame's.
    @inlinable
    public static func writeRoutingHeader(_ routing: UnsafeMutableRawPointer, from frame: UnsafeRawPointer) {
        let word = UInt64(littleEndian: frame.loadUnaligned(fromByteOffset: StockData.headerSize &+ 4, as: UInt64.self))
        let first = word & ~0xFF0F | UInt64(StockData.hopLimit(frame)) &<< 8
        let counter = frame.loadUnaligned(fromByteOffset: StockData.headerSize &+ 12, as: UInt64.self)
        let source = StockData.source(frame)
        let destination = StockData.destination(frame)
        routing.storeBytes(of: first.littleEndian, as: UInt64.self)
        routing.storeBytes(of: counter, toByteOffset: 8, as: UInt64.self)
        source.store(to: routing + RoutingHeader.sourceOffset)
        destination.store(to: routing + RoutingHeader.destinationOffset)
    }

    /// Writes the 48 bytes of a type 4 routing header at `routing` from the 40 of a stock frame, which may overlap: its
    /// payload goes on over a native link unread.
    @inlinable
    public static func writeStockRoutingHeader(
        _ routing: UnsafeMutableRawPointer, from frame: UnsafeRawPointer, flowHash: UInt16
    ) {
        let hopLimit = StockData.hopLimit(frame)
        let source = StockData.source(frame)
        let destination = StockData.destination(frame)
        RoutingHeader.write(
            routing, kind: .stock, hopLimit: hopLimit, flowHash: flowHash, source: source, destination: destination)
    }

    /// Writes the 40 bytes of a stock frame at `frame` from a type 4 routing header, which may overlap. False, and nothing
    /// written, for other types and for bodies that no frame holds.
    @inlinable
    public static func writeStockFrame(
        _ frame: UnsafeMutableRawPointer, from routing: UnsafeRawPointer, bodyLength: Int
    ) -> Bool {
        guard RoutingHeader.kind(routing) == .stock, bodyLength >= 0, let payload = UInt16(exactly: bodyLength) else {
            return false
        }
        let hopLimit = RoutingHeader.hopLimit(routing)
        let source = RoutingHeader.source(routing)
        let destination = RoutingHeader.destination(routing)
        StockData.write(
            frame, payloadLength: payload, hopLimit: hopLimit, source: source, destination: destination)
        return true
    }
}
