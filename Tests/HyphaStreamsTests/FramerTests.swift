import HyphaBase
import HyphaPacket
import HyphaStreams
import HyphaWire
import StockModel
import TestVectors
import Testing

/// A stream of frames of all sizes and kinds, and what should come out of it.
private func mixedStream(_ seed: inout Seed, frames: Int) throws -> (stream: [UInt8], out: [Rig.Out]) {
    var stream: [UInt8] = []
    var out: [Rig.Out] = []
    for i in 0..<frames {
        switch Int.random(in: 0..<10, using: &seed) {
        case 0...3:
            let frame = try Make.hello(UInt16(i))
            stream += frame
            out.append(Rig.Out(kind: .control, bytes: frame))
        case 4: stream += [1, 1, 0, 0, 42, 3, 0, 0]
        case 5: stream += [1, 1, 9, 9, 42, 3, 0, 1, 4]
        case 6: stream += [1, 1, 0, 0, 41, 3, 0, 3, 1, 2, 3]
        case 7:
            let frame = try Make.data(Int.random(in: 0...9_000, using: &seed), fill: UInt8(truncatingIfNeeded: i))
            stream += frame
            out.append(Rig.Out(kind: .data, bytes: frame))
        default:
            let frame = try Make.data(Int.random(in: 0...1_500, using: &seed), fill: UInt8(truncatingIfNeeded: i))
            stream += frame
            out.append(Rig.Out(kind: .data, bytes: frame))
        }
    }
    return (stream, out)
}

@Test func anyChunkingGivesTheSameFrames() throws {
    var seed = Seed(1)
    for round in 0..<60 {
        let (stream, expected) = try mixedStream(&seed, frames: 40)
        let rig = Rig()
        var frames: [Rig.Out] = []
        var position = 0
        let largest = [1, 3, 9, 50, 2_000, 60_000][round % 6]
        while position < stream.count {
            let size = min(stream.count - position, Int.random(in: 1...largest, using: &seed))
            let (some, end) = try rig.receive(Array(stream[position..<position + size]))
            #expect(end == nil)
            frames += some
            position += size
            #expect(rig.isBalanced)
        }
        #expect(frames == expected)
        #expect(!rig.framer.isInsideFrame)
        #expect(rig.memory.slotsHeld == 0 && rig.memory.slabsHeld == 0)
    }
}

@Test func aFrameInsideOneReceiveIsNotCopied() throws {
    let rig = Rig()
    let slab = try #require(rig.pool.takeSlab())
    let frame = try Make.data(1_000)
    (rig.pool.base(slab) + 200).copyBytes(frame + frame.prefix(50))
    var input = Train.Piece(buffer: slab, offset: 200, length: UInt32(frame.count + 50))
    guard case .frame(let first) = rig.framer.next(&input, rig.memory) else {
        Issue.record("no frame")
        return
    }
    #expect(first.buffer == slab && first.offset == 200 && first.length == 1_040)
    #expect(rig.pool.holders(slab) == 2)
    guard case .exhausted = rig.framer.next(&input, rig.memory) else {
        Issue.record("a second frame")
        return
    }
    // The rest is copied: the slab is free once its holders let go.
    #expect(rig.pool.holders(slab) == 2 && rig.memory.slotsHeld == 1)
    rig.pool.release(slab)
    rig.pool.release(slab)
    #expect(rig.pool.freeSlabCount == rig.pool.slabCount)
    rig.framer.close(rig.memory)
    #expect(rig.pool.freeSlotCount == rig.pool.slotCount)
}

@Test func recordedFramesPass() throws {
    for name in ["control.json", "live.json"] {
        for entry in try Vectors.load(name)["frames"].array() {
            let frame = try entry["frame"].bytes()
            let rig = Rig()
            let (frames, end) = try rig.receive(frame)
            #expect(end == nil)
            let kind: StockFrame.Kind = frame[1] == 0 ? .data : .control
            #expect(frames == [Rig.Out(kind: kind, bytes: frame)])
            for cut in 1..<frame.count {
                let split = Rig()
                #expect(try split.receive(Array(frame[..<cut])).frames.isEmpty)
                #expect(try split.receive(Array(frame[cut...])).frames == frames)
            }
        }
    }
}

