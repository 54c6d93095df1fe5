import HyphaBase
import HyphaPacket
import HyphaStreams
import HyphaWire
import Testing

private func gather(_ pieces: some Sequence<Train.Piece>, _ pool: PacketPool) -> [UInt8] {
    pieces.flatMap { piece in
        Array(UnsafeRawBufferPointer(start: pool.base(piece.buffer) + Int(piece.offset), count: Int(piece.length)))
    }
}

@Test(arguments: 0..<20) func queueEqualsTheSlowOne(run: Int) throws {
    var seed = Seed(UInt64(run) &+ 100)
    var limits = StreamLimits()
    limits.dataPackets = [4, 16, 256][run % 3]
    limits.dataBytes = [9_000, 30_000, 524_288][run / 3 % 3]
    limits.controlFrames = [3, 64][run % 2]
    limits.controlBytes = 4_000
    limits.writeBytes = [3_000, 65_536][run / 2 % 2]
    limits.linkSlots = [20, 8_192][run / 4 % 2]
    limits.freshPackets = [2, 16][run % 2]
    // Just before its microseconds begin anew.
    var time = (UInt64(1) << 32) - 40_000
    let rig = Rig(slabs: 1, slots: 600)
    var queue = StreamQueue()
    var slow = SlowQueue(limits: limits)
    let room = 40
    let pieces = UnsafeMutableBufferPointer<Train.Piece>.allocate(capacity: room)
    pieces.initialize(repeating: Train.Piece(buffer: 0, offset: 0, length: 0))
    defer { pieces.deallocate() }
    var queued = 0
    var gone = 0
    var stale = 0
    for step in 0..<3_000 {
        switch Int.random(in: 0..<10, using: &seed) {
        case 0, 1:
            let frame = try Make.hello(UInt16(truncatingIfNeeded: step))
            let admission = frame.withUnsafeBytes { queue.append(control: $0, limits, rig.memory) }
            let accepted = slow.append(control: frame)
            #expect(admission == StreamAdmission(accepted ? .queued : .noRoom))
            queued += accepted ? 1 : 0
        case 2...7:
            let flow = [3, 3, 3, 9, Int.random(in: 0..<64, using: &seed)][Int.random(in: 0..<5, using: &seed)]
            let size = [40, 1_400, 1_900, 6_000][Int.random(in: 0..<4, using: &seed)]
            let frame = try Make.data(size, source: UInt64(step))
            time += UInt64.random(in: 0...[10, 2_000, 9_000][step / 100 % 3], using: &seed)
            let pace = StreamPace(
                drained: [0, 3_000, 40_000, 200_000][step / 70 % 4], isSteady: step / 200 % 2 == 1,
                microseconds: UInt32(truncatingIfNeeded: time))
            let admission = frame.withUnsafeBytes { queue.append(data: $0, flow: flow, pace, limits, rig.memory) }
            let expected = slow.append(data: frame, flow: flow, pace)
            stale += pace.isSteady ? expected.displaced : 0
            #expect(admission == StreamAdmission(expected.queued ? .queued : .noRoom, displaced: expected.displaced))
            queued += expected.queued ? 1 : 0
        default:
            let count = queue.nextWrite(pieces, limits, rig.memory)
            let bytes = gather(pieces[..<count], rig.pool)
            #expect(bytes == slow.nextWrite(pieces: room))
            #expect(queue.nextWrite(pieces, limits, rig.memory) == 0)
            let taken =
                Int.random(in: 0..<3, using: &seed) == 0 ? bytes.count : Int.random(in: 0...bytes.count, using: &seed)
            let done = queue.written(taken, rig.memory)
            #expect(done.data + done.control == slow.written(taken))
            gone += done.data + done.control
        }
        #expect(queue.dataPackets == slow.allData.count && queue.controlFrames == slow.allControl.count)
        #expect(queue.dataBytes == slow.allData.reduce(0) { $0 + $1.bytes.count })
        #expect(queue.dataBytes <= max(limits.dataBytes, 200_000) && queue.slots <= max(limits.linkSlots, 64))
        #expect(queued == gone + slow.dropped + slow.waiting)
        #expect(rig.memory.slotsHeld == queue.slots && rig.isBalanced)
    }
    #expect(stale > 0)
    let left = slow.waiting
    let discarded = queue.discard(rig.memory)
    #expect(discarded.data + discarded.control == left && queue.isEmpty)
    #expect(rig.pool.freeSlotCount == rig.pool.slotCount)
}

@Test func controlOvertakesDataThatWasNotWritten() throws {
    let rig = Rig(slabs: 1, slots: 16)
    var queue = StreamQueue()
    let limits = StreamLimits()
    let pieces = UnsafeMutableBufferPointer<Train.Piece>.allocate(capacity: 8)
    defer { pieces.deallocate() }
    let data = try (0..<3).map { try Make.data(100, source: UInt64($0)) }
    for frame in data {
        #expect(
            frame.withUnsafeBytes { queue.append(data: $0, flow: 1, StreamPace(), limits, rig.memory) }.fate == .queued)
    }
    #expect(queue.nextWrite(pieces, limits, rig.memory) == 3)
    let hello = try Make.hello(1)
    #expect(hello.withUnsafeBytes { queue.append(control: $0, limits, rig.memory) }.fate == .queued)
    // The first frame goes in part: it must end before anything else begins.
    #expect(queue.written(10, rig.memory) == StreamQueue.Written())
    let count = queue.nextWrite(pieces, limits, rig.memory)
    #expect(gather(pieces[..<count], rig.pool) == Array(data[0][10...]) + hello + data[1] + data[2])
    _ = queue.written(3 * 140 - 10 + hello.count, rig.memory)
    #expect(queue.isEmpty && rig.memory.slotsHeld == 0)
}

@Test func framesInFlightAreNotDropped() throws {
    let rig = Rig(slabs: 1, slots: 16)
    var queue = StreamQueue()
    var limits = StreamLimits()
    limits.dataPackets = 3
    let pieces = UnsafeMutableBufferPointer<Train.Piece>.allocate(capacity: 8)
    defer { pieces.deallocate() }
    let data = try (0..<5).map { try Make.data(100, source: UInt64($0)) }
    func append(_ i: Int) -> StreamAdmission {
        data[i].withUnsafeBytes { queue.append(data: $0, flow: 1, StreamPace(), limits, rig.memory) }
    }
    for i in 0..<3 { #expect(append(i).fate == .queued) }
    #expect(queue.nextWrite(pieces, limits, rig.memory) == 3)
    #expect(append(3) == StreamAdmission(.noRoom))
    _ = queue.discard(rig.memory)
    #expect(gather(pieces[..<3], rig.pool) == data[0] + data[1] + data[2])
    #expect(queue.dataPackets == 3)
    _ = queue.written(data[0].count, rig.memory)
    #expect(append(3).fate == .queued)
    #expect(append(4) == StreamAdmission(.queued, displaced: 1))
    #expect(queue.nextWrite(pieces, limits, rig.memory) == 3)
    #expect(gather(pieces[..<3], rig.pool) == data[2] + data[3] + data[4])
    _ = queue.written(0, rig.memory)
    #expect(queue.discard(rig.memory).data == 3 && rig.memory.slotsHeld == 0)
}
