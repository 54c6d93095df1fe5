/// The body of a routing type 5 packet: a relay's hint that a packet did not pass (docs/protocol.md, "Error body").
///
/// | off | size | field |
/// |---|---|---|
/// | 0 | 1 | code |
/// | 1 | 1 | zero, not looked at |
/// | 2 | 2 | value: largest end-to-end body for `tooBig`, else 0 |
/// | 4 | 48 | routing header of the failed packet as it arrived |
public enum ErrorBody {
    public static let size = 52
    public static let quoteOffset = 4

    @frozen
    public enum Code: UInt8, Sendable {
        case noRoute = 0
        case hopLimit = 1
        case tooBig = 2
        case unknownSession = 3
    }

    /// Writes the 52 bytes; `failed` is the failed packet's routing header.
    @inlinable
    public static func write(_ bytes: UnsafeMutableRawPointer, code: Code, value: UInt16, failed: UnsafeRawPointer) {
        bytes.storeBytes(of: code.rawValue, as: UInt8.self)
        bytes.storeBytes(of: 0, toByteOffset: 1, as: UInt8.self)
        bytes.storeBytes(of: value.littleEndian, toByteOffset: 2, as: UInt16.self)
        (bytes + quoteOffset).copyMemory(from: failed, byteCount: RoutingHeader.size)
    }

    /// Code and value of a body of exactly 52 bytes that quotes a packet of types 0 to 3; else nil.
    @inlinable
    public static func parse(_ bytes: UnsafeRawPointer, length: Int) -> (code: Code, value: UInt16)? {
        guard length == size, let code = Code(rawValue: bytes.load(as: UInt8.self)),
            let kind = RoutingHeader.kind(bytes + quoteOffset), kind.rawValue <= RoutingHeader.Kind.cookie.rawValue
        else { return nil }
        return (code, UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
    }
}
