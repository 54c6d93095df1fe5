import HyphaBase
import HyphaWire
import StockModel
import TestVectors
import Testing

/// The model against the recordings of what stock nodes do.
@Test func modelReadsRecordedFrames() throws {
    for name in ["control.json", "live.json"] {
        for entry in try Vectors.load(name)["frames"].array() {
            var decoder = StockDecoder()
            let (frame, name) = (try entry["frame"].bytes(), try entry["name"].string())
            #expect(decoder.receive(frame).count == 1, "\(name)")
            #expect(decoder.state == .running && !decoder.mayAbort && !decoder.controlPlaneStopped)
        }
    }
}

@Test func modelHasTheHabitsOfStock() throws {
    var outcome: [String: StockDecoder] = [:]
    var counts: [String: Int] = [:]
    for entry in try Vectors.load("control.json")["irregular"].array() {
        var decoder = StockDecoder()
        var count = 0
        for chunk in try entry["chunks"].array() { count += decoder.receive(try chunk.bytes()).count }
        outcome[try entry["name"].string()] = decoder
        counts[try entry["name"].string()] = count
    }
    for name in ["protocol version 2", "packet type 2", "two TLVs in one Babel body"] {
        #expect(outcome[name]?.state == .closed, "\(name)")
    }
    for name in ["Babel body length 0", "hello body of 0 bytes"] {
        #expect(outcome[name]?.state == .panicked, "\(name)")
    }
    #expect(counts["two TLVs in one Babel body"] == 1)
    #expect(outcome["route request with an IPv4 prefix"]?.controlPlaneStopped == true)
    for name in ["update for a /65 with bits set beyond it", "route request for a /66 with bits set beyond it"] {
        #expect(outcome[name]?.mayAbort == true, "\(name)")
    }
    // Delayed, not lost: anything more brings the hello out.
    for name in ["unknown TLV, then a hello in a later read", "wrong Babel magic"] {
        #expect(counts[name] == 0)
        #expect(outcome[name]?.receive([1]) == [.hello], "\(name)")
    }
    // Out of step: nothing comes out any more.
    for name in [
        "unknown TLV, then a data packet", "update with prefix length 129", "update wildcard with prefix length 64",
    ] {
        #expect(counts[name] == 0)
        let data = try Make.data(10)
        #expect(outcome[name]?.receive(data) == [], "\(name)")
    }
}

@Test func modelAnswersAndForgets() throws {
    let routerID = [UInt8](repeating: 3, count: 40)
    let prefix = [UInt8](0x40..<0x48)
    var model = StockModel(routerID: routerID, prefix: prefix, now: 0)
    #expect(StockFrame.scan(model.start(), count: 68) == .control(length: 68))
    let hello = try Make.hello(0)
    #expect(model.receive(hello, now: 10).count == 16)
    #expect(model.receive(StockModel.control(type: 9, [0, 0, 0]), now: 11) == model.start())
    #expect(model.advance(to: 19_999).isEmpty)
    #expect(model.advance(to: 20_000).count == 16)
    _ = model.receive(StockModel.control(type: 5, [0, 0, 0, 9, 0, 9]), now: 20_001)
    _ = model.advance(to: 63_000)
    #expect(model.isConnected)
    #expect(model.advance(to: 63_001).isEmpty && model.peerIsDead)
}

/// Whatever passes the outgoing check leaves a stock reader in step.
@Test func whatIsSafeLeavesStockInStep() throws {
    var seed = Seed(8)
    let templates = try Vectors.load("control.json")["frames"].array().map { try $0["frame"].bytes() }
    let hello = try Make.hello(1)
    var safe = 0
    for _ in 0..<20_000 {
        guard var frame = templates.randomElement(using: &seed) else { return }
        for _ in 0..<Int.random(in: 0...3, using: &seed) {
            let i = Int.random(in: 0..<frame.count, using: &seed)
            frame[i] = UInt8.random(in: 0...255, using: &seed)
        }
        if Int.random(in: 0..<5, using: &seed) == 0 { frame.removeLast() }
        guard frame.withUnsafeBytes({ StockSafety.isSafe(control: $0) }) else { continue }
        safe += 1
        var decoder = StockDecoder()
        #expect(decoder.receive(frame).count == 1)
        #expect(decoder.receive(hello) == [.hello])
        #expect(!decoder.mayAbort && !decoder.controlPlaneStopped)
    }
    #expect(safe > 500)
}
