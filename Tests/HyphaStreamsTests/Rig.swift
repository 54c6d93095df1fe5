import HyphaBase
import HyphaPacket
import HyphaStreams
import HyphaWire
import Testing

/// Packet memory and one framer, fed with arrays.
final class Rig {
    let pool: PacketPool
    let memory: StreamMemory
    var framer = StreamFramer()

    init(slabs: Int = 4, slots: Int = 64, queueSlots: Int? = nil, assemblySlots: Int = 8, assemblySlabs: Int = 2) {
        pool = PacketPool(slabs: slabs, slots: slots)
        memory = StreamMemory(
            pool: pool, queueSlots: queueSlots ?? slots, assemblySlots: assemblySlots, assemblySlabs: assemblySlabs)
    }

    deinit {
        memory.deallocate()
        pool.deallocate()
    }

    struct Out: Equatable {
        var kind: StockFrame.Kind
        var bytes: [UInt8]
    }

    /// All frames that one receive completes, and how it ended.
    func receive(_ chunk: [UInt8]) throws -> (frames: [Out], end: StreamEnd?) {
        let slab = try #require(pool.takeSlab())
        defer { pool.release(slab) }
        var frames: [Out] = []
        var start = 0
        repeat {
            let part = chunk[start..<min(chunk.count, start + PacketPool.slabCapacity)]
            start += part.count
            (pool.base(slab) + PacketPool.slabHeadroom).copyBytes(part)
            var input = Train.Piece(buffer: slab, offset: UInt32(PacketPool.slabHeadroom), length: UInt32(part.count))
            events: while true {
                switch framer.next(&input, memory) {
                case .frame(let frame):
                    frames.append(Out(kind: frame.kind, bytes: Array(frame.bytes(in: pool))))
                    pool.release(frame.buffer)
                case .exhausted:
                    #expect(input.length == 0)
                    break events
                case .failed(let end): return (frames, end)
                }
            }
        } while start < chunk.count
        return (frames, nil)
    }

    /// Nothing is held but the assembly of one frame.
    var isBalanced: Bool {
        pool.slabCount - pool.freeSlabCount == memory.slabsHeld
            && pool.slotCount - pool.freeSlotCount == memory.slotsHeld
    }
}

extension UnsafeMutableRawPointer {
    func copyBytes(_ bytes: some Collection<UInt8>) {
        for (i, byte) in bytes.enumerated() { storeBytes(of: byte, toByteOffset: i, as: UInt8.self) }
    }
}

/// Frames for tests.
enum Make {
    static func data(_ count: Int, source: UInt64 = 1, destination: UInt64 = 2, fill: UInt8 = 7) throws -> [UInt8] {
        try #require(
            StockData.frame(
                [UInt8](repeating: fill, count: count), hopLimit: 64,
                source: IPv6Address(high: 0x0400_0000_0000_0000, low: source),
                destination: IPv6Address(high: 0x0500_0000_0000_0000, low: destination)))
    }

    static func hello(_ seqno: UInt16) throws -> [UInt8] {
        try #require(
            StockFrame.control([4, 6, 0x80, 0, UInt8(seqno >> 8), UInt8(truncatingIfNeeded: seqno), 0x07, 0xD0]))
    }

    static func bytes(_ count: Int, _ seed: inout Seed) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0...255, using: &seed) }
    }
}
