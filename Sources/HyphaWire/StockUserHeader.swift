/// The first 4 bytes of the plaintext of a stock payload.
///
/// | off | size | field |
/// |---|---|---|
/// | 0 | 1 | version, 1 |
/// | 1 | 1 | kind |
/// | 2 | 2 | zero and ignored by stock nodes; `NativeMark` when one of ours sends |
public enum StockUserHeader {
    public static let size = 4
    public static let version: UInt8 = 1

    /// What the content is. Stock nodes drop other numbers silently.
    @frozen
    public enum Kind: UInt8, BitwiseCopyable, Sendable {
        /// A whole IPv6 packet.
        case ipv6 = 0
        /// `StockMessage`.
        case message = 1
        /// `StockICMP`.
        case icmp = 2
    }

    /// The 4 bytes at `bytes`; nil for another version or kind.
    @inlinable @inline(__always)
    public static func parse(_ bytes: UnsafeRawPointer) -> (kind: Kind, mark: NativeMark?)? {
        guard bytes.load(as: UInt8.self) == version,
            let kind = Kind(rawValue: bytes.load(fromByteOffset: 1, as: UInt8.self))
        else { return nil }
        let mark = NativeMark(
            bytes.load(fromByteOffset: 2, as: UInt8.self), bytes.load(fromByteOffset: 3, as: UInt8.self))
        return (kind, mark)
    }

    @inlinable @inline(__always)
    public static func write(_ bytes: UnsafeMutableRawPointer, kind: Kind, mark: NativeMark?) {
        var word = UInt32(version) &<< 24 | UInt32(kind.rawValue) &<< 16
        if let mark { word |= UInt32(NativeMark.first) &<< 8 | UInt32(mark.capabilities) }
        bytes.storeBytes(of: word.bigEndian, as: UInt32.self)
    }
}
