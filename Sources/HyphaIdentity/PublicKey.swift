public import HyphaBase

/// A node's X25519 public key: who it is. 32 bytes, ordered as byte strings from byte 0.
public struct PublicKey: Hashable, Comparable, Sendable {
    /// Size in bytes.
    public static let size = 32

    /// The bytes as four big-endian numbers, so that comparing the numbers compares the bytes.
    private let a: UInt64
    private let b: UInt64
    private let c: UInt64
    private let d: UInt64

    /// From exactly 32 bytes, else nil. Any 32 bytes are a key; those without a usable shared secret fail in the
    /// handshake.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == PublicKey.size else { return nil }
        var words = InlineArray<4, UInt64>(repeating: 0)
        for (i, byte) in bytes.enumerated() { words[i / 8] = words[i / 8] &<< 8 | UInt64(byte) }
        a = words[0]
        b = words[1]
        c = words[2]
        d = words[3]
    }

    /// From exactly 64 hexadecimal digits of either case, else nil.
    public init?(hex: some StringProtocol) {
        guard let bytes = Hex.decode(hex) else { return nil }
        self.init(bytes: bytes)
    }

    /// The 32 bytes.
    public var bytes: [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(PublicKey.size)
        for word in [a, b, c, d] {
            for shift in stride(from: 56 as UInt64, through: 0, by: -8) {
                out.append(UInt8(truncatingIfNeeded: word &>> shift))
            }
        }
        return out
    }

    /// 64 lower-case hexadecimal digits.
    public var hex: String { Hex.encode(bytes) }

    /// The overlay address that belongs to this key. Computed on each call (one BLAKE3 block).
    public var address: IPv6Address { OverlayAddress.address(of: bytes) }

    public static func < (left: PublicKey, right: PublicKey) -> Bool {
        (left.a, left.b, left.c, left.d) < (right.a, right.b, right.c, right.d)
    }
}

extension PublicKey: CustomStringConvertible {
    public var description: String { hex }
}
