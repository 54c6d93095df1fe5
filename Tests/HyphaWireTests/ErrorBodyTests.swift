import HyphaBase
import HyphaWire
import TestVectors
import Testing

@Suite struct ErrorBodyTests {
    private func parse(_ body: [UInt8]) -> (code: ErrorBody.Code, value: UInt16)? {
        body.withUnsafeBytes { raw in raw.baseAddress.flatMap { ErrorBody.parse($0, length: raw.count) } }
    }

    @Test func vectors() throws {
        let vectors = try WireVector.all(kind: "error")
        #expect(vectors.count == 8)
        for vector in vectors {
            // The output is the whole packet: routing header, then the error.
            let body = Array(vector.output.dropFirst(RoutingHeader.size))
            let parsed = parse(body)
            guard vector.verdict == "accept" else {
                #expect(parsed == nil, "\(vector.name)")
                continue
            }
            let code = try #require(vector.number("code").flatMap { ErrorBody.Code(rawValue: UInt8($0)) })
            let value = try #require(vector.number("value"))
            let failed = try #require(vector.bytes("failed"))
            #expect(parsed?.code == code, "\(vector.name)")
            #expect(parsed.map { Int($0.value) } == value, "\(vector.name)")
            #expect(Array(body[ErrorBody.quoteOffset...]) == failed)

            var written = [UInt8](repeating: 0xEE, count: ErrorBody.size)
            written.withUnsafeMutableBytes { out in
                failed.withUnsafeBytes { quote in
                    guard let to = out.baseAddress, let from = quote.baseAddress else { return }
                    ErrorBody.write(to, code: code, value: UInt16(value), failed: from)
                }
            }
            #expect(written == body, "\(vector.name)")
        }
    }

    /// Any bytes, any length: taken exactly when the length is 52, the code is known and data or a handshake is quoted.
    @Test func randomBodiesAreJudgedAsByTheRules() {
        var random = Seed(95)
        var taken = 0
        for _ in 0..<20_000 {
            let length = random.below(4) == 0 ? random.below(60) : ErrorBody.size
            var body = random.bytes(length)
            if length > 4 {
                body[0] %= 6
                body[4] &= 0x7F
            }
            let valid = length == 52 && body[0] <= 3 && body[4] >> 4 <= 3
            let parsed = parse(body)
            #expect((parsed != nil) == valid)
            if let parsed {
                #expect(parsed.code.rawValue == body[0])
                #expect(parsed.value == UInt16(body[2]) | UInt16(body[3]) << 8)
                taken += 1
            }
        }
        #expect(taken > 1_000)
    }
}
