import CAEAD
import CAllocHook
import HyphaBase
import HyphaSession
import HyphaWire
import TestVectors
import Testing

@Test func sealedPacketsBothWays() throws {
    let packets = try Vectors.load("data.json")["packets"].array()
    #expect(packets.count == 12)
    for entry in packets {
        let name = try entry["name"].string()
        let frame = try entry["frame"].bytes()
        let key = try entry["key"].bytes()
        #expect(sharedSecret(try entry["receiver_secret_key"].bytes(), try entry["sender_public_key"].bytes()) == key)
        let bench = try StockBench(key: key)
        let header = try entry["user_header"].bytes()
        let body = try bench.receive(frame)
        if !entry["to_host"].isNull {
            let expected = try entry["to_host"].bytes()
            #expect(body == .packet(offset: 4, length: expected.count), "\(name)")
            #expect(bench.bytes(expected.count, at: 4) == expected, "\(name)")
        } else if try entry["delivered"].bool() {
            #expect(body == .message(offset: 4, length: try entry["inner"].bytes().count), "\(name)")
        } else {
            #expect(body == .refused(name.contains("shorter") ? .badPacket : .unknownKind), "\(name)")
        }
        // Made again, byte for byte, where the user header is one that we write.
        guard header[2] == 0, let kind = StockUserHeader.Kind(rawValue: header[1]), header[0] == 1 else { continue }
        let made = bench.seal(try entry["inner"].bytes(), kind: kind, nonce: StockNonce(try entry["nonce"].bytes()))
        #expect(made == Array(frame[40...]), "\(name)")
    }
}

@Test func tamperedPacketsAreRefused() throws {
    let file = try Vectors.load("data.json")
    for entry in try file["tampered"].array() {
        let bench = try StockBench(key: try file["example_key"].bytes())
        let frame = try entry["frame"].bytes()
        guard try entry["decrypts"].bool() else {
            #expect(try bench.receive(frame) == .refused(.notAuthentic))
            continue
        }
        let name = try entry["name"].string()
        if name.contains("reflected") {
            // Opens, as it does at a stock node, but its inner addresses are not the outer ones; and once the prefix of
            // its nonce is known to be ours, it is not even opened.
            #expect(try bench.receive(frame) == .refused(.foreignAddress))
            let nonce = StockNonce(Array(frame.suffix(12)))
            #expect(bench.prefixes.insert(nonce.prefix))
            #expect(try bench.receive(frame) == .refused(.reflected))
        } else {
            guard case .packet = try bench.receive(frame) else {
                Issue.record("\(name)")
                continue
            }
            #expect(bench.memory.load(fromByteOffset: 11, as: UInt8.self) == 8)
        }
    }
}

@Test func liveFramesOpenWithTheirKeys() throws {
    let file = try Vectors.load("live.json")
    var kinds: [String: Int] = [:]
    for entry in try file["frames"].array() where !entry["decoded"]["data"].isNull {
        let frame = try entry["frame"].bytes()
        let decoded = entry["decoded"]
        let pair = try decoded["key_between"].array().map { try $0.string() }
        let secret = sharedSecret(
            try file["keys"][pair[1]]["secret"].bytes(), try file["keys"][pair[0]]["public"].bytes())
        #expect(secret == (try decoded["shared_secret"].bytes()))
        let bench = try StockBench(key: secret)
        let payload = Array(frame[40...])
        #expect(bench.open(payload) == nil)
        let plaintext = try decoded["plaintext"].bytes()
        #expect(bench.bytes(plaintext.count) == plaintext)
        let kind = try #require(StockUserHeader.Kind(rawValue: plaintext[1]))
        kinds["\(kind)", default: 0] += 1
        let made = bench.seal(
            Array(plaintext[4...]), kind: kind, nonce: StockNonce(try decoded["nonce"].bytes()))
        #expect(made == payload)
        // One ends at the first relay.
        guard StockData.stepped(frame[7]) != nil else { continue }
        let body = try bench.receive(frame)
        switch (kind, body) {
        case (.ipv6, .packet), (.message, .message), (.icmp, .report): break
        default: Issue.record("\(try entry["name"].string()): \(body)")
        }
    }
    #expect(kinds == ["ipv6": 6, "message": 7, "icmp": 3])
}

