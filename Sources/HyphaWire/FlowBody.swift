/// The plaintext of an end-to-end body (docs/protocol.md, "HE1 data").
///
/// | off | size | field |
/// |---|---|---|
/// | 0 | 1 | kind in the low 4 bits, number of pad bytes in the high 4 |
/// | 1 | | content |
/// | end | pad | zero, not looked at |
///
/// Kind 0 is an IPv6 packet without what the routing header already says: its first 4 bytes, its next header, its
/// payload. Plaintexts under 256 bytes are padded to a multiple of 16.
public enum FlowBody {
    @frozen
    public enum Kind: UInt8, Sendable {
        case ipv6 = 0
        case message = 1
        case control = 2
    }

    /// Kind byte, first 4 bytes of the IPv6 header, next header: what stands before the payload in kind 0.
    public static let elidedSize = 6
    /// Bytes of the end-to-end tag.
    public static let tagSize = 16
    public static let ipv6HeaderSize = 40

    /// Pad bytes for a plaintext of `length` bytes (kind byte included).
    @inlinable @inline(__always)
    public static func padding(_ length: Int) -> Int { length < 256 ? -length & 15 : 0 }

    /// Wire bytes of the body of an inner packet of `length` bytes, tag included.
    @inlinable @inline(__always)
    public static func bodySize(innerLength: Int) -> Int {
        let plain = innerLength &- ipv6HeaderSize &+ elidedSize
        return plain &+ padding(plain) &+ tagSize
    }

    /// Content length of a plaintext of `length` bytes whose first byte is `first`; nil when it has more pad than room.
    @inlinable @inline(__always)
    public static func contentLength(first: UInt8, length: Int) -> Int? {
        let content = length &- 1 &- Int(first &>> 4)
        return content >= 0 ? content : nil
    }
}
