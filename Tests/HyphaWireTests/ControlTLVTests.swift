import HyphaBase
import HyphaWire
import TestVectors
import Testing

@Suite struct ControlTLVTests {
    private func parse(_ message: [UInt8], _ space: ControlTLV.Space) -> [ControlTLV]? {
        message.withUnsafeBytes { ControlTLV.parse($0, space: space) }
    }

    /// The rules of docs/protocol.md, "Link control", over an array.
    private func slow(_ message: [UInt8], _ space: ControlTLV.Space) -> [ControlTLV]? {
        let free: [UInt8] = [0x84, 0x85, 0x88, 0x89, 0x8A]
        let exact: [UInt8: Int] = [0xA0: 53, 0xA1: 8, 0xA2: 8, 0xA3: 4, 0xA4: 6, 0xA5: 16, 0xC8: 103]
        var entries: [ControlTLV] = []
        var rest = message[...]
        while !rest.isEmpty {
            guard rest.count >= 3 else { return nil }
            let head = Array(rest.prefix(3))
            rest.removeFirst(3)
            let length = (Int(head[2]) << 8 | Int(head[1])) & 0x7FFF
            guard head[0] >= 0x80, rest.count >= length else { return nil }
            let value = Array(rest.prefix(length))
            rest.removeFirst(length)
            let known = head[0] == 0x80 || space == .link && (free.contains(head[0]) || exact[head[0]] != nil)
            if known {
                if space == .link, let size = exact[head[0]], size != length { return nil }
                entries.append(ControlTLV(type: head[0], value: value))
            } else if head[2] & 0x80 != 0 {
                return nil
            }
        }
        return entries
    }

    @Test func linkVectors() throws {
        let vectors = try WireVector.all(kind: "type4")
        var accepted = 0
        var refused = 0
        for vector in vectors {
            guard let inner = vector.bytes("inner"), let first = inner.first, first >= 0x80 else { continue }
            let entries = parse(inner, .link)
            if vector.verdict == "accept" {
                let expected = (vector.fields["tlvs"] as? [[Any]])?.compactMap { pair -> ControlTLV? in
                    guard let type = pair.first as? Int, let text = pair.last as? String, let value = Hex.decode(text)
                    else { return nil }
                    return ControlTLV(type: UInt8(type), value: value)
                }
                #expect(entries == expected, "\(vector.name)")
                accepted += 1
            } else {
                #expect(entries == nil, "\(vector.name)")
                refused += 1
            }
        }
        #expect(accepted >= 30 && refused >= 14)
    }

    @Test func endToEndVectors() throws {
        var accepted = 0
        var refused = 0
        for vector in try WireVector.all(kind: "he1") where vector.number("kind") == 2 {
            guard let content = vector.bytes("content") else { continue }
            let entries = parse(content, .endToEnd)
            #expect((entries != nil) == (vector.verdict == "accept"), "\(vector.name)")
            // Nothing but PAD means anything between the ends.
            #expect(entries?.allSatisfy { $0.type == ControlTLV.pad } ?? true)
            if vector.verdict == "accept" { accepted += 1 } else { refused += 1 }
        }
        #expect(accepted >= 6 && refused >= 6)
    }

    /// Messages made of plausible entries, then damaged: cut, flipped, or left alone.
    @Test func damagedMessagesAreJudgedAsByTheRules() {
        var random = Seed(91)
        let lengths = [0, 3, 4, 6, 8, 8, 16, 53, 53, 103]
        let types: [UInt8] = [0x80, 0x84, 0x88, 0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xC8, 0xB0, 0x7F, 0xFF]
        var taken = 0
        for _ in 0..<20_000 {
            var message: [UInt8] = []
            for _ in 0..<(1 + random.below(4)) {
                let type = types[random.below(types.count)]
                let size = lengths[random.below(lengths.count)]
                message += [type, UInt8(size), random.below(8) == 0 ? 0x80 : 0] + random.bytes(size)
            }
            switch random.below(4) {
            case 0: message.removeLast(random.below(message.count))
            case 1: message[random.below(message.count)] ^= 1 << UInt8(random.below(8))
            default: break
            }
            for space in [ControlTLV.Space.link, .endToEnd] {
                let entries = parse(message, space)
                #expect(entries == slow(message, space))
                if entries?.isEmpty == false { taken += 1 }
            }
        }
        #expect(taken > 500)
    }

    @Test func randomBytesAreJudgedAsByTheRules() {
        var random = Seed(92)
        for _ in 0..<20_000 {
            var message = random.bytes(random.below(80))
            if !message.isEmpty { message[0] |= 0x80 }
            #expect(parse(message, .link) == slow(message, .link))
            #expect(parse(message, .endToEnd) == slow(message, .endToEnd))
        }
        #expect(parse([], .link) == [])
    }

    @Test func whatIsWrittenIsReadBack() {
        var random = Seed(93)
        for _ in 0..<300 {
            let entries = (0..<random.below(5)).map { _ in
                random.below(2) == 0
                    ? ControlTLV(type: ControlTLV.pad, value: random.bytes(random.below(1_200)))
                    : ControlTLV(type: 0xA1, value: random.bytes(8))
            }
            var message: [UInt8] = []
            for entry in entries { entry.append(to: &message) }
            #expect(parse(message, .link) == entries)
        }
    }
}
