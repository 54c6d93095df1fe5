import HyphaBase
import HyphaWire
import Testing

/// Hellos found without making anything of them, and the frame that answers one.
struct StockHelloTests {
    private static func count(_ body: [UInt8]) -> Int { body.withUnsafeBytes { BabelTLVPacket.helloCount(body: $0) } }

    /// The obvious way: read all, keep the Hellos.
    private static func slowCount(_ body: [UInt8]) -> Int {
        body.withUnsafeBytes { BabelTLVPacket.read(body: $0) }.count { reading in
            if case .tlv(.hello, _) = reading { true } else { false }
        }
    }

    @Test func oneInABody() {
        let hello: [UInt8] = [4, 6, 0x80, 0, 0, 1, 0x07, 0xD0]
        #expect(Self.count(hello) == 1 && Self.count(hello + hello) == 2 && Self.count([0, 0] + hello) == 1)
        #expect(Self.count([]) == 0 && Self.count([4]) == 0 && Self.count([4, 0]) == 0)
        for length in 0..<hello.count { #expect(Self.count(Array(hello.prefix(length))) == 0) }
        // Too short for one, longer than one, and one inside of another TLV.
        #expect(Self.count([4, 5, 0x80, 0, 0, 1, 7]) == 0)
        #expect(Self.count([4, 8, 0x80, 0, 0, 1, 7, 0xD0, 1, 2]) == 1)
        #expect(Self.count([99, 8] + hello) == 0)
    }

    @Test func anyBytesAreCountedAsTheyAreRead() {
        var seed = Seed(5)
        var found = 0
        for _ in 0..<30_000 {
            var body: [UInt8] = []
            for _ in 0..<Int.random(in: 0...6, using: &seed) {
                let type = [0, 4, 4, 5, 8, 9, 10, 77].randomElement(using: &seed) ?? 4
                body.append(UInt8(type))
                let length = Int.random(in: 0...9, using: &seed)
                body.append(UInt8(length))
                body += (0..<length).map { _ in UInt8.random(in: 0...255, using: &seed) }
            }
            body.removeLast(min(body.count, Int.random(in: 0...3, using: &seed)))
            let count = Self.count(body)
            #expect(count == Self.slowCount(body), "\(body)")
            found += count
        }
        #expect(found > 5_000)
    }

    @Test func theAnswerIsTheFrameOfAnIHU() throws {
        for (cost, interval) in [(15, 6_000), (0, 0), (0xFFFF, 0x1234), (0x0102, 0xFFFF)] as [(UInt16, UInt16)] {
            var bytes = [UInt8](repeating: 0xAA, count: StockFrame.ihuSize)
            bytes.withUnsafeMutableBytes {
                StockFrame.writeIHU($0.baseAddress.unsafelyUnwrapped, receiveCost: cost, interval: interval)
            }
            let ihu = BabelTLV.ihu(.init(receiveCost: cost, interval: interval))
            #expect(bytes == StockFrame.control([5, 6] + ihu.body))
            #expect(bytes.withUnsafeBytes { StockSafety.isSafe(control: $0) })
        }
    }
}
