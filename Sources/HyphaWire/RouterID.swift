/// Who originates a route: 40 bytes, compared as a whole. Two runs of a node that differ here are two origins.
///
/// | off | size | field |
/// |---|---|---|
/// | 0 | 32 | public key of the origin, which hashes to an address inside every prefix that it may announce |
/// | 32 | 2 | zone: zero, or a capability hint; carried unchanged by every relay |
/// | 34 | 6 | random, drawn when the identity of the origin's announcements starts afresh |
@frozen
public struct RouterID: Hashable, BitwiseCopyable, Sendable {
    /// Size in bytes.
    public static let size = 40
    /// Size in bytes of the public key in front.
    public static let keySize = 32

    /// The key as four big-endian numbers.
    @usableFromInline let key0: UInt64
    @usableFromInline let key1: UInt64
    @usableFromInline let key2: UInt64
    @usableFromInline let key3: UInt64
    /// Zone in the upper 16 bits, random part in the lower 48.
    @usableFromInline let tail: UInt64

    /// From exactly 40 bytes, else nil.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == RouterID.size else { return nil }
        var words: (UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0)
        for (i, byte) in bytes.enumerated() {
            let value = UInt64(byte)
            switch i / 8 {
            case 0: words.0 = words.0 &<< 8 | value
            case 1: words.1 = words.1 &<< 8 | value
            case 2: words.2 = words.2 &<< 8 | value
            case 3: words.3 = words.3 &<< 8 | value
            default: words.4 = words.4 &<< 8 | value
            }
        }
        (key0, key1, key2, key3, tail) = words
    }

    /// From a public key of 32 bytes, else nil. Only the low 48 bits of `random` are used.
    public init?(key: some Collection<UInt8>, zone: UInt16, random: UInt64) {
        guard key.count == RouterID.keySize else { return nil }
        let tail = UInt64(zone) << 48 | random & 0xFFFF_FFFF_FFFF
        var bytes = Array(key)
        for shift in stride(from: 56 as UInt64, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: tail &>> shift))
        }
        self.init(bytes: bytes)
    }

    /// The next 40 bytes, nil when fewer are left.
    init?(reading reader: inout ByteReader) {
        guard let bytes = reader.take(RouterID.size) else { return nil }
        var words = ByteReader(bytes)
        guard let key0 = words.load(UInt64.self), let key1 = words.load(UInt64.self),
            let key2 = words.load(UInt64.self), let key3 = words.load(UInt64.self), let tail = words.load(UInt64.self)
        else { return nil }
        self.key0 = UInt64(bigEndian: key0)
        self.key1 = UInt64(bigEndian: key1)
        self.key2 = UInt64(bigEndian: key2)
        self.key3 = UInt64(bigEndian: key3)
        self.tail = UInt64(bigEndian: tail)
    }

    /// Appends the 40 bytes.
    func append(to bytes: inout [UInt8]) {
        bytes.appendNetworkUInt64(key0)
        bytes.appendNetworkUInt64(key1)
        bytes.appendNetworkUInt64(key2)
        bytes.appendNetworkUInt64(key3)
        bytes.appendNetworkUInt64(tail)
    }

    /// The 40 bytes.
    public var bytes: [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(RouterID.size)
        append(to: &out)
        return out
    }

    /// The 32 bytes of the public key.
    public var key: [UInt8] { Array(bytes.prefix(RouterID.keySize)) }

    public var zone: UInt16 { UInt16(truncatingIfNeeded: tail >> 48) }

    /// The random part, below 2^48.
    public var random: UInt64 { tail & 0xFFFF_FFFF_FFFF }

    /// Whether both belong to the same public key.
    @inlinable
    public func hasSameKey(as other: RouterID) -> Bool {
        key0 == other.key0 && key1 == other.key1 && key2 == other.key2 && key3 == other.key3
    }
}