@Test func reportsGiveTheHostItsPacket() throws {
    for entry in try Vectors.load("icmp.json")["oob"].array() {
        let name = try entry["name"].string()
        let secret = try entry["receiver_secret_key"].bytes()
        let relay = try StockBench(key: sharedSecret(secret, try entry["sender_public_key"].bytes()))
        let target = try StockBench(key: sharedSecret(secret, try entry["original_target_public_key"].bytes()))
        let frame = try entry["frame"].bytes()
        let original = try entry["original_frame"].bytes()
        // The node knows that the quoted body is its own, and opens it all the same.
        #expect(target.prefixes.insert(StockNonce(Array(original.suffix(12))).prefix))
        let body = try relay.receive(frame)
        guard !entry["to_host"].isNull else {
            #expect(body == .refused(.badReport), "\(name)")
            continue
        }
        guard case .report(let report, offset: 4) = body else {
            Issue.record("\(name): \(body)")
            continue
        }
        let content = relay.bytes(frame.count - 40 - StockPayload.overhead, at: 4)
        #expect(content == (try entry["inner"].bytes()))
        let source = try #require(IPv6Address(bytes: frame[8..<24]))
        let destination = try #require(IPv6Address(bytes: frame[24..<40]))
        func unwrap(_ report: StockICMP.Report, to destination: IPv6Address) -> StockBody {
            target.load(content)
            let why = StockFlow.describeQuote(target.job, content: target.memory, report: report, key: target.key)
            guard why == nil else { return .refused(.badReport) }
            caead_open(target.context, target.job, 1)
            guard target.job.pointee.ok == 1 else { return .refused(.notAuthentic) }
            return StockFlow.unwrapQuote(
                target.memory, report: report, source: source, destination: destination, hopLimit: frame[7] - 1)
        }
        let expected = try entry["to_host"].bytes()
        #expect(unwrap(report, to: destination) == .packet(offset: 20, length: expected.count))
        #expect(target.bytes(expected.count, at: 20) == expected, "\(name)")
        // About a packet of somebody else, or to somebody else.
        #expect(unwrap(report, to: source) == .refused(.foreignAddress))
        var other = report
        other.target = source
        #expect(unwrap(other, to: destination) == .refused(.foreignAddress))
        other.quoteLength = 31
        #expect(unwrap(other, to: destination) == .refused(.badReport))
        other.quoteLength = report.quoteLength - 1
        #expect(unwrap(other, to: destination) == .refused(.notAuthentic))
    }
}

@Test func aQuotedNativePacketIsAHint() throws {
    let bench = try StockBench(key: [UInt8](repeating: 9, count: 32))
    let node = IPv6Address(high: 0x0400_0000_0000_0001, low: 1)
    let relay = IPv6Address(high: 0x0400_0000_0000_0002, low: 0)
    let target = IPv6Address(high: 0x0400_0000_0000_0003, low: 3)
    let native = [0x48, 0x45, 0x31, 0x01] + [UInt8](repeating: 0, count: 40)
    let frame = try #require(StockData.frame(native, hopLimit: 1, source: node, destination: target))
    let content = UnsafeMutableRawPointer.allocate(byteCount: StockICMP.maxSize, alignment: 8)
    defer { content.deallocate() }
    let length = frame.withUnsafeBytes { StockICMP.write(.timeExceeded, about: $0, relay: relay, to: content) }
    let payload = bench.seal(
        Array(UnsafeRawBufferPointer(start: content, count: length)), kind: .icmp,
        nonce: StockNonce(prefix: 5, counter: 6))
    let answer = try #require(StockData.frame(payload, hopLimit: 63, source: relay, destination: node))
    guard case .nativeReport(let report, offset: 4) = try bench.receive(answer) else {
        Issue.record("not a hint")
        return
    }
    #expect(report.target == target && report.type == 3 && report.quoteLength == 44)
}

@Test func marksTravelSealed() throws {
    let bench = try StockBench(key: [UInt8](repeating: 9, count: 32))
    let mark = NativeMark(capabilities: 5)
    let payload = bench.seal([1, 2, 3], kind: .message, mark: mark, nonce: StockNonce(prefix: 5, counter: 6))
    let nowhere = IPv6Address(high: 0, low: 0)
    #expect(bench.open(payload) == nil)
    #expect(bench.bytes(7) == [1, 1, 0x48, 5, 1, 2, 3])
    let result = StockFlow.unwrap(
        bench.memory, length: payload.count, source: nowhere, destination: nowhere, hopLimit: 1)
    #expect(result.mark == mark && result.body == .message(offset: 4, length: 3))
    StockFlow.release(bench.job)
    #expect(bench.job.pointee.nonce_head == 0)
}

@Test func everyFlippedBitIsRefused() throws {
    let bench = try StockBench(key: [UInt8](repeating: 9, count: 32))
    let payload = bench.seal([1, 2, 3, 4], kind: .message, nonce: StockNonce(prefix: 77, counter: 6))
    #expect(bench.open(payload) == nil)
    for bit in 0..<payload.count * 8 {
        var bad = payload
        bad[bit / 8] ^= 1 << UInt8(bit % 8)
        #expect(bench.open(bad) == .notAuthentic)
    }
    for count in 0..<payload.count {
        #expect(bench.open(Array(payload[..<count])) == (count < 32 ? .tooShort : .notAuthentic))
    }
}

