import HyphaBase
import HyphaWire
import TestVectors
import Testing

private func message(_ bytes: [UInt8]) -> StockMessage? { bytes.withUnsafeBytes { StockMessage($0) } }
private func beacon(_ bytes: [UInt8]) -> DiscoveryBeacon? { bytes.withUnsafeBytes { DiscoveryBeacon($0) } }

private func address(_ value: JSON) throws -> IPv6Address { try #require(IPv6Address(try value.string())) }

// MARK: discovery

@Test func recordedBeaconsBothWays() throws {
    let generated = try Vectors.load("discovery.json")["beacon"].bytes()
    let live = try Vectors.load("live.json")
    for bytes in [generated, try live["discovery"]["hex"].bytes()] {
        let parsed = try #require(beacon(bytes))
        #expect(parsed.port == 9_651 && parsed.bytes == bytes)
        #expect(beacon(bytes + [1, 2, 3]) == parsed)
        for count in 0..<bytes.count { #expect(beacon(Array(bytes[..<count])) == nil) }
        for i in 0..<8 {
            var bad = bytes
            bad[i] ^= 0x20
            #expect(beacon(bad) == nil)
        }
    }
    let answered = try live["discovery_answer"]["beacon"].bytes()
    #expect(beacon(answered)?.port == 7_777)
    #expect(DiscoveryBeacon(port: 0, routerID: [UInt8](repeating: 0, count: 40)) == nil)
    #expect(DiscoveryBeacon(port: 1, routerID: [UInt8](repeating: 0, count: 39)) == nil)
}

// MARK: messages

@Test func recordedMessagesBothWays() throws {
    var contents = try Vectors.load("message.json")["packets"].array().map { try $0["content"].bytes() }
    for frame in try Vectors.load("live.json")["frames"].array() where !frame["decoded"]["message"].isNull {
        contents.append(try frame["decoded"]["content"].bytes())
    }
    #expect(contents.count == 21)
    for content in contents {
        let parsed = try #require(message(content))
        #expect(parsed.bytes == content)
        for count in 0..<content.count { #expect(message(Array(content[..<count])) == nil) }
    }
}

@Test func randomMessagesNeverTrap() {
    var seed = Seed(3)
    var parsed = 0
    for _ in 0..<20_000 {
        var bytes = (0..<Int.random(in: 0...80, using: &seed)).map { _ in UInt8.random(in: 0...255, using: &seed) }
        if bytes.count > 10 {
            bytes[8] = [0x80, 0x81, 0x40, 0x41, 0x10, 0x11, 0x08, 0x20, 0x90][Int.random(in: 0..<9, using: &seed)]
        }
        if bytes.count > 36 { for i in 28..<35 { bytes[i] = 0 } }
        guard let value = message(bytes) else { continue }
        parsed += 1
        #expect(message(value.bytes) == value)
    }
    #expect(parsed > 1_000)
}

// MARK: frames

@Test func dataHeadersBothWays() throws {
    for entry in try Vectors.load("data.json")["packets"].array() {
        let frame = try entry["frame"].bytes()
        try frame.withUnsafeBytes { bytes in
            let base = try #require(bytes.baseAddress)
            #expect(StockFrame.scan(base, count: bytes.count) == .data(length: frame.count))
            #expect(StockData.payloadLength(base) == (try entry["payload_length"].number()))
            #expect(StockData.hopLimit(base) == (try entry["hop_limit"].number()))
            #expect(StockData.source(base) == (try address(entry["src"])))
            #expect(StockData.destination(base) == (try address(entry["dst"])))
            for count in 0..<8 { #expect(StockFrame.scan(base, count: count) == .incomplete) }
        }
        let made = StockData.frame(
            Array(frame[40...]), hopLimit: try entry["hop_limit"].number(), source: try address(entry["src"]),
            destination: try address(entry["dst"]))
        #expect(made == frame)
    }
    #expect(StockData.stepped(0) == nil && StockData.stepped(1) == nil && StockData.stepped(2) == 1)
    #expect(
        StockData.frame([UInt8](repeating: 0, count: 65_536), hopLimit: 1, source: .zero, destination: .zero) == nil)
}

@Test func controlFramesBothWays() throws {
    for name in ["control.json", "live.json"] {
        for entry in try Vectors.load(name)["frames"].array() {
            let frame = try entry["frame"].bytes()
            guard frame[1] == 1 else { continue }
            let canonical = entry["canonical"].isNull ? frame : try entry["canonical"].bytes()
            let body = frame.withUnsafeBytes { StockFrame.controlBody($0).map { Array($0) } }
            #expect(body == Array(frame[8...]))
            #expect(StockFrame.control(Array(canonical[8...])) == canonical)
            let name = try entry["name"].string()
            let foreign = ["ihu with IPv4 address", "ihu with IPv6 address", "ihu with link local address"]
            let isSafe = canonical.withUnsafeBytes { StockSafety.isSafe(control: $0) }
            #expect(isSafe == !foreign.contains(name), "\(name)")
            for count in 0..<frame.count {
                let cut = Array(frame[..<count])
                #expect(cut.withUnsafeBytes { StockFrame.controlBody($0) == nil && !StockSafety.isSafe(control: $0) })
            }
        }
    }
}

@Test func marksAndUserHeaders() {
    #expect(NativeMark(0x48, 7) == NativeMark(capabilities: 7))
    #expect(NativeMark(0x47, 7) == nil && NativeMark(0, 0) == nil)
    for first in 0...255 as ClosedRange<UInt8> {
        for second in 0...255 as ClosedRange<UInt8> {
            let parsed = [first, second, 0x48, 3].withUnsafeBytes { bytes in
                bytes.baseAddress.flatMap { StockUserHeader.parse($0) }
            }
            guard first == 1, second < 3 else {
                #expect(parsed == nil)
                continue
            }
            #expect(parsed?.kind.rawValue == second && parsed?.mark == NativeMark(capabilities: 3))
        }
    }
}

// MARK: native packets in stock frames

private func room(_ body: (UnsafeMutableRawPointer) throws -> Void) throws {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 2_048, alignment: 16)
    defer { memory.deallocate() }
    memory.initializeMemory(as: UInt8.self, repeating: 0xEE, count: 2_048)
    try body(memory)
}

private func bytes(_ pointer: UnsafeMutableRawPointer, _ count: Int) -> [UInt8] {
    Array(UnsafeRawBufferPointer(start: pointer, count: count))
}

private func copy(_ bytes: [UInt8], to pointer: UnsafeMutableRawPointer) {
    for (i, byte) in bytes.enumerated() { pointer.storeBytes(of: byte, toByteOffset: i, as: UInt8.self) }
}

@Test func nativePacketsInStockFramesBothWays() throws {
    let entries = try Vectors.load("hl1.json")["entries"].array().filter { try $0["kind"].string() == "stock" }
    #expect(entries.count == 16)
    for entry in entries {
        let name = try entry["name"].string()
        guard try entry["verdict"].string() == "accept" else {
            let payload = try entry["inputs"]["payload"].bytes()
            let isNative = payload.withUnsafeBytes { bytes in
                bytes.baseAddress.map { NativePayload.isNative($0, length: bytes.count) }
            }
            #expect(isNative == false, "\(name)")
            continue
        }
        let packet = try entry["inputs"]["packet"].bytes()
        let output = try entry["output"].bytes()
        let payload = try entry["fields"]["payload"].bytes()
        let rebuilt = try entry["fields"]["rebuilt"].bytes()
        let body = Array(packet[48...])
        try room { memory in
            // In place, as a relay does it: the frame begins 12 bytes before the routing header.
            copy(packet, to: memory + 64)
            let frame = memory + 52
            #expect(NativePayload.write(frame, from: memory + 64, bodyLength: body.count))
            let made = bytes(frame, 60 + body.count)
            #expect(Array(made[40...]) == payload, "\(name)")
            #expect(NativePayload.isNative(frame + 40, length: payload.count))
            if name.contains("stock frame") { #expect(made == output, "\(name)") }
            // Over a native link, unread, and back into a frame.
            let routing = memory + 1_000
            copy(made, to: routing + 8)
            NativePayload.writeStockRoutingHeader(routing, from: routing + 8, flowHash: 0)
            if name.contains("HL1 link") { #expect(bytes(routing, 48 + payload.count) == output, "\(name)") }
            #expect(NativePayload.writeStockFrame(routing + 8, from: routing, bodyLength: payload.count))
            #expect(bytes(routing + 8, made.count) == made)
            // At the destination.
            NativePayload.writeRoutingHeader(frame + 12, from: frame)
            #expect(bytes(frame + 12, 48 + body.count) == rebuilt, "\(name)")
        }
    }
}

@Test func onlyTypesThatAFrameHoldsAreWritten() throws {
    try room { memory in
        let nowhere = IPv6Address(high: 0, low: 0)
        for type in 0..<16 as Range<UInt8> {
            RoutingHeader.write(memory, kind: .data, hopLimit: 9, flowHash: 3, source: nowhere, destination: nowhere)
            memory.storeBytes(of: type << 4 | 3, as: UInt8.self)
            #expect(NativePayload.write(memory + 100, from: memory, bodyLength: 10) == (type <= 3))
            #expect(NativePayload.writeStockFrame(memory + 100, from: memory, bodyLength: 10) == (type == 4))
        }
        RoutingHeader.write(memory, kind: .data, hopLimit: 9, flowHash: 3, source: nowhere, destination: nowhere)
        #expect(NativePayload.write(memory + 100, from: memory, bodyLength: 65_515))
        #expect(!NativePayload.write(memory + 100, from: memory, bodyLength: 65_516))
        #expect(!NativePayload.write(memory + 100, from: memory, bodyLength: -1))
    }
}

// MARK: out-of-band ICMP

@Test func reportsOfRelaysBothWays() throws {
    for entry in try Vectors.load("icmp.json")["oob"].array() {
        let frame = try entry["original_frame"].bytes()
        let content = try entry["inner"].bytes()
        let message: ICMPv6.Message = try entry["icmp_type"].number(Int.self) == 3 ? .timeExceeded : .noRoute
        let relay = try address(entry["icmp_src"])
        try room { memory in
            let length = frame.withUnsafeBytes { StockICMP.write(message, about: $0, relay: relay, to: memory) }
            #expect(bytes(memory, length) == content)
            let report = StockICMP.parse(memory, length: length)
            let type = try entry["icmp_type"].number(UInt8.self)
            #expect(report?.target == IPv6Address(bytes: frame[24..<40]))
            #expect(report?.type == type && report?.quoteLength == content.count - 64)
            for size in [0, 1, 63, StockICMP.maxSize + 1, 65_535] {
                #expect(StockICMP.parse(memory, length: size) == nil)
            }
            for type in 0...255 as ClosedRange<UInt8> {
                memory.storeBytes(of: type, toByteOffset: 56, as: UInt8.self)
                #expect((StockICMP.parse(memory, length: length) != nil) == (1...127).contains(type))
            }
            let cut = Array(frame.dropLast())
            #expect(cut.withUnsafeBytes { StockICMP.write(message, about: $0, relay: relay, to: memory) } == 0)
        }
    }
}

/// What the own node tells its own host: made by the general writer.
@Test func localErrorsAsRecorded() throws {
    for entry in try Vectors.load("icmp.json")["local"].array() where !entry["icmp_packet"].isNull {
        let trigger = try entry["trigger"].bytes()
        guard try entry["code"].number(Int.self) == 3 else { continue }
        let expected = try entry["icmp_packet"].bytes()
        let source = try #require(IPv6Address(bytes: trigger[8..<24]))
        try room { memory in
            let length = trigger.withUnsafeBytes {
                ICMPv6.writeError(.addressUnreachable, about: $0, source: source, to: memory)
            }
            #expect(bytes(memory, length) == expected)
        }
    }
}

extension IPv6Address {
    fileprivate static let zero = IPv6Address(high: 0, low: 0)
}
