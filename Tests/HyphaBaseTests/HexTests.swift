import HyphaBase
import Testing

@Suite struct HexTests {
    @Test func everyByteRoundTrips() {
        let bytes = (0...255).map { UInt8($0) }
        let text = Hex.encode(bytes)
        #expect(text.count == 512)
        #expect(text == text.lowercased())
        #expect(text.hasPrefix("000102030405060708090a0b0c0d0e0f10"))
        #expect(Hex.decode(text) == bytes)
        #expect(Hex.decode(text.uppercased()) == bytes)
        #expect(Hex.decode("") == [])
        #expect(Hex.encode([UInt8]()) == "")
    }

    /// All pairs of ASCII characters: taken exactly when both are hex digits.
    @Test func onlyDigitsAreTaken() {
        let digits = Set("0123456789abcdefABCDEF".utf8)
        for high in UInt8(0)...127 {
            for low in UInt8(0)...127 {
                let text = String(decoding: [high, low], as: UTF8.self)
                #expect((Hex.decode(text) != nil) == (digits.contains(high) && digits.contains(low)))
            }
        }
    }

    @Test(arguments: ["0", "abc", "0x00", "é", "１１", " 00", "00 "])
    func otherTextIsRefused(text: String) {
        #expect(Hex.decode(text) == nil)
    }
}
