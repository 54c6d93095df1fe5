import HyphaBase
import HyphaPacket
import HyphaStreams
import HyphaWire
import Testing

/// One link whose peer takes bytes at a rate, looked at every 100 us of virtual time.
private final class PacedLink {
    let rig: Rig
    let limits: StreamLimits
    let pieces: UnsafeMutableBufferPointer<Train.Piece>
    var link: StreamLink
    var now = Instant(nanoseconds: 5_000_000_000)
    /// Bytes the peer could have taken and did not.
    private var credit = 0.0
    /// Longest time that a frame waited, in microseconds, by its number.
    private(set) var longest: UInt64 = 0
    private var queuedAt: [UInt64] = []
    private var outgoing: [UInt8] = []

    init(slots: Int = 4_000, limits: StreamLimits = StreamLimits()) {
        rig = Rig(slabs: 1, slots: slots)
        self.limits = limits
        link = StreamLink(now: now)
        pieces = .allocate(capacity: 64)
        pieces.initialize(repeating: Train.Piece(buffer: 0, offset: 0, length: 0))
    }

    deinit {
        if link.isWriting { _ = link.written(0, limits, rig.memory, now: now) }
        link.close(rig.memory)
        pieces.deallocate()
    }

    var waiting: Int { link.waitingData }
    var counters: StreamCounters { link.counters }

    /// Sends a frame of 1,440 bytes with its number in it.
    func send(flow: Int = 1) throws {
        let number = UInt64(queuedAt.count)
        let frame = try Make.data(1_400, source: number)
        queuedAt.append(now.nanoseconds / 1_000)
        let admission = frame.withUnsafeBytes { link.send(data: $0, flow: flow, limits, rig.memory, now: now) }
        #expect(admission.fate == .queued)
    }

    /// Lets 100 us pass in which the peer takes what it takes at `rate` bytes a second.
    func step(rate: Double) {
        now = now.advanced(byNanoseconds: 100_000)
        credit = min(credit + rate / 10_000, max(70_000, rate / 10_000))
        while credit >= 1 {
            let count = link.nextWrite(pieces, limits, rig.memory)
            guard count > 0 else { break }
            var bytes: [UInt8] = []
            for piece in pieces[..<count] {
                bytes += Array(
                    UnsafeRawBufferPointer(
                        start: rig.pool.base(piece.buffer) + Int(piece.offset), count: Int(piece.length)))
            }
            let taken = min(bytes.count, Int(credit))
            credit -= Double(taken)
            _ = link.written(taken, limits, rig.memory, now: now)
            outgoing += bytes[..<taken]
        }
        note()
    }

    /// How long the frames waited that came out whole.
    private func note() {
        var start = 0
        while outgoing.count - start >= 1_440 {
            let number = outgoing[start..<start + 1_440].withUnsafeBytes { bytes in
                bytes.baseAddress.map { StockData.source($0).low } ?? 0
            }
            longest = max(longest, now.nanoseconds / 1_000 - queuedAt[Int(number)])
            start += 1_440
        }
        outgoing.removeFirst(start)
    }

    func forgetLongest() { longest = 0 }
}

@Test func aFastPeerMayHaveMoreWaiting() throws {
    let rig = PacedLink()
    // 144 MB/s: 100 packets a millisecond, 500 in five.
    for _ in 0..<1_000 {
        for _ in 0..<10 { try rig.send() }
        rig.step(rate: 144e6)
    }
    #expect(rig.counters.dataDisplaced == 0)
    for _ in 0..<80 {
        for _ in 0..<10 { try rig.send() }
        rig.step(rate: 0)
    }
    #expect((450...560).contains(rig.waiting))
    // Without a byte for long it is worth no more than any other.
    for _ in 0..<3_000 { rig.step(rate: 0) }
    try rig.send()
    #expect(rig.waiting == 256)
    #expect(rig.counters.dataQueued == rig.counters.dataWritten + rig.counters.dataDisplaced + UInt64(rig.waiting))
}

@Test func noLinkHoldsMoreThanItsShare() throws {
    var limits = StreamLimits()
    limits.linkSlots = 300
    let rig = PacedLink(limits: limits)
    for i in 0..<400 {
        for _ in 0..<10 { try rig.send() }
        rig.step(rate: i % 80 < 40 ? 288e6 : 0)
        #expect(rig.link.slots <= 300)
    }
    #expect(rig.counters.dataDisplaced > 0)
}

/// More comes than a link takes that never stops: what goes is young.
@Test(arguments: [3e6, 10e6, 40e6, 200e6]) func nothingWaitsForLongOnASteadyLink(rate: Double) throws {
    let rig = PacedLink()
    let each = max(1, Int(rate * 1.5 / 10_000 / 1_440 + 0.5))
    for i in 0..<6_000 {
        if each > 1 || i % Int(1_440 * 10_000 / rate / 1.5 + 0.5) == 0 { for _ in 0..<each { try rig.send() } }
        rig.step(rate: rate)
        if i == 2_500 { rig.forgetLongest() }
    }
    #expect(rig.longest < 25_000)
    #expect(rig.counters.dataWritten > UInt64(rate / 1_440 * 0.5))
}

/// What stops for a moment loses nothing to its age.
@Test func aPauseCostsNothing() throws {
    let rig = PacedLink()
    for i in 0..<20_000 {
        if i % 10 == 0 { try rig.send() }
        // 60 ms without a byte in every 200.
        rig.step(rate: i % 2_000 < 600 ? 0 : 20e6)
    }
    #expect(rig.longest > 50_000 && rig.counters.dataDisplaced == 0)
}
