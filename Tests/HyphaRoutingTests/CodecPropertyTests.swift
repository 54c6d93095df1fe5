import HyphaBase
import HyphaWire
import Testing

/// A random TLV of any kind.
func randomTLV(_ seed: inout Seed) -> BabelTLV {
    func word() -> UInt16 { UInt16.random(in: 0...UInt16.max, using: &seed) }
    func routerID() -> RouterID {
        RouterID(bytes: (0..<40).map { _ in UInt8.random(in: 0...255, using: &seed) })!
    }
    func prefix() -> Prefix {
        Prefix(IPv6Address(high: seed.next(), low: seed.next()), length: Int.random(in: 0...128, using: &seed))
    }
    switch Int.random(in: 0..<7, using: &seed) {
    case 0: return .hello(.init(isUnicast: Bool.random(using: &seed), seqno: word(), interval: word()))
    case 1: return .ihu(.init(receiveCost: word(), interval: word()))
    case 2:
        let address =
            Bool.random(using: &seed)
            ? IPv6Address(high: seed.next(), low: seed.next()) : .mapped(ipv4: UInt32(word()) << 16)
        return .ihu(.init(receiveCost: word(), interval: word(), address: address))
    case 3: return .routeRequest(.init(generation: UInt8.random(in: 0...255, using: &seed), prefix: prefix()))
    case 4: return .routeRequest(.init(generation: UInt8.random(in: 0...255, using: &seed), prefix: nil))
    case 5:
        return .seqnoRequest(
            .init(
                prefix: prefix(), routerID: routerID(), seqno: word(),
                hopCount: UInt8.random(in: 1...255, using: &seed)))
    default:
        return .update(
            .init(
                prefix: prefix(), routerID: routerID(), seqno: word(), metric: word(), interval: word(),
                flags: UInt8.random(in: 0...255, using: &seed)))
    }
}

/// As it travels between hypha nodes: with serials.
func randomNumberedTLV(_ seed: inout Seed) -> BabelTLV {
    func word() -> UInt16 { UInt16.random(in: 0...UInt16.max, using: &seed) }
    switch randomTLV(&seed) {
    case .hello(var hello):
        hello.progress = .init(next: .init(epoch: word(), number: word()), answered: word())
        if Bool.random(using: &seed) { hello.progress?.heard = .init(epoch: word(), number: word()) }
        return .hello(hello)
    case .update(var update):
        update.serial = .init(epoch: word(), number: word())
        return .update(update)
    default:
        let ranges = (0..<Int.random(in: 0...BabelTLV.Missing.capacity, using: &seed)).map { _ in
            BabelTLV.Missing.Range(first: word(), count: word())
        }
        return .routeRequest(.init(prefix: nil, missing: .init(epoch: word(), number: word(), ranges: ranges)))
    }
}

@Test
func serialsStandBehindTheBody() {
    var seed = Seed(10)
    for round in 0..<3000 {
        let tlv = randomNumberedTLV(&seed)
        let body = tlv.body
        #expect(body.count <= 71)
        #expect(
            BabelTLV.decode(type: tlv.type, body: body, isNumbered: true) == .tlv(tlv, strayBits: false), "\(round)")
        // To whoever does not look there it is a message without.
        guard case .tlv(let plain, _) = BabelTLV.decode(type: tlv.type, body: body) else {
            Issue.record("\(round): not read")
            return
        }
        #expect(plain.body.elementsEqual(body.prefix(plain.body.count)), "\(round)")
        #expect(plain.body.count < body.count, "\(round)")
        // Cut off, the fields in front are still good.
        for count in plain.body.count..<body.count {
            guard
                case .tlv = BabelTLV.decode(type: tlv.type, body: Array(body.prefix(count)), isNumbered: true)
            else {
                Issue.record("\(round): \(count) bytes")
                return
            }
        }
    }
}

