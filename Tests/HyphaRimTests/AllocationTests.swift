import CAllocHook
import HyphaBase
import HyphaPacket
import Testing

@testable import HyphaRim

@Suite struct AllocationTests {
    /// False under sanitizers, whose allocator is not counted.
    static let isCounting: Bool = {
        UnsafeMutablePointer<Int>.allocate(capacity: 1).deallocate()
        return chy_alloc_hook_active() == 1
    }()

    /// Sends one train of two pieces from `a` to `b` and takes it back; a turn of each worker.
    private func turn(_ a: Rig, _ b: Rig, _ arrivals: UnsafeMutableBufferPointer<Arrival>) -> Int {
        guard let slab = a.pool.takeSlab() else { return 0 }
        a.pool.retain(slab)
        a.train.clear()
        a.train.destination = b.sockets[0].localAddress
        a.train.segmentSize = 900
        a.train.pieces[0] = Train.Piece(buffer: slab, offset: 128, length: 900)
        a.train.pieces[1] = Train.Piece(buffer: slab, offset: 4_096, length: 700)
        a.train.pieceCount = 2
        a.train.packetCount = 2
        a.train.totalLength = 1_600
        guard a.io.transmit(a.train) else { return 0 }
        a.io.submit()
        _ = a.io.receive(into: arrivals)
        b.io.wait(until: SystemClock.now().advanced(byMilliseconds: 1_000))
        let count = b.io.receive(into: arrivals)
        for i in 0..<count { b.pool.release(arrivals[i].buffer) }
        return count
    }

    @Test(.enabled(if: isCounting), arguments: [OffloadSettings.Mode.auto, .off])
    func turnsAllocateNothing(gso: OffloadSettings.Mode) throws {
        let a = try Rig(offload: OffloadSettings(udpGSO: gso))
        let b = try Rig()
        let arrivals = UnsafeMutableBufferPointer<Arrival>.allocate(capacity: 16)
        arrivals.initialize(repeating: Arrival(source: .udp, buffer: 0, offset: 0, length: 0))
        defer { arrivals.deallocate() }
        for _ in 0..<16 { _ = turn(a, b, arrivals) }
        var received = 0
        let before = chy_alloc_hook_count()
        for _ in 0..<2_000 { received += turn(a, b, arrivals) }
        #expect(chy_alloc_hook_count() == before)
        #expect(received >= 2_000)
    }
}
