import HyphaBase
import HyphaWire
import Testing

@Suite struct IPv6HeaderTests {
    /// A well-formed packet with these fields.
    static func packet(
        source: IPv6Address = IPv6Address(high: 0x0400 << 48, low: 1),
        destination: IPv6Address = IPv6Address(high: 0x0500 << 48, low: 2), nextHeader: UInt8 = 17,
        hopLimit: UInt8 = 64, label: UInt32 = 0, payload: [UInt8] = []
    ) -> [UInt8] {
        let length = payload.count
        let head: [UInt8] = [
            0x60, UInt8(label >> 16 & 15), UInt8(label >> 8 & 255), UInt8(label & 255), UInt8(length >> 8),
            UInt8(length & 255), nextHeader, hopLimit,
        ]
        return head + source.bytes + destination.bytes + payload
    }

    @Test func fieldsAreFound() throws {
        var random = Seed(101)
        for _ in 0..<200 {
            let source = IPv6Address(high: random.next(), low: random.next())
            let destination = IPv6Address(high: random.next(), low: random.next())
            let packet = Self.packet(
                source: source, destination: destination, nextHeader: UInt8(random.below(256)),
                hopLimit: UInt8(random.below(256)), payload: random.bytes(random.below(100)))
            try packet.withUnsafeBytes { raw in
                let base = try #require(raw.baseAddress)
                #expect(IPv6Header.isWellFormed(base, length: raw.count))
                #expect(IPv6Header.nextHeader(base) == packet[6])
                #expect(IPv6Header.hopLimit(base) == packet[7])
                #expect(IPv6Header.source(base) == source)
                #expect(IPv6Header.destination(base) == destination)
            }
        }
    }

    /// Random bytes and lengths: well-formed exactly when the version is 6 and the length field fits to the byte.
    @Test func onlyExactLengthsAreWellFormed() {
        var random = Seed(102)
        for _ in 0..<20_000 {
            var bytes = random.bytes(120)
            bytes[0] = random.below(4) == 0 ? bytes[0] : 0x60 | bytes[0] & 15
            bytes[4] = 0
            bytes[5] = UInt8(random.below(80))
            let length = random.below(3) == 0 ? random.below(120) : 40 + Int(bytes[5])
            let expected = length >= 40 && bytes[0] >> 4 == 6 && 40 + Int(bytes[5]) == length
            let got = bytes.withUnsafeBytes { raw in
                raw.baseAddress.map { IPv6Header.isWellFormed($0, length: length) }
            }
            #expect(got == expected)
        }
    }

    private func hash(_ packet: [UInt8]) -> UInt16? {
        packet.withUnsafeBytes { raw in raw.baseAddress.map { IPv6Header.flowHash($0, length: raw.count) } }
    }

    @Test func packetsOfAFlowHashAlike() {
        var random = Seed(103)
        for proto in [UInt8(6), 17, 58] {
            let ports = random.bytes(4)
            let first = hash(Self.packet(nextHeader: proto, payload: ports + random.bytes(20)))
            for _ in 0..<50 {
                let payload = ports + random.bytes(20 + random.below(400))
                let other = Self.packet(nextHeader: proto, hopLimit: UInt8(random.below(256)), payload: payload)
                #expect(hash(other) == first)
            }
        }
    }

    /// 4,096 flows that differ in one field each way spread over the values of the high 4 bits, which choose the lane.
    @Test func flowsSpread() {
        let variants: [(UInt32) -> [UInt8]] = [
            { Self.packet(nextHeader: 6, payload: [UInt8($0 >> 8), UInt8($0 & 255), 1, 187] + [0, 0, 0, 0]) },
            { Self.packet(nextHeader: 17, payload: [1, 187, UInt8($0 >> 8), UInt8($0 & 255)] + [0, 0, 0, 0]) },
            { Self.packet(label: $0) },
            { Self.packet(source: IPv6Address(high: 0x0400 << 48, low: UInt64($0))) },
            { Self.packet(destination: IPv6Address(high: 0x0500 << 48, low: UInt64($0))) },
        ]
        for variant in variants {
            var lanes = [Int](repeating: 0, count: 16)
            var values = Set<UInt16>()
            for i in UInt32(0)..<4_096 {
                let value = hash(variant(i)) ?? 0
                lanes[Int(value >> 12)] += 1
                values.insert(value)
            }
            #expect(lanes.allSatisfy { $0 > 128 && $0 < 512 }, "\(lanes)")
            // Drawn at random, 4,096 of 65,536 values would give about 3,970 different ones.
            #expect(values.count > 3_500)
        }
    }

    @Test func shortPayloadsAreHashedWithoutPorts() {
        for count in 0..<4 {
            #expect(hash(Self.packet(nextHeader: 6, payload: [UInt8](repeating: 1, count: count))) != nil)
        }
    }
}
