/// The frames of a stock byte stream: what stands in front of every packet on a TCP link between Mycelium nodes.
/// Network byte order.
///
/// | off | size | field |
/// |---|---|---|
/// | 0 | 1 | version, 1; any other ends the connection |
/// | 1 | 1 | type: 0 data, 1 control; any other ends the connection |
/// | 2 | 2 | reserved: sent as 0, ignored |
///
/// Then a data packet (`StockData`), or for control a Babel packet:
///
/// | off | size | field |
/// |---|---|---|
/// | 4 | 1 | magic 42 |
/// | 5 | 1 | version 3 |
/// | 6 | 2 | body length |
/// | 8 | | body: exactly one TLV when sent |
public enum StockFrame {
    public static let version: UInt8 = 1
    /// Bytes of the packet header.
    public static let headerSize = 4
    /// Bytes in front of the body of a control frame.
    public static let controlHeaderSize = 8
    /// From this many bytes on `scan` knows the length of any frame.
    public static let lengthKnownAt = 8
    public static let babelMagic: UInt8 = 42
    public static let babelVersion: UInt8 = 3
    /// A control body shorter than a TLV's type and length says nothing.
    public static let minControlBody = 2

    @frozen
    public enum Kind: UInt8, BitwiseCopyable, Sendable {
        case data = 0
        case control = 1
    }

    /// What the beginning of a stream holds. Lengths are those of whole frames, header included.
    @frozen
    public enum Scan: Equatable, Sendable {
        /// Fewer bytes than tell.
        case incomplete
        case data(length: Int)
        case control(length: Int)
        /// A control frame to pass over: not Babel version 3, or a body without a whole TLV header.
        case meaningless(length: Int)
        /// The stream cannot be followed any more.
        case badVersion
        case badType
    }

    /// Reads the first `count` bytes of a frame. A bad version or type is known as soon as its byte is there.
    @inlinable
    public static func scan(_ bytes: UnsafeRawPointer, count: Int) -> Scan {
        guard count >= 1 else { return .incomplete }
        guard bytes.load(as: UInt8.self) == version else { return .badVersion }
        guard count >= 2 else { return .incomplete }
        guard let kind = Kind(rawValue: bytes.load(fromByteOffset: 1, as: UInt8.self)) else { return .badType }
        guard count >= lengthKnownAt else { return .incomplete }
        switch kind {
        case .data: return .data(length: StockData.headerSize &+ StockData.payloadLength(bytes))
        case .control:
            let body = Int(UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 6, as: UInt16.self)))
            let length = controlHeaderSize &+ body
            guard bytes.load(fromByteOffset: 4, as: UInt8.self) == babelMagic,
                bytes.load(fromByteOffset: 5, as: UInt8.self) == babelVersion, body >= minControlBody
            else { return .meaningless(length: length) }
            return .control(length: length)
        }
    }

    /// The body of a whole control frame as `scan` found it; nil when `frame` is not one.
    @inlinable
    public static func controlBody(_ frame: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard let base = frame.baseAddress, case .control(let length) = scan(base, count: frame.count),
            length == frame.count
        else { return nil }
        return UnsafeRawBufferPointer(rebasing: frame[controlHeaderSize...])
    }

    /// Writes the 8 bytes in front of a control body of `bodyLength` bytes.
    @inlinable @inline(__always)
    public static func writeControlHeader(_ bytes: UnsafeMutableRawPointer, bodyLength: UInt16) {
        bytes.storeBytes(of: UInt32(0x0101_0000).bigEndian, as: UInt32.self)
        let second = UInt32(babelMagic) &<< 24 | UInt32(babelVersion) &<< 16 | UInt32(bodyLength)
        bytes.storeBytes(of: second.bigEndian, toByteOffset: 4, as: UInt32.self)
    }

    /// Bytes of a control frame with an IHU that has no address.
    public static let ihuSize = 16

    /// Writes one: what a stock node gets for each Hello. `interval` in centiseconds.
    @inlinable @inline(__always)
    public static func writeIHU(_ bytes: UnsafeMutableRawPointer, receiveCost: UInt16, interval: UInt16) {
        writeControlHeader(bytes, bodyLength: 8)
        // Type 5, 6 bytes, no address, reserved.
        bytes.storeBytes(of: UInt32(0x0506_0000).bigEndian, toByteOffset: 8, as: UInt32.self)
        let fields = UInt32(receiveCost) &<< 16 | UInt32(interval)
        bytes.storeBytes(of: fields.bigEndian, toByteOffset: 12, as: UInt32.self)
    }

    /// A control frame around one TLV, type and length included; nil above 65,535 bytes.
    public static func control(_ tlv: [UInt8]) -> [UInt8]? {
        guard let length = UInt16(exactly: tlv.count) else { return nil }
        var frame = [UInt8](repeating: 0, count: controlHeaderSize)
        frame.withUnsafeMutableBytes { bytes in
            if let base = bytes.baseAddress { writeControlHeader(base, bodyLength: length) }
        }
        return frame + tlv
    }
}