@Test func irregularInputKeepsTheStreamInStep() throws {
    let hello = try Make.hello(77)
    for entry in try Vectors.load("control.json")["irregular"].array() {
        let rig = Rig()
        var end: StreamEnd?
        for chunk in try entry["chunks"].array() {
            let result = try rig.receive(try chunk.bytes())
            end = end ?? result.end
        }
        let shouldClose = try entry["we_should"].string() == "close"
        let name = try entry["name"].string()
        #expect((end != nil) == shouldClose, "\(name)")
        if !shouldClose {
            let after = try rig.receive(hello)
            #expect(after.frames == [Rig.Out(kind: .control, bytes: hello)])
        }
    }
}

@Test func badHeadersCloseAtTheirFirstByte() throws {
    #expect(try Rig().receive([2]).end == .badVersion)
    #expect(try Rig().receive([0, 0]).end == .badVersion)
    #expect(try Rig().receive([1, 2]).end == .badType)
    #expect(try Rig().receive([1, 1, 0xFF, 0xFF]).end == nil)
    let rig = Rig()
    #expect(try rig.receive([2]).end == .badVersion)
    #expect(try rig.receive(try Make.hello(1)).end == .badVersion)
}

@Test func framesTooLongForABufferArePassedOver() throws {
    let long = try Make.data(65_535)
    let fitting = try Make.data(65_496)
    let hello = try Make.hello(3)
    let rig = Rig()
    var frames: [Rig.Out] = []
    for chunk in [long, hello, fitting, hello] {
        for start in stride(from: 0, to: chunk.count, by: 30_000) {
            frames += try rig.receive(Array(chunk[start..<min(chunk.count, start + 30_000)])).frames
            #expect(rig.framer.heldBytes <= 65_536)
        }
    }
    #expect(frames.map(\.bytes) == [hello, fitting, hello])
    #expect(rig.framer.tooLong == 1)
}

@Test func withoutABufferTheFrameIsPassedOver() throws {
    let rig = Rig(slots: 1, assemblySlots: 0, assemblySlabs: 0)
    let frame = try Make.data(500)
    let hello = try Make.hello(9)
    #expect(try rig.receive(Array(frame[..<100])).frames.isEmpty)
    #expect(try rig.receive(Array(frame[100...]) + hello).frames == [Rig.Out(kind: .control, bytes: hello)])
    #expect(rig.framer.unbuffered == 1)
    let long = try Make.data(5_000)
    #expect(try rig.receive(Array(long[..<100])).frames.isEmpty)
    #expect(try rig.receive(Array(long[100...]) + hello).frames.count == 1)
    #expect(rig.framer.unbuffered == 2 && rig.isBalanced)
}

@Test func randomBytesNeverTrapTheFramer() throws {
    var seed = Seed(5)
    for round in 0..<400 {
        let rig = Rig()
        var stream: [UInt8]
        if round % 2 == 0 {
            stream = Make.bytes(Int.random(in: 0...400, using: &seed), &seed)
        } else {
            stream = try mixedStream(&seed, frames: 6).stream
            for _ in 0..<Int.random(in: 1...8, using: &seed) where !stream.isEmpty {
                let bit = Int.random(in: 0..<stream.count * 8, using: &seed)
                stream[bit / 8] ^= 1 << UInt8(bit % 8)
            }
            stream.removeLast(Int.random(in: 0...stream.count, using: &seed))
        }
        var position = 0
        while position < stream.count {
            let size = min(stream.count - position, Int.random(in: 1...700, using: &seed))
            let (_, end) = try rig.receive(Array(stream[position..<position + size]))
            position += size
            #expect(rig.isBalanced && rig.framer.heldBytes <= 65_536)
            if end != nil { break }
        }
        rig.framer.close(rig.memory)
        #expect(rig.memory.slotsHeld == 0 && rig.memory.slabsHeld == 0 && rig.isBalanced)
    }
}
