import HyphaBase
import HyphaPacket
import Testing

@testable import HyphaRim

/// What a worker does when the kernel refuses trains while it runs. The refusals are put in by hand.
@Suite struct SegmentationFallbackTests {
    /// A ring with one socket, below `WorkerIO`, whose completions the test can invent.
    final class Bench {
        let rig: Rig
        let changes = OffloadChanges()
        let counters = WorkerCounters()
        let pool = PacketPool(slabs: 16, slots: 0)
        var ring: WorkerRing
        var train = Train()
        private let arrivals = UnsafeMutableBufferPointer<Arrival>.allocate(capacity: 8)

        init() throws {
            rig = try Rig()
            arrivals.initialize(repeating: Arrival(source: .udp, buffer: 0, offset: 0, length: 0))
            var options = WorkerIO.Options(
                sockets: [try UDPSocket.bind(Rig.loopback)], pool: pool, counters: counters, wake: try Wake(),
                offload: try OffloadStatus.probe(OffloadSettings()), changes: changes)
            options.udpBuffers = 2
            ring = try WorkerRing.open(options)
            try ring.start()
        }

        deinit {
            ring.shutdown()
            arrivals.deallocate()
            train.deallocate()
            counters.deallocate()
            pool.deallocate()
        }

        var segmentLimit: Int { Int(ring.segmentLimit) }
        var inFlight: Int { ring.inFlight }

        /// Puts a train into a slot as `transmit` does, without sending it, and completes it with `result`.
        func refuse(_ frames: [[UInt8]], to destination: SocketAddress, with result: Int32) {
            guard let slab = pool.takeSlab() else { return }
            var offset = PacketPool.slabHeadroom
            train.clear()
            train.segmentSize = frames[0].count
            for (i, frame) in frames.enumerated() {
                if i > 0 { pool.retain(slab) }
                frame.withUnsafeBytes {
                    (pool.base(slab) + offset).copyMemory(from: $0.baseAddress!, byteCount: $0.count)
                }
                train.pieces[i] = Train.Piece(buffer: slab, offset: UInt32(offset), length: UInt32(frame.count))
                offset += frame.count
            }
            train.pieceCount = frames.count
            train.packetCount = frames.count
            let slot = ring.slots.take()
            ring.slots.fill(slot, train, socket: 0, pool: pool)
            ring.slots.setDestination(slot, destination, ipv4: false)
            ring.inFlight += frames.count
            ring.finishSend(slot, result)
            ring.submit()
            while ring.inFlight > 0 {
                if ring.receive(into: arrivals) == 0 { ring.wait(until: SystemClock.now().advanced(byMilliseconds: 5)) }
            }
        }

        func datagrams(_ count: Int) -> (datagrams: [[UInt8]], arrivals: Int) {
            var datagrams: [[UInt8]] = []
            var arrivals = 0
            rig.turn(until: datagrams.count >= count) {
                datagrams += rig.datagrams($0)
                arrivals += 1
                rig.pool.release($0.buffer)
            }
            return (datagrams, arrivals)
        }
    }

    static let invalid: Int32 = -22
    static let inputOutput: Int32 = -5

    @Test func aDeviceWithoutChecksumsGetsSingles() throws {
        let bench = try Bench()
        let free = bench.pool.freeSlabCount
        let frames = (0..<30).map { Rig.frame($0, $0 == 29 ? 17 : 333) }
        bench.refuse(frames, to: bench.rig.address, with: Self.inputOutput)
        let out = bench.datagrams(30)
        #expect(out.datagrams == frames)
        #expect(out.arrivals == 30)
        #expect(bench.segmentLimit == 1)
        #expect(bench.counters[.sent] == 30)
        #expect(bench.counters[.sendFailed] == 0)
        #expect(bench.pool.freeSlabCount == free)
        #expect(bench.changes.take() == [.segmentationRefused])
        #expect(bench.changes.take().isEmpty)
    }

    @Test func aKernelWithTheOldLimitGetsTrainsOf64() throws {
        let bench = try Bench()
        let free = bench.pool.freeSlabCount
        let frames = (0..<128).map { Rig.frame($0, 256) }
        bench.refuse(frames, to: bench.rig.address, with: Self.invalid)
        #expect(bench.datagrams(128).datagrams == frames)
        #expect(bench.segmentLimit == 64)
        #expect(bench.counters[.sent] == 128)
        #expect(bench.counters[.trainsSent] == 2)
        #expect(bench.pool.freeSlabCount == free)
        #expect(bench.changes.take() == [.segmentLimit])
        // A second refusal tells nothing new.
        bench.refuse(frames, to: bench.rig.address, with: Self.invalid)
        #expect(bench.datagrams(128).datagrams == frames)
        #expect(bench.changes.take().isEmpty)
    }

    @Test func anotherReasonLeavesTheLimitAlone() throws {
        let bench = try Bench()
        let free = bench.pool.freeSlabCount
        let frames = (0..<100).map { Rig.frame($0, 50) }
        // Port 0 is refused with EINVAL whatever the length.
        bench.refuse(frames, to: Rig.loopback, with: Self.invalid)
        #expect(bench.segmentLimit == 128)
        #expect(bench.counters[.sendFailed] == 100)
        #expect(bench.counters[.sent] == 0)
        #expect(bench.pool.freeSlabCount == free)
        #expect(bench.changes.take().isEmpty)
    }

    @Test func shortTrainsAreNotTriedAgain() throws {
        let bench = try Bench()
        bench.refuse((0..<64).map { Rig.frame($0, 50) }, to: bench.rig.address, with: Self.invalid)
        #expect(bench.counters[.sendFailed] == 64)
        #expect(bench.inFlight == 0)
        bench.refuse([Rig.frame(0, 50)], to: bench.rig.address, with: Self.inputOutput)
        #expect(bench.counters[.sendFailed] == 65)
        #expect(bench.segmentLimit == 128)
    }
}
