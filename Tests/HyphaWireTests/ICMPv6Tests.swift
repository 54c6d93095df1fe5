import HyphaBase
import HyphaWire
import Testing

@Suite struct ICMPv6Tests {
    static let own = IPv6Address(high: 0x0477 << 48, low: 0x77)
    static let messages: [(message: ICMPv6.Message, type: UInt8, code: UInt8, value: UInt32)] = [
        (.noRoute, 1, 0, 0), (.addressUnreachable, 1, 3, 0), (.packetTooBig(mtu: 1_300), 2, 0, 1_300),
        (.packetTooBig(mtu: .max), 2, 0, .max), (.timeExceeded, 3, 0, 0),
    ]

    /// The error about a packet, and the bytes behind it, which must not change.
    private func error(_ message: ICMPv6.Message, about packet: [UInt8]) -> (error: [UInt8], untouched: Bool) {
        var out = [UInt8](repeating: 0xEE, count: ICMPv6.maxSize + 64)
        let length = packet.withUnsafeBytes { raw in
            out.withUnsafeMutableBytes { bytes -> Int in
                guard let to = bytes.baseAddress else { return 0 }
                return ICMPv6.writeError(message, about: raw, source: Self.own, to: to)
            }
        }
        return (Array(out[..<length]), out[length...].allSatisfy { $0 == 0xEE })
    }

    @Test func errorsAreWholePackets() throws {
        var random = Seed(111)
        for round in 0..<600 {
            let (message, type, code, value) = Self.messages[round % Self.messages.count]
            let source = IPv6Address(high: 0x0400 << 48 | random.next() >> 16, low: random.next())
            let payload = random.bytes([0, 1, 7, 8, 100, 1_191, 1_192, 1_193, 1_360][random.below(9)])
            let cause = IPv6HeaderTests.packet(source: source, nextHeader: 17, payload: payload)
            let (bytes, untouched) = error(message, about: cause)
            #expect(untouched)
            #expect(bytes.count == min(ICMPv6.maxSize, 48 + cause.count))
            #expect(bytes.count <= 1_280)
            let wellFormed = bytes.withUnsafeBytes { raw in
                raw.baseAddress.map { IPv6Header.isWellFormed($0, length: raw.count) }
            }
            #expect(wellFormed == true)
            #expect(bytes[0..<4] == [0x60, 0, 0, 0])
            #expect(bytes[6] == 58 && bytes[7] == 64)
            #expect(IPv6Address(bytes: bytes[8..<24]) == Self.own)
            #expect(IPv6Address(bytes: bytes[24..<40]) == source)
            #expect(bytes[40] == type && bytes[41] == code)
            #expect(bytes[44..<48].reduce(0) { $0 << 8 | UInt32($1) } == value)
            #expect(Array(bytes[48...]) == Array(cause.prefix(bytes.count - 48)))
            // A receiver sums pseudo-header and message, checksum included, to all ones.
            let length = bytes.count - 40
            let pseudo = Array(bytes[8..<40]) + [0, 0, UInt8(length >> 8), UInt8(length & 255), 0, 0, 0, 58]
            #expect(ChecksumTests.slow(pseudo + bytes[40...]) == 0xFFFF)
        }
    }

    /// RFC 4443 section 2.4 (e).
    @Test func someCausesAreNeverAnswered() {
        let multicast = IPv6Address(high: 0xFF02 << 48, low: 1)
        let unspecified = IPv6Address(high: 0, low: 0)
        var forbidden: [[UInt8]] = [
            IPv6HeaderTests.packet(source: unspecified), IPv6HeaderTests.packet(source: multicast),
            IPv6HeaderTests.packet(destination: multicast), IPv6HeaderTests.packet(nextHeader: 58, payload: []),
            Array(IPv6HeaderTests.packet().prefix(39)), [],
        ]
        for type in 0..<256 {
            let packet = IPv6HeaderTests.packet(nextHeader: 58, payload: [UInt8(type), 0, 0, 0, 0, 0, 0, 0])
            let isErrorOrRedirect = type < 128 || type == 137
            if isErrorOrRedirect {
                forbidden.append(packet)
            } else {
                #expect(!error(.noRoute, about: packet).error.isEmpty, "type \(type)")
            }
        }
        for packet in forbidden {
            let (bytes, untouched) = error(.noRoute, about: packet)
            #expect(bytes.isEmpty && untouched)
            #expect(packet.withUnsafeBytes { ICMPv6.isErrorForbidden(about: $0) })
        }
    }

    @Test func noErrorIsAnsweredByAnother() {
        for (message, _, _, _) in Self.messages {
            let first = error(message, about: IPv6HeaderTests.packet(payload: [1, 2, 3])).error
            #expect(!first.isEmpty)
            #expect(error(message, about: first).error.isEmpty)
        }
    }

    @Test func anyBytesAreSafe() {
        var random = Seed(112)
        for _ in 0..<5_000 {
            let packet = random.bytes(random.below(100))
            #expect(error(.timeExceeded, about: packet).untouched)
        }
    }
}