@Test
func serialsHaveTheseBytes() {
    let progress = BabelTLV.Progress(next: .init(epoch: 0x0102, number: 0x0304), answered: 0x0506)
    #expect(
        BabelTLV.hello(.init(seqno: 7, interval: 400, progress: progress)).body == [
            0x80, 0, 0, 7, 1, 0x90, 1, 2, 3, 4, 5, 6,
        ])
    var confirming = progress
    confirming.heard = .init(epoch: 0x0708, number: 0x090A)
    #expect(
        BabelTLV.hello(.init(seqno: 7, interval: 400, progress: confirming)).body == [
            0x80, 0, 0, 7, 1, 0x90, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
        ])
    let missing = BabelTLV.Missing(epoch: 0x0102, number: 3, ranges: [.init(first: 0x0405, count: 6)])
    #expect(BabelTLV.routeRequest(.init(prefix: nil, missing: missing)).body == [0, 0, 0, 1, 2, 0, 3, 4, 5, 0, 6])
    let id = RouterID(key: [UInt8](repeating: 9, count: 32), zone: 0, random: 1)!
    let update = BabelTLV.Update(
        prefix: Prefix("400::/64")!, routerID: id, seqno: 1, metric: 2, interval: 3,
        serial: .init(epoch: 0x0102, number: 0x0304))
    #expect(BabelTLV.update(update).body.suffix(4) == [1, 2, 3, 4])
    #expect(BabelTLV.update(update).body.count == 62)
}

@Test(arguments: [1, 2, 3] as [UInt64])
func whatIsEncodedIsDecoded(number: UInt64) {
    var seed = Seed(number)
    for round in 0..<4000 {
        let tlv = randomTLV(&seed)
        let packet = encoded(tlv)
        #expect(BabelTLVPacket.read(packet) == [.tlv(tlv, strayBits: false)], "seed \(number), round \(round)")
        // Behind the body, and behind what a TLV needs, anything may stand.
        #expect(BabelTLVPacket.read(packet + [9, 9, 9]) == [.tlv(tlv, strayBits: false)], "seed \(number)")
        #expect(
            BabelTLV.decode(type: tlv.type, body: tlv.body + [7, 7]) == .tlv(tlv, strayBits: false),
            "seed \(number), round \(round)")
    }
}

@Test(arguments: [4, 5] as [UInt64])
func truncatedTLVsAreRefused(number: UInt64) {
    var seed = Seed(number)
    for round in 0..<300 {
        let tlv = randomTLV(&seed)
        let body = tlv.body
        for count in 0..<body.count {
            #expect(
                BabelTLV.decode(type: tlv.type, body: Array(body[..<count])) == .refused(.truncated),
                "seed \(number), round \(round), \(count) bytes")
        }
        let packet = encoded(tlv)
        for count in 0..<packet.count {
            #expect(
                BabelTLVPacket.read(Array(packet[..<count])) == [.refused(.truncated)],
                "seed \(number), round \(round), \(count) bytes")
        }
    }
}

/// Whatever comes in, what is understood is canonical: it survives being encoded and read again.
private func expectCanonical(_ readings: [BabelTLVReading], _ what: String) {
    for case .tlv(let tlv, _) in readings {
        #expect(BabelTLV.decode(type: tlv.type, body: tlv.body) == .tlv(tlv, strayBits: false), "\(what)")
    }
}

@Test(arguments: [6, 7] as [UInt64])
func flippedBitsAreReadCanonically(number: UInt64) {
    var seed = Seed(number)
    for _ in 0..<60 {
        let packet = encoded(randomTLV(&seed))
        for bit in 0..<8 * packet.count {
            var changed = packet
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            expectCanonical(BabelTLVPacket.read(changed), "seed \(number), bit \(bit)")
        }
    }
}

@Test(arguments: [8, 9] as [UInt64])
func randomBytesAreReadCanonically(number: UInt64) {
    var seed = Seed(number)
    for _ in 0..<6000 {
        let count = Int.random(in: 0...120, using: &seed)
        var bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &seed) }
        expectCanonical(BabelTLVPacket.read(bytes), "seed \(number)")
        let types: [UInt8] = [4, 5, 8, 9, 10]
        if count >= 7 {
            // A genuine frame around it, so that more than the first check is met.
            bytes.replaceSubrange(
                0..<6, with: [42, 3, 0, UInt8(count - 4), types.randomElement(using: &seed)!, UInt8(count - 6)])
            // Often an encoding that exists.
            if Bool.random(using: &seed) { bytes[6] = 2 }
            expectCanonical(BabelTLVPacket.read(bytes), "seed \(number)")
        }
        let type = UInt8.random(in: 0...12, using: &seed)
        expectCanonical([BabelTLV.decode(type: type, body: bytes)], "seed \(number)")
    }
}

private func encoded(_ tlv: BabelTLV) -> [UInt8] {
    var bytes: [UInt8] = []
    BabelTLVPacket.append(tlv, to: &bytes)
    return bytes
}
