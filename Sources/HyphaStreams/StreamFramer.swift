public import HyphaPacket
import HyphaWire

/// Bytes in any chunking to whole frames.
///
/// A frame that lies inside one receive comes out as a range of it, without a copy. One that is split is assembled in a
/// buffer of its own: a slot, or a slab when it is longer. At most one frame is assembled at a time, so a connection holds
/// at most 64 KiB. Longer frames, frames for which there is no buffer, and control frames that say nothing are passed over
/// by their length, and counted: the stream stays in step.
public struct StreamFramer {
    /// Longest frame that comes out, in bytes.
    public static let maxFrame = PacketPool.slabCapacity

    /// Beginning of a frame whose length is not known yet.
    private var head = InlineArray<8, UInt8>(repeating: 0)
    private var headCount = 0
    /// Where a frame is assembled, max for nowhere.
    private var buffer: UInt32 = .max
    private var kind = StockFrame.Kind.data
    private var filled = 0
    private var expected = 0
    /// Bytes still to pass over.
    private var skipping = 0
    /// Why the stream cannot be followed any more.
    public private(set) var end: StreamEnd?

    /// Frames that began, whatever became of them.
    public private(set) var begun: UInt64 = 0
    /// Whole frames that came out.
    public private(set) var dataFrames: UInt64 = 0
    public private(set) var controlFrames: UInt64 = 0
    /// Control frames passed over: not Babel version 3, or without a TLV.
    public private(set) var meaningless: UInt64 = 0
    /// Frames passed over because of their length.
    public private(set) var tooLong: UInt64 = 0
    /// Frames passed over because there was no buffer.
    public private(set) var unbuffered: UInt64 = 0

    public init() {}

    /// Whether a frame has begun that has not ended.
    public var isInsideFrame: Bool { headCount > 0 || buffer != .max || skipping > 0 }

    /// Bytes of memory held for a frame that has not ended.
    public var heldBytes: Int { buffer == .max ? 0 : expected }

    /// The next frame out of what was received before and `input`, whose bytes it uses up from the front. Call until it
    /// says that all are used up. The caller keeps its own reference on the input's buffer.
    public mutating func next(_ input: inout Train.Piece, _ memory: StreamMemory) -> StreamEvent {
        while true {
            if let end { return .failed(end) }
            if skipping > 0 {
                skipping -= take(&input, atMost: skipping)
                if skipping > 0 { return .exhausted }
                continue
            }
            if buffer != .max {
                guard let frame = assemble(&input, memory) else { return .exhausted }
                return .frame(frame)
            }
            guard input.length > 0 else { return .exhausted }
            let start = memory.pool.base(input.buffer) + Int(input.offset)
            var scan = StockFrame.Scan.incomplete
            if headCount == 0 {
                begun &+= 1
                scan = StockFrame.scan(start, count: Int(input.length))
            }
            if scan == .incomplete { scan = collect(&input, memory.pool) }
            switch scan {
            case .incomplete: return .exhausted
            case .badVersion: end = .badVersion
            case .badType: end = .badType
            case .meaningless(let length):
                meaningless &+= 1
                pass(length)
            case .data(let length):
                if let frame = begin(.data, length, &input, memory) { return .frame(frame) }
            case .control(let length):
                if let frame = begin(.control, length, &input, memory) { return .frame(frame) }
            }
        }
    }

    /// Gives back what is held.
    public mutating func close(_ memory: StreamMemory) {
        if buffer != .max { memory.releaseAssembly(buffer) }
        buffer = .max
        headCount = 0
        skipping = 0
    }

    /// Moves bytes into the head until the frame's length is known.
    private mutating func collect(_ input: inout Train.Piece, _ pool: PacketPool) -> StockFrame.Scan {
        let start = pool.base(input.buffer) + Int(input.offset)
        let count = take(&input, atMost: StockFrame.lengthKnownAt - headCount)
        for i in 0..<count { head[headCount + i] = start.load(fromByteOffset: i, as: UInt8.self) }
        headCount += count
        let known = headCount
        return withUnsafeBytes(of: &head) { bytes in
            bytes.baseAddress.map { StockFrame.scan($0, count: known) } ?? .incomplete
        }
    }

    /// The frame when all of it is in `input`; else a place to assemble it is made, or it is passed over.
    private mutating func begin(
        _ kind: StockFrame.Kind, _ length: Int, _ input: inout Train.Piece, _ memory: StreamMemory
    ) -> StreamFrame? {
        guard length <= StreamFramer.maxFrame else {
            tooLong &+= 1
            pass(length)
            return nil
        }
        if headCount == 0, length <= Int(input.length) {
            let frame = StreamFrame(
                kind: kind, buffer: input.buffer, offset: input.offset, length: UInt32(truncatingIfNeeded: length))
            memory.pool.retain(input.buffer)
            _ = take(&input, atMost: length)
            count(kind)
            return frame
        }
        guard let assembly = memory.takeAssembly(length: length) else {
            unbuffered &+= 1
            pass(length)
            return nil
        }
        buffer = assembly
        self.kind = kind
        expected = length
        filled = headCount
        let target = memory.pool.base(assembly) + PacketPool.slabHeadroom
        for i in 0..<headCount { target.storeBytes(of: head[i], toByteOffset: i, as: UInt8.self) }
        headCount = 0
        return nil
    }

    private mutating func assemble(_ input: inout Train.Piece, _ memory: StreamMemory) -> StreamFrame? {
        let source = memory.pool.base(input.buffer) + Int(input.offset)
        let target = memory.pool.base(buffer) + PacketPool.slabHeadroom + filled
        let taken = take(&input, atMost: expected - filled)
        target.copyMemory(from: source, byteCount: taken)
        filled += taken
        guard filled == expected else { return nil }
        let frame = StreamFrame(
            kind: kind, buffer: buffer, offset: UInt32(PacketPool.slabHeadroom),
            length: UInt32(truncatingIfNeeded: expected))
        memory.handOver(buffer)
        buffer = .max
        count(kind)
        return frame
    }

    /// Passes over a frame of `length` bytes, of which the head is already gone.
    private mutating func pass(_ length: Int) {
        skipping = length - headCount
        headCount = 0
    }

    private mutating func count(_ kind: StockFrame.Kind) {
        if kind == .data { dataFrames &+= 1 } else { controlFrames &+= 1 }
    }

    private func take(_ input: inout Train.Piece, atMost limit: Int) -> Int {
        let count = min(limit, Int(input.length))
        input.offset &+= UInt32(truncatingIfNeeded: count)
        input.length &-= UInt32(truncatingIfNeeded: count)
        return count
    }
}
