import HyphaBase
import HyphaWire
import TestVectors
import Testing

@Suite struct LinkHeaderTests {
    /// The table of docs/protocol.md, "HL1 messages", row by row.
    static func expected(_ bytes: [UInt8], length: Int) -> LinkHeader.Check {
        if length < 4 { return .badLength }
        let type = bytes[0]
        switch type {
        case 4, 5, 6:
            let least = type == 4 ? 32 : type == 5 ? 96 : 37
            if length < least { return .badLength }
            if bytes[2] != 0 || bytes[3] != 0 { return .badType }
            return type == 4 ? .full : type == 5 ? .header : .fragment
        case 1, 2, 3, 7, 8, 9:
            let exact: [UInt8: Int] = [1: 168, 2: 148, 3: 64, 7: 32, 8: 168, 9: 88]
            if length != exact[type] { return .badLength }
            if bytes[1] != 1 { return .badType }
            // INIT offers suites in two bytes, RESP names one in the first.
            let reservedIsZero = type == 1 || (bytes[3] == 0 && (type == 2 || bytes[2] == 0))
            if !reservedIsZero { return .badType }
            return type <= 3 ? .handshake : .unsupported
        default:
            return .badType
        }
    }

    @Test func everyTypeAndLength() {
        var random = Seed(71)
        var bytes = [UInt8](repeating: 0, count: 256)
        let firsts: [(UInt8, UInt8, UInt8)] = [
            (1, 0, 0), (0, 0, 0), (2, 0, 0), (255, 0, 0), (1, 1, 0), (1, 3, 0), (1, 0, 1), (0, 1, 0), (0, 0, 128),
        ]
        for type in UInt8(0)...255 {
            for (second, third, fourth) in firsts {
                bytes = random.bytes(256)
                bytes.replaceSubrange(0..<4, with: [type, second, third, fourth])
                // All lengths for the known types; the others need no more than a few.
                let lengths = type <= 10 ? Array(0...200) : [0, 3, 4, 31, 32, 64, 96, 148, 168, 200]
                for length in lengths {
                    let got = bytes.withUnsafeBytes { raw in
                        raw.baseAddress.map { LinkHeader.check($0, length: length) }
                    }
                    #expect(got == Self.expected(bytes, length: length), "type \(type), \(length) bytes")
                }
            }
        }
    }

    @Test func headersRoundTrip() {
        var random = Seed(72)
        for _ in 0..<500 {
            let memory = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 16)
            defer { memory.deallocate() }
            memory.initializeMemory(as: UInt8.self, repeating: 0xEE, count: 64)
            let header = memory + random.below(8)
            let type = random.next() % 2 == 0 ? LinkHeader.Kind.full : .header
            let lane = UInt8(random.below(16))
            let index = UInt32(truncatingIfNeeded: random.next())
            let counter = random.next()
            LinkHeader.write(header, type: type.rawValue, lane: lane, index: index, counter: counter)
            #expect(header.load(as: UInt8.self) == type.rawValue)
            #expect(LinkHeader.lane(header) == lane)
            #expect(LinkHeader.index(header) == index)
            #expect(LinkHeader.counter(header) == counter)
            #expect(LinkHeader.check(header, length: 96) == (type == .full ? .full : .header))
            // Little-endian, as the layout says.
            let bytes = Array(UnsafeRawBufferPointer(start: header, count: 17))
            #expect(bytes[4..<8].reversed().reduce(0) { $0 << 8 | UInt32($1) } == index)
            #expect(bytes[8..<16].reversed().reduce(0) { $0 << 8 | UInt64($1) } == counter)
            #expect(bytes[16] == 0xEE)
        }
    }

    private func check(_ datagram: [UInt8]?) -> LinkHeader.Check? {
        datagram?.withUnsafeBytes { raw in raw.baseAddress.map { LinkHeader.check($0, length: raw.count) } }
    }

    @Test(arguments: [
        ("type4", LinkHeader.Check.full), ("type5", .header), ("reset_hint", .unsupported), ("who", .unsupported),
        ("here", .unsupported),
    ])
    func vectorsPassTheFirstLook(kind: String, expected: LinkHeader.Check) throws {
        let vectors = try WireVector.all(kind: kind).filter { $0.verdict == "accept" }
        #expect(!vectors.isEmpty)
        for vector in vectors {
            #expect(check(vector.output) == expected, "\(vector.name)")
            guard let index = vector.number("receiver_index") else { continue }
            let found = vector.output.withUnsafeBytes { raw in raw.baseAddress.map { LinkHeader.index($0) } }
            #expect(found == UInt32(index), "\(vector.name)")
        }
    }

    @Test func handshakesOfTheVectorsPassTheFirstLook() throws {
        for vector in try WireVector.all(kind: "handshake") {
            #expect(check(vector.outputs["INIT"]) == .handshake, "\(vector.name)")
            #expect(check(vector.outputs["RESP"]) == .handshake, "\(vector.name)")
        }
        for vector in try WireVector.all(kind: "cookie") where vector.verdict == "accept" {
            #expect(check(vector.outputs["COOKIE"]) == .handshake, "\(vector.name)")
        }
        for vector in try WireVector.all(kind: "type6") where vector.verdict == "accept" {
            for fragment in vector.outputs.values { #expect(check(fragment) == .fragment, "\(vector.name)") }
        }
    }

    /// Handshakes of a wrong length, version or reserved byte; what is wrong behind them is not seen here.
    @Test func damagedHandshakesOfTheVectors() throws {
        var refused = 0
        for kind in ["init", "resp"] {
            for vector in try WireVector.all(kind: kind) where !vector.output.isEmpty {
                let expected = Self.expected(vector.output, length: vector.output.count)
                #expect(check(vector.output) == expected, "\(vector.name)")
                if expected != .handshake { refused += 1 }
            }
        }
        #expect(refused > 10)
    }
}
