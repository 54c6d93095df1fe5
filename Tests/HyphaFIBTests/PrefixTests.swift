import HyphaBase
import HyphaWire
import Testing

@Suite struct PrefixTests {
    @Test(arguments: [
        ("400::/7", "400::/7"), ("::/0", "::/0"), ("::1/128", "::1/128"), ("2001:DB8:0:0::/32", "2001:db8::/32"),
        ("4ff:1234::5/16", "4ff::/16"), ("ffff::/1", "8000::/1"), ("::ffff:10.0.0.0/104", "::ffff:10.0.0.0/104"),
    ])
    func text(input: String, output: String) throws {
        let prefix = try #require(Prefix(input))
        #expect(prefix.description == output)
        #expect(Prefix(prefix.description) == prefix)
    }

    @Test(arguments: [
        "", "/", "::", "400::", "400::/", "/7", "400::/129", "400::/-1", "400::/+7", "400::/07", "400::/7 ", " 400::/7",
        "400::/7/7", "400::/1000", "400::/99999999999999999999", "400::/a", "400::/٧", "4000::0::/7", "10.0.0.0/8",
        "400::%eth0/7", "12345::/7",
    ])
    func malformedText(input: String) { #expect(Prefix(input) == nil) }

    /// No text traps, and what is read is written back as the same prefix.
    @Test func randomText() {
        var seed = Seed(77)
        let characters = Array("0123456789abcdefF::::////. -x٣")
        for _ in 0..<20_000 {
            let text = String(
                (0..<Int.random(in: 0..<14, using: &seed)).map { _ in
                    characters[Int.random(in: 0..<characters.count, using: &seed)]
                })
            guard let prefix = Prefix(text) else { continue }
            #expect(Prefix(prefix.description) == prefix)
        }
    }

    @Test func lengthIsClamped() {
        let a = IPv6Address(high: .max, low: .max)
        #expect(Prefix(a, length: -5) == Prefix(a, length: 0))
        #expect(Prefix(a, length: .min).length == 0)
        #expect(Prefix(a, length: .max) == Prefix(a, length: 128))
        #expect(Prefix(a, length: 0).address == IPv6Address(high: 0, low: 0))
    }

    @Test func maskAndContains() {
        var seed = Seed(4)
        for length in 0...128 {
            let a = IPv6Address(high: seed.next(), low: seed.next())
            let prefix = Prefix(a, length: length)
            #expect(prefix.contains(a))
            #expect(prefix.contains(prefix.address))
            #expect(prefix.contains(prefix.lastAddress))
            for bit in 0..<128 {
                let high = bit < 64 ? 1 << UInt64(63 - bit) : 0 as UInt64
                let low = bit < 64 ? 0 : 1 << UInt64(127 - bit) as UInt64
                #expect(prefix.contains(IPv6Address(high: a.high ^ high, low: a.low ^ low)) == (bit >= length))
                // Host bits are zero in the address, one in the last address.
                if bit >= length {
                    #expect(prefix.address.high & high == 0 && prefix.address.low & low == 0)
                    #expect(prefix.lastAddress.high & high == high && prefix.lastAddress.low & low == low)
                }
            }
        }
    }

    @Test func order() throws {
        let sorted = try ["::/0", "::/128", "400::/7", "400::/8", "400::/64", "400:0:0:1::/64", "ff00::/8"].map {
            try #require(Prefix($0))
        }
        #expect(sorted.shuffled().sorted() == sorted)
    }
}
