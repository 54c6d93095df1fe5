/// The first bytes of every HL1 datagram (docs/protocol.md, "HL1 messages").
///
/// | off | size | field |
/// |---|---|---|
/// | 0 | 1 | type |
/// | 1 | 1 | version (types 1 to 3, 7 to 9) or lane (types 4 to 6) |
/// | 2 | 2 | zero, but for INIT and RESP (data suites) |
/// | 4 | 4 | receiver index, little-endian (types 4 to 6) |
/// | 8 | 8 | counter, little-endian (types 4 to 6) |
public enum LinkHeader {
    /// Bytes of the header of types 4 to 6.
    public static let size = 16
    /// Bytes of an authentication tag.
    public static let tagSize = 16
    /// The only protocol version.
    public static let version: UInt8 = 1

    /// Datagram types.
    @frozen
    public enum Kind: UInt8, Sendable {
        case initiation = 1
        case response = 2
        case cookie = 3
        case full = 4
        case header = 5
        case fragment = 6
        case resetHint = 7
        case who = 8
        case here = 9
    }

    public static let initiationSize = 168
    public static let responseSize = 148
    public static let cookieSize = 64
    /// Shortest type 4: header and tag around nothing.
    public static let fullMinimum = 32
    /// Shortest type 5: header, routing header, tag, and the end-to-end tag of an empty body.
    public static let headerMinimum = 96
    /// Shortest type 6: header, head of the piece, one byte of it, tag.
    public static let fragmentMinimum = 37
    /// Bytes between the header of a type 6 and its piece: id 2, part 1, total 1.
    public static let fragmentHeadSize = 4
    /// Largest packet (routing header and body) that goes in pieces.
    public static let fragmentedMaximum = 4_096

    /// What a first look at a datagram finds.
    @frozen
    public enum Check: Equatable, Sendable {
        /// Type 4.
        case full
        /// Type 5.
        case header
        /// Type 6.
        case fragment
        case handshake
        case unsupported
        case badLength
        case badType
    }

    /// Type, version, reserved bytes and length of a datagram of `length` bytes; the cheapest test, before any key.
    @inlinable @inline(__always)
    public static func check(_ bytes: UnsafeRawPointer, length: Int) -> Check {
        guard length >= 4 else { return .badLength }
        let word = UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self))
        let reservedIsZero = word &>> 16 == 0
        switch UInt8(truncatingIfNeeded: word) {
        case Kind.full.rawValue:
            guard length >= fullMinimum else { return .badLength }
            return reservedIsZero ? .full : .badType
        case Kind.header.rawValue:
            guard length >= headerMinimum else { return .badLength }
            return reservedIsZero ? .header : .badType
        default:
            return checkOther(word, length: length)
        }
    }

    @usableFromInline @inline(never)
    static func checkOther(_ word: UInt32, length: Int) -> Check {
        let version = UInt8(truncatingIfNeeded: word &>> 8)
        let reservedIsZero = word &>> 16 == 0
        guard let kind = Kind(rawValue: UInt8(truncatingIfNeeded: word)) else { return .badType }
        let exact: Int
        switch kind {
        case .full, .header: return .badType
        case .fragment:
            guard length >= fragmentMinimum else { return .badLength }
            return reservedIsZero ? .fragment : .badType
        case .initiation: exact = initiationSize
        case .response: exact = responseSize
        case .cookie: exact = cookieSize
        case .resetHint: exact = 32
        case .who: exact = 168
        case .here: exact = 88
        }
        guard length == exact else { return .badLength }
        guard version == LinkHeader.version else { return .badType }
        switch kind {
        case .initiation: return .handshake
        // Byte 3 of a RESP and bytes 2 and 3 of all others are zero.
        case .response: return word &>> 24 == 0 ? .handshake : .badType
        case .cookie: return reservedIsZero ? .handshake : .badType
        default: return reservedIsZero ? .unsupported : .badType
        }
    }

    @inlinable @inline(__always)
    public static func lane(_ bytes: UnsafeRawPointer) -> UInt8 { bytes.load(fromByteOffset: 1, as: UInt8.self) }

    @inlinable @inline(__always)
    public static func index(_ bytes: UnsafeRawPointer) -> UInt32 {
        UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
    }

    @inlinable @inline(__always)
    public static func counter(_ bytes: UnsafeRawPointer) -> UInt64 {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }

    /// Writes the 16 bytes of a type 4, 5 or 6 header.
    @inlinable @inline(__always)
    public static func write(
        _ bytes: UnsafeMutableRawPointer, type: UInt8, lane: UInt8, index: UInt32, counter: UInt64
    ) {
        let first = UInt64(type) | UInt64(lane) &<< 8 | UInt64(index) &<< 32
        bytes.storeBytes(of: first.littleEndian, as: UInt64.self)
        bytes.storeBytes(of: counter.littleEndian, toByteOffset: 8, as: UInt64.self)
    }
}
