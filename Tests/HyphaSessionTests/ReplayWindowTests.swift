import Foundation
import HyphaBase
import HyphaSession
import Testing

/// The replay window against a set of all counters ever seen.
struct ReplayWindowTests {
    /// The slow model: remembers everything.
    struct Model {
        var seen: Set<UInt64> = []
        var highest: UInt64?
        /// Counters below are refused whatever was seen.
        var floor: UInt64 = 0
        var bits: UInt64

        func isFresh(_ counter: UInt64) -> Bool {
            guard counter != .max else { return false }
            guard let highest, counter <= highest else { return true }
            return highest - counter <= bits - 64 && counter >= floor && !seen.contains(counter)
        }

        mutating func commit(_ counter: UInt64) -> Bool {
            guard isFresh(counter) else { return false }
            seen.insert(counter)
            highest = max(highest ?? 0, counter)
            return true
        }

        mutating func grow(_ newBits: UInt64) {
            if let highest, highest > bits - 64 { floor = max(floor, highest - (bits - 64)) }
            bits = newBits
        }
    }

    /// A window and its bitmap, full of rubbish at first as memory in use is.
    final class Window {
        var window: ReplayWindow
        var bitmap: UnsafeMutablePointer<UInt64>

        init(bits: UInt32) {
            window = ReplayWindow(bits: bits)
            bitmap = .allocate(capacity: Int(bits) / 64)
            bitmap.initialize(repeating: 0xAAAA_5555_FFFF_0001, count: Int(bits) / 64)
        }

        deinit { bitmap.deallocate() }

        func grow(_ bits: UInt32) {
            let new = UnsafeMutablePointer<UInt64>.allocate(capacity: Int(bits) / 64)
            new.initialize(repeating: .max, count: Int(bits) / 64)
            window.grow(to: bits, from: bitmap, into: new)
            bitmap.deallocate()
            bitmap = new
        }

        func isFresh(_ counter: UInt64) -> Bool { window.isFresh(counter, bitmap) }
        func commit(_ counter: UInt64) -> Bool { window.commit(counter, bitmap) }
    }

    static func entries() throws -> [[String: Any]] {
        let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Vectors/hl1.json")
        let all = try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any]
        return (all?["entries"] as? [[String: Any]] ?? []).filter { $0["kind"] as? String == "window" }
    }

    @Test func vectors() throws {
        let entries = try ReplayWindowTests.entries()
        #expect(entries.count == 2)
        for entry in entries {
            let bits = try #require((entry["inputs"] as? [String: Any])?["bits"] as? NSNumber).uint32Value
            let steps = try #require(entry["output"] as? [[NSNumber]])
            let window = Window(bits: bits)
            for step in steps {
                let counter = step[0].uint64Value
                #expect(window.isFresh(counter) == step[1].boolValue, "\(bits) bits, counter \(counter)")
                #expect(window.commit(counter) == step[1].boolValue, "\(bits) bits, counter \(counter)")
            }
        }
    }

    /// Counters near the edges of what was seen, small and large steps, growth in between.
    @Test(arguments: 0..<20 as Range<UInt64>) func likeTheModel(seed: UInt64) {
        var random = Seed(seed)
        let sizes: [UInt32] = [256, 1_024, 4_096, 16_384, 32_768]
        var size = Int.random(in: 0..<3, using: &random)
        let window = Window(bits: sizes[size])
        var model = Model(bits: UInt64(sizes[size]))
        for step in 0..<4_000 {
            let top = model.highest ?? UInt64.random(in: 0...100_000, using: &random)
            let counter: UInt64
            switch Int.random(in: 0..<8, using: &random) {
            case 0...2: counter = top &+ UInt64.random(in: 0...3, using: &random)
            case 3, 4: counter = top &- min(top, UInt64.random(in: 0...(model.bits + 70), using: &random))
            case 5:
                // Around the edge of the window.
                let edge = model.bits - 64 + UInt64.random(in: 0...4, using: &random)
                counter = (top &- min(top, edge)) &+ UInt64.random(in: 0...2, using: &random)
            case 6: counter = top &+ UInt64.random(in: 0...(2 * model.bits), using: &random)
            default: counter = UInt64.random(in: 0...(top &+ 1), using: &random)
            }
            let expected = model.isFresh(counter)
            if window.isFresh(counter) != expected {
                Issue.record("seed \(seed), step \(step): counter \(counter) fresh \(!expected)")
                return
            }
            if Bool.random(using: &random) {
                #expect(window.commit(counter) == model.commit(counter), "seed \(seed), step \(step)")
            }
            if Int.random(in: 0..<700, using: &random) == 0, size + 1 < sizes.count {
                size = Int.random(in: (size + 1)..<sizes.count, using: &random)
                window.grow(sizes[size])
                model.grow(UInt64(sizes[size]))
            }
        }
    }

    @Test func endOfTheCounters() {
        let window = Window(bits: 256)
        var model = Model(bits: 256)
        for counter in [.max - 1, .max, .max - 1, .max - 2, .max - 193, .max - 194, .max - 195, 0] as [UInt64] {
            #expect(window.commit(counter) == model.commit(counter), "counter \(counter)")
        }
    }

    @Test func packetsOfASecond() {
        var window = ReplayWindow(bits: 256)
        #expect([1, 1, 1, 2, 2, 1].map { window.countPacket(second: $0) } == [1, 2, 3, 1, 2, 1])
    }
}
