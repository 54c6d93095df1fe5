public import HyphaBase

/// A data frame of a stock byte stream, packet header included. Network byte order.
///
/// | off | size | field |
/// |---|---|---|
/// | 0 | 4 | packet header (`StockFrame`), type 0 |
/// | 4 | 1 | reserved: sent as 0, ignored |
/// | 5 | 2 | payload length |
/// | 7 | 1 | hop limit |
/// | 8 | 16 | source |
/// | 24 | 16 | destination |
/// | 40 | | payload (`StockPayload`), which relays do not read |
///
/// Nothing of the header is authenticated end to end.
public enum StockData {
    public static let headerSize = 40
    public static let hopLimitOffset = 7
    public static let sourceOffset = 8
    public static let destinationOffset = 24
    public static let maxPayload = 65_535
    /// Largest payload that stock nodes make themselves (an inner packet of 1,400 bytes). Larger ones pass TCP links, but
    /// break a QUIC link, and a sender does not see which links lie on the way.
    public static let commonPayload = 1_432
    /// Hop limit of packets that a node makes itself, before its own step.
    public static let defaultHopLimit: UInt8 = 64

    @inlinable @inline(__always)
    public static func payloadLength(_ frame: UnsafeRawPointer) -> Int {
        Int(UInt16(bigEndian: frame.loadUnaligned(fromByteOffset: 5, as: UInt16.self)))
    }

    @inlinable @inline(__always)
    public static func hopLimit(_ frame: UnsafeRawPointer) -> UInt8 {
        frame.load(fromByteOffset: hopLimitOffset, as: UInt8.self)
    }

    @inlinable @inline(__always)
    public static func setHopLimit(_ frame: UnsafeMutableRawPointer, _ value: UInt8) {
        frame.storeBytes(of: value, toByteOffset: hopLimitOffset, as: UInt8.self)
    }

    @inlinable @inline(__always)
    public static func source(_ frame: UnsafeRawPointer) -> IPv6Address { IPv6Address(loading: frame + sourceOffset) }

    @inlinable @inline(__always)
    public static func destination(_ frame: UnsafeRawPointer) -> IPv6Address {
        IPv6Address(loading: frame + destinationOffset)
    }

    /// Writes all 40 bytes.
    @inlinable @inline(__always)
    public static func write(
        _ frame: UnsafeMutableRawPointer, payloadLength: UInt16, hopLimit: UInt8, source: IPv6Address,
        destination: IPv6Address
    ) {
        frame.storeBytes(of: UInt32(0x0100_0000).bigEndian, as: UInt32.self)
        let second = UInt32(payloadLength) &<< 8 | UInt32(hopLimit)
        frame.storeBytes(of: second.bigEndian, toByteOffset: 4, as: UInt32.self)
        source.store(to: frame + sourceOffset)
        destination.store(to: frame + destinationOffset)
    }

    /// The hop limit after one step, nil when the packet ends here instead. Every node takes the step, origin and
    /// destination too: an inner 64 is 63 on the first link.
    @inlinable @inline(__always)
    public static func stepped(_ hopLimit: UInt8) -> UInt8? { hopLimit < 2 ? nil : hopLimit &- 1 }

    /// A data frame, 40 bytes and payload; nil above 65,535 bytes of payload.
    public static func frame(
        _ payload: [UInt8], hopLimit: UInt8, source: IPv6Address, destination: IPv6Address
    ) -> [UInt8]? {
        guard let length = UInt16(exactly: payload.count) else { return nil }
        var frame = [UInt8](repeating: 0, count: headerSize)
        frame.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            write(base, payloadLength: length, hopLimit: hopLimit, source: source, destination: destination)
        }
        return frame + payload
    }
}
