import Glibc
import HyphaBase
import Testing

/// Text and bytes of addresses, against the C library's own conversion.
@Suite struct IPv6AddressTests {
    /// Addresses that exercise every rule of the text form: random groups, many of them zero or small.
    static func samples(_ count: Int) -> [IPv6Address] {
        var random = Seed(0x1CE)
        var addresses = (0..<count).map { _ in
            let groups = (0..<8).map { _ -> UInt64 in
                switch random.next() % 4 {
                case 0, 1: 0
                case 2: random.next() & 0xF
                default: random.next() & 0xFFFF
                }
            }
            return IPv6Address(
                high: groups[..<4].reduce(0) { $0 << 16 | $1 }, low: groups[4...].reduce(0) { $0 << 16 | $1 })
        }
        addresses += [
            IPv6Address(high: 0, low: 0), IPv6Address(high: 0, low: 1), IPv6Address(high: .max, low: .max),
            .mapped(ipv4: 0), .mapped(ipv4: .max), .mapped(ipv4: 0x7F00_0001),
            IPv6Address(high: 0x0001_0000_0000_0000, low: 0), IPv6Address(high: 0, low: 0x0001_0000_0000_0000),
            IPv6Address(high: 0x0400 << 48, low: 1), IPv6Address(high: 0x05FF << 48 | 0xFFFF, low: 0xFFFF << 48),
        ]
        return addresses
    }

    /// The C library's text; nil where it prints a form that we never do (the deprecated ::a.b.c.d).
    static func systemText(_ address: IPv6Address) -> String? {
        if address.high == 0, address.low >> 32 == 0, address.low > 0xFFFF { return nil }
        var text = [CChar](repeating: 0, count: 64)
        let written = address.bytes.withUnsafeBytes { bytes in
            inet_ntop(AF_INET6, bytes.baseAddress, &text, socklen_t(text.count)) != nil
        }
        guard written else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The C library's reading of a text.
    static func systemBytes(_ text: String) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 16)
        return inet_pton(AF_INET6, text, &bytes) == 1 ? bytes : nil
    }

    @Test func textIsWhatTheSystemPrints() {
        for address in Self.samples(20_000) {
            let text = address.description
            if let expected = Self.systemText(address) { #expect(text == expected) }
            #expect(Self.systemBytes(text) == address.bytes)
            #expect(IPv6Address(text) == address)
        }
    }

    @Test func fullAndUpperCaseFormsAreRead() {
        for address in Self.samples(500) {
            let groups = (0..<8).map { i in
                let group = (i < 4 ? address.high : address.low) >> UInt64(48 - 16 * (i & 3)) & 0xFFFF
                let digits = String(group, radix: 16, uppercase: true)
                return String(repeating: "0", count: 4 - digits.count) + digits
            }
            #expect(IPv6Address(groups.joined(separator: ":")) == address)
        }
    }

    /// Texts one mistake away from an address are taken exactly when the system takes them.
    @Test func damagedTextIsReadAsTheSystemReadsIt() {
        var random = Seed(7)
        let alphabet = Array("0123456789abcdefF:.:g% +-")
        for address in Self.samples(4_000) {
            for _ in 0..<4 {
                var text = Array(address.description)
                let position = Int(random.next() % UInt64(text.count))
                let character = alphabet[Int(random.next() % UInt64(alphabet.count))]
                switch random.next() % 3 {
                case 0: text[position] = character
                case 1: text.insert(character, at: position)
                default: text.remove(at: position)
                }
                let damaged = String(text)
                #expect(IPv6Address(damaged)?.bytes == Self.systemBytes(damaged), "\(damaged)")
            }
        }
    }

    @Test(arguments: [
        "", ":", "::", ":::", "1", "1:2", "::1::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:9",
        "::2:3:4:5:6:7:8", "1::3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::1:2:3:4:5:6:7:8", "12345::", ":1::2", "1::2:",
        "::1.2.3.4", "1.2.3.4", "::1.2.3", "::1.2.3.4.5", "::256.1.1.1", "::01.2.3.4", "1.2.3.4::", "::1.2.3.4:5",
        "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "fe80::1%eth0", " ::1", "::1 ", "::g", "[::1]", "::+1",
    ])
    func edgesAreReadAsTheSystemReadsThem(text: String) {
        #expect(IPv6Address(text)?.bytes == Self.systemBytes(text))
    }

    @Test func textOfAnyCharactersNeverTraps() {
        var random = Seed(99)
        let alphabet = Array("0af:.:é１\u{0}%/\u{301}")
        for _ in 0..<20_000 {
            let text = String((0..<(random.next() % 24)).map { _ in alphabet[Int(random.next() % 11)] })
            if let address = IPv6Address(text) { #expect(IPv6Address(address.description) == address) }
        }
    }

    @Test func bytesAndMemoryAgree() {
        var random = Seed(3)
        for address in Self.samples(1_000) {
            let bytes = address.bytes
            #expect(IPv6Address(bytes: bytes) == address)
            let offset = Int(random.next() % 8)
            let memory = UnsafeMutableRawPointer.allocate(byteCount: 32, alignment: 16)
            defer { memory.deallocate() }
            memory.initializeMemory(as: UInt8.self, repeating: 0xEE, count: 32)
            address.store(to: memory + offset)
            #expect(Array(UnsafeRawBufferPointer(start: memory + offset, count: 16)) == bytes)
            #expect(memory.load(fromByteOffset: offset + 16, as: UInt8.self) == 0xEE)
            #expect(IPv6Address(loading: memory + offset) == address)
        }
        for count in 0...40 where count != 16 {
            #expect(IPv6Address(bytes: [UInt8](repeating: 1, count: count)) == nil)
        }
    }

    @Test func orderIsByteOrder() {
        let addresses = Self.samples(300)
        for pair in zip(addresses, addresses.reversed()) {
            #expect((pair.0 < pair.1) == pair.0.bytes.lexicographicallyPrecedes(pair.1.bytes))
        }
    }

    @Test func mappedIPv4IsRecognised() {
        var random = Seed(5)
        for _ in 0..<1_000 {
            let ipv4 = UInt32(truncatingIfNeeded: random.next())
            #expect(IPv6Address.mapped(ipv4: ipv4).mappedIPv4 == ipv4)
        }
        #expect(IPv6Address(high: 1, low: 0xFFFF_0000_0001).mappedIPv4 == nil)
        #expect(IPv6Address(high: 0, low: 1).mappedIPv4 == nil)
    }

    @Test func dottedDecimalIsReadAsTheSystemReadsIt() {
        var random = Seed(11)
        let alphabet = Array("0012559....a+ ")
        var accepted = 0
        for _ in 0..<20_000 {
            var text = (0..<4).map { _ in String(random.next() % 300) }.joined(separator: ".")
            if random.next() % 2 == 0 {
                var characters = Array(text)
                characters[Int(random.next() % UInt64(characters.count))] = alphabet[Int(random.next() % 14)]
                text = String(characters)
            }
            var raw: UInt32 = 0
            let expected = inet_pton(AF_INET, text, &raw) == 1 ? UInt32(bigEndian: raw) : nil
            #expect(IPv6Address.parseIPv4(text) == expected, "\(text)")
            if expected != nil { accepted += 1 }
        }
        #expect(accepted > 1_000)
    }
}