/// Whatever a peer seals, unwrapping it stays inside its bytes.
@Test func randomPlaintextsNeverTrap() throws {
    var seed = Seed(12)
    let bench = try StockBench(key: [UInt8](repeating: 9, count: 32))
    let address = IPv6Address(high: 0x0400_0000_0000_0001, low: 1)
    var packets = 0
    for _ in 0..<20_000 {
        let length = Int.random(in: 0...200, using: &seed)
        var bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &seed) }
        if length > 4, Int.random(in: 0..<8, using: &seed) > 0 {
            bytes[0] = 1
            bytes[1] = UInt8.random(in: 0...2, using: &seed)
        }
        if length >= 72, Bool.random(using: &seed) {
            bytes[4] = 0x60
            bytes[8] = 0
            bytes[9] = UInt8(length - 28 - 4 - 40)
            for i in 0..<16 {
                bytes[12 + i] = address.bytes[i]
                bytes[28 + i] = address.bytes[i]
            }
        }
        bench.load(bytes)
        switch StockFlow.unwrap(bench.memory, length: length, source: address, destination: address, hopLimit: 9).body {
        case .packet(let offset, let count):
            packets += 1
            #expect(offset + count == length - 28 && bench.bytes(count, at: offset)[7] == 9)
        case .message(let offset, let count): #expect(offset + count == length - 28)
        case .report(let report, _), .nativeReport(let report, _): #expect(report.quoteLength + 64 == length - 32)
        case .refused: break
        }
        let report = StockICMP.Report(
            target: address, type: 1, code: 0, parameter: 0, quoteLength: Int.random(in: 0...1_232, using: &seed))
        bench.load([UInt8](repeating: 0, count: 64) + bytes)
        let body = StockFlow.unwrapQuote(
            bench.memory, report: report, source: address, destination: address, hopLimit: 9)
        if case .packet(let offset, let count) = body { #expect(offset + count == 64 + report.quoteLength - 28) }
    }
    #expect(packets > 500)
}

/// A packet sealed, opened, checked for a duplicate and unwrapped, as workers do it.
@Test(.enabled(if: chy_alloc_hook_active() != 0)) func stockBodiesAllocateNothing() throws {
    let bench = try StockBench(key: [UInt8](repeating: 9, count: 32))
    let keys = StockKeys(capacity: 64, hashKey: 1)
    let duplicates = StockDuplicates(capacity: 4, key: 2)
    defer {
        keys.deallocate()
        duplicates.deallocate()
    }
    let address = IPv6Address(high: 0x0400_0000_0000_0001, low: 1)
    let secret = [UInt8](repeating: 9, count: 32)
    _ = keys.insert(address, secret: secret, bench.context)
    var source = StockNonceSource()
    source.renew(prefix: 4)
    var good = 0
    func round() {
        guard let slot = keys.find(address), let nonce = source.next() else { return }
        bench.memory.initializeMemory(as: UInt8.self, repeating: 0, count: 1_404)
        bench.memory.storeBytes(of: 0x60, toByteOffset: 4, as: UInt8.self)
        bench.memory.storeBytes(of: UInt16(1_360).bigEndian, toByteOffset: 8, as: UInt16.self)
        address.store(to: bench.memory + 12)
        address.store(to: bench.memory + 28)
        StockFlow.describeSeal(
            bench.job, payload: bench.memory, contentLength: 1_400, kind: .ipv6, mark: nil, nonce: nonce,
            key: keys.key(slot))
        caead_seal(bench.context, bench.job, 1)
        let why = StockFlow.describeOpen(
            bench.job, payload: bench.memory, length: 1_432, key: keys.key(slot), own: bench.prefixes)
        guard why == nil else { return }
        caead_open(bench.context, bench.job, 1)
        let seen = StockFlow.nonce(bench.memory, length: 1_432)
        guard bench.job.pointee.ok == 1,
            duplicates.admit(seen, owner: slot, place: &keys.peer(slot).pointee.duplicates)
        else { return }
        let body = StockFlow.unwrap(
            bench.memory, length: 1_432, source: address, destination: address, hopLimit: 61
        ).body
        if case .packet(offset: 4, length: 1_400) = body { good += 1 }
    }
    for _ in 0..<100 { round() }
    let before = chy_alloc_hook_count()
    for _ in 0..<5_000 { round() }
    #expect(chy_alloc_hook_count() == before)
    #expect(good == 5_100)
}
