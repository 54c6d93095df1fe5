import HyphaBase
import HyphaWire
import Testing

@Suite struct ByteReaderTests {
    /// One random read, and what it must give according to plain array slicing.
    private func check(_ reader: inout ByteReader, _ rest: inout ArraySlice<UInt8>, _ random: inout Seed) {
        func number(_ size: Int, littleEndian: Bool) -> UInt64? {
            guard rest.count >= size else { return nil }
            let bytes = littleEndian ? Array(rest.prefix(size).reversed()) : Array(rest.prefix(size))
            rest.removeFirst(size)
            return bytes.reduce(0) { $0 << 8 | UInt64($1) }
        }
        let got: UInt64?
        let expected: UInt64?
        switch random.next() % 7 {
        case 0: (got, expected) = (reader.uint8().map(UInt64.init), number(1, littleEndian: true))
        case 1: (got, expected) = (reader.uint16().map(UInt64.init), number(2, littleEndian: true))
        case 2: (got, expected) = (reader.uint32().map(UInt64.init), number(4, littleEndian: true))
        case 3: (got, expected) = (reader.uint64(), number(8, littleEndian: true))
        case 4: (got, expected) = (reader.networkUInt16().map(UInt64.init), number(2, littleEndian: false))
        case 5: (got, expected) = (reader.networkUInt32().map(UInt64.init), number(4, littleEndian: false))
        default:
            let count = random.below(12) - 2
            let part = reader.take(count).map { Array($0) }
            if count >= 0, count <= rest.count {
                #expect(part == Array(rest.prefix(count)))
                rest.removeFirst(count)
            } else {
                #expect(part == nil)
            }
            (got, expected) = (nil, nil)
        }
        #expect(got == expected)
        #expect(reader.remaining == rest.count)
    }

    @Test func readsAreThoseOfAnArray() {
        var random = Seed(51)
        for _ in 0..<3_000 {
            let bytes = random.bytes(random.below(40))
            bytes.withUnsafeBytes { raw in
                var reader = ByteReader(raw)
                var rest = bytes[...]
                for _ in 0..<16 { check(&reader, &rest, &random) }
            }
        }
    }

    @Test func extremeCountsAreRefused() {
        let bytes = [UInt8](repeating: 1, count: 8)
        bytes.withUnsafeBytes { raw in
            var reader = ByteReader(raw)
            for count in [Int.min, -1, 9, Int.max] {
                let part = reader.take(count)
                #expect(part == nil)
            }
            let all = reader.take(8)
            #expect(all?.count == 8)
            let none = reader.take(0)
            #expect(none?.count == 0)
            let past = reader.uint8()
            #expect(past == nil)
        }
    }

    @Test func emptyInputHasNothing() {
        var reader = ByteReader(UnsafeRawBufferPointer(start: nil, count: 0))
        let byte = reader.uint8()
        let part = reader.take(1)
        #expect(byte == nil && part == nil && reader.remaining == 0)
    }
}
