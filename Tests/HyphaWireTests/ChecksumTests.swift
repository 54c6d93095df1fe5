import HyphaBase
import HyphaWire
import Testing

@Suite struct ChecksumTests {
    /// RFC 1071 as it is written down: 16-bit network-order words, carries added back one by one.
    static func slow(_ bytes: some Collection<UInt8>, from start: UInt32 = 0) -> UInt16 {
        var sum = start
        for (i, byte) in bytes.enumerated() {
            sum += i % 2 == 0 ? UInt32(byte) << 8 : UInt32(byte)
            while sum > 0xFFFF { sum = (sum & 0xFFFF) + (sum >> 16) }
        }
        return UInt16(sum)
    }

    private func fast(_ bytes: ArraySlice<UInt8>) -> UInt16 {
        bytes.withUnsafeBytes { raw in
            guard let base = raw.baseAddress else { return 0 }
            return Checksum.fold(Checksum.add(base, count: raw.count)).bigEndian
        }
    }

    @Test func everyLengthAndAlignment() {
        var random = Seed(61)
        let patterns = [random.bytes(256), [UInt8](repeating: 0xFF, count: 256), [UInt8](repeating: 0, count: 256)]
        for bytes in patterns {
            for offset in 0..<9 {
                for length in 0...200 {
                    let part = bytes[offset..<(offset + length)]
                    #expect(fast(part) == Self.slow(part), "\(length) bytes at \(offset)")
                }
            }
        }
    }

    @Test func aPacketOfMaximumSize() {
        var random = Seed(62)
        for bytes in [random.bytes(65_535), [UInt8](repeating: 0xFF, count: 65_535)] {
            #expect(fast(bytes[...]) == Self.slow(bytes))
        }
    }

    /// Sums of parts add up, as long as every part but the last has an even length.
    @Test func sumsAddUp() {
        var random = Seed(63)
        for _ in 0..<500 {
            let bytes = random.bytes(64 + random.below(200))
            let split = 2 * random.below(bytes.count / 2)
            let sum = bytes.withUnsafeBytes { raw -> UInt64 in
                guard let base = raw.baseAddress else { return 0 }
                return Checksum.add(base + split, count: raw.count - split, to: Checksum.add(base, count: split))
            }
            #expect(Checksum.fold(sum).bigEndian == Self.slow(bytes))
        }
    }

    @Test func foldingIsModulo65535() {
        var random = Seed(64)
        var sums: [UInt64] = [0, 1, 0xFFFF, 0x1_0000, 0xFFFF_FFFF, 0x1_0000_0000, .max - 1, .max]
        for i in 0..<2_000 { sums.append(random.next() >> UInt64(i % 64)) }
        for sum in sums {
            let folded = UInt64(Checksum.fold(sum))
            #expect(folded % 65_535 == sum % 65_535)
            // Only a sum of nothing is zero.
            #expect((folded == 0) == (sum == 0))
        }
    }

    @Test func pseudoHeaderIsThatOfRFC8200() {
        var random = Seed(65)
        for _ in 0..<200 {
            let header = random.bytes(40)
            let length = random.below(65_536)
            let next = UInt8(truncatingIfNeeded: random.next())
            let pseudo =
                Array(header[8..<40]) + [0, 0, UInt8(length >> 8), UInt8(length & 255), 0, 0, 0, next]
            let sum = header.withUnsafeBytes { raw -> UInt64 in
                guard let base = raw.baseAddress else { return 0 }
                return Checksum.pseudoHeader(ipv6: base, length: length, nextHeader: next)
            }
            #expect(Checksum.fold(sum).bigEndian == Self.slow(pseudo))
        }
    }
}
