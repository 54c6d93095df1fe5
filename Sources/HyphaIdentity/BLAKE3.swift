/// BLAKE3 of inputs that fit one block: one compression, which is the whole hash (BLAKE3 specification, section 2).
enum BLAKE3 {
    /// Largest input in bytes.
    static let blockSize = 64

    private static let initial = (
        SIMD4<UInt32>(0x6A09_E667, 0xBB67_AE85, 0x3C6E_F372, 0xA54F_F53A),
        SIMD4<UInt32>(0x510E_527F, 0x9B05_688C, 0x1F83_D9AB, 0x5BE0_CD19)
    )
    /// CHUNK_START, CHUNK_END and ROOT: the only block of the only chunk.
    private static let flags: UInt32 = 1 | 2 | 8

    /// The 32-byte hash; nil when `input` is larger than one block.
    static func hash(_ input: [UInt8]) -> [UInt8]? {
        guard input.count <= blockSize else { return nil }
        var message = InlineArray<16, UInt32>(repeating: 0)
        for (i, byte) in input.enumerated() { message[i / 4] |= UInt32(byte) &<< UInt32(8 * (i % 4)) }
        var a = initial.0
        var b = initial.1
        var c = initial.0
        var d = SIMD4<UInt32>(0, 0, UInt32(input.count), flags)
        for round in 0..<7 {
            if round > 0 { message = permuted(message) }
            mix(
                &a, &b, &c, &d, SIMD4(message[0], message[2], message[4], message[6]),
                SIMD4(message[1], message[3], message[5], message[7]))
            // The diagonals become columns and back.
            b = SIMD4(b[1], b[2], b[3], b[0])
            c = SIMD4(c[2], c[3], c[0], c[1])
            d = SIMD4(d[3], d[0], d[1], d[2])
            mix(
                &a, &b, &c, &d, SIMD4(message[8], message[10], message[12], message[14]),
                SIMD4(message[9], message[11], message[13], message[15]))
            b = SIMD4(b[3], b[0], b[1], b[2])
            c = SIMD4(c[2], c[3], c[0], c[1])
            d = SIMD4(d[1], d[2], d[3], d[0])
        }
        a ^= c
        b ^= d
        var out: [UInt8] = []
        out.reserveCapacity(32)
        for i in 0..<8 { out.append(littleEndian: i < 4 ? a[i] : b[i - 4]) }
        return out
    }

    /// The quarter round on four columns at once.
    private static func mix(
        _ a: inout SIMD4<UInt32>, _ b: inout SIMD4<UInt32>, _ c: inout SIMD4<UInt32>, _ d: inout SIMD4<UInt32>,
        _ x: SIMD4<UInt32>, _ y: SIMD4<UInt32>
    ) {
        a = a &+ b &+ x
        d = rotated(d ^ a, 16)
        c = c &+ d
        b = rotated(b ^ c, 12)
        a = a &+ b &+ y
        d = rotated(d ^ a, 8)
        c = c &+ d
        b = rotated(b ^ c, 7)
    }

    /// Each lane rotated right by `count` bits.
    private static func rotated(_ value: SIMD4<UInt32>, _ count: UInt32) -> SIMD4<UInt32> {
        (value &>> SIMD4(repeating: count)) | (value &<< SIMD4(repeating: 32 - count))
    }

    private static func permuted(_ m: InlineArray<16, UInt32>) -> InlineArray<16, UInt32> {
        [m[2], m[6], m[3], m[10], m[7], m[0], m[4], m[13], m[1], m[11], m[12], m[5], m[9], m[14], m[15], m[8]]
    }
}
