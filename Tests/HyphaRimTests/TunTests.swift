import CKernel
import Glibc
import HyphaBase
import HyphaPacket
import HyphaWire
import Testing

@testable import HyphaRim

@Suite struct TunTests {
    static let own = IPv6Address(high: 0x04A5_0000_0000_0000, low: 1)
    static let peer = IPv6Address(high: 0x05BC_0000_0000_0000, low: 2)

    static func options(_ address: IPv6Address = own) -> TunDevice.Options {
        var options = TunDevice.Options()
        options.name = "hy0"
        options.address = address
        options.gsoMaxSize = 60_600
        return options
    }

    /// What opening a device fails with.
    @Sendable static func failure(_ options: TunDevice.Options) -> RimError? {
        do throws(RimError) {
            _ = try TunDevice.open(options)
            return nil
        } catch {
            return error
        }
    }

    /// A packet from the TUN, taken apart.
    struct Packet: Equatable, Sendable {
        var gsoType: UInt8
        var gsoSize: Int
        var source: IPv6Address
        var destination: IPv6Address
        var nextHeader: UInt8
        var payload: [UInt8]

        init(_ rig: Rig, _ arrival: Arrival) {
            let start = UnsafeRawPointer(rig.pool.base(arrival.buffer) + Int(arrival.offset))
            let packet = start + 10
            gsoType = start.load(fromByteOffset: 1, as: UInt8.self) & 0x7F
            gsoSize = Int(start.loadUnaligned(fromByteOffset: 4, as: UInt16.self))
            source = IPv6Address(loading: packet + 8)
            destination = IPv6Address(loading: packet + 24)
            nextHeader = packet.load(fromByteOffset: 6, as: UInt8.self)
            // Behind the IPv6 and the UDP header.
            let rest = UnsafeRawBufferPointer(start: packet + 48, count: max(0, Int(arrival.length) - 58))
            payload = Array(rest)
        }
    }

    @Test(.enabled(if: canIsolate), arguments: [OffloadSettings.Mode.auto, .off], [OffloadSettings.Mode.auto, .off])
    func packetsOfTheHostArrive(multishot: OffloadSettings.Mode, uso: OffloadSettings.Mode) throws {
        let frames = (0..<10).map { Rig.frame($0, 1_000) }
        let (packets, hasUSO, counted) = try isolated {
            var options = Self.options()
            options.uso = uso
            let tun = try TunDevice.open(options)
            let rig = try Rig([Rig.any], offload: OffloadSettings(multishotRead: multishot), tun: tun)
            var packets: [Packet] = []
            for _ in 0..<3 {
                let wanted = packets.reduce(0) { $0 + $1.payload.count } + 10_000
                rig.build(frames, to: SocketAddress(address: Self.peer, port: 7_777))
                _ = rig.transmit()
                rig.io.submit()
                rig.turn(until: packets.reduce(0) { $0 + $1.payload.count } >= wanted) { arrival in
                    let packet = Packet(rig, arrival)
                    if arrival.source == .tun && packet.nextHeader == 17 { packets.append(packet) }
                    rig.pool.release(arrival.buffer)
                }
            }
            rig.io.shutdown()
            return (packets, tun.uso.isOn, rig.freeBuffers)
        }
        #expect(packets.map(\.payload).joined().elementsEqual((frames + frames + frames).joined()))
        #expect(packets.allSatisfy { $0.source == Self.own && $0.destination == Self.peer })
        if hasUSO {
            #expect(packets.count == 3)
            #expect(packets.allSatisfy { $0.gsoType == 5 && $0.gsoSize == 1_000 })
        } else {
            #expect(packets.count == 30)
            #expect(packets.allSatisfy { $0.gsoType == 0 })
        }
        #expect(uso == .auto || !hasUSO)
        #expect(counted == 62 + 16)
    }

    @Test(.enabled(if: canIsolate)) func deliveredPacketsReachTheHost() throws {
        let payload = Rig.frame(5, 900)
        let (received, sender, isCounted, free) = try isolated {
            let tun = try TunDevice.open(Self.options())
            let rig = try Rig([Rig.any], tun: tun)
            // Virtio header, IPv6 and UDP header in a slot, the payload in a slab.
            let slot = try #require(rig.pool.takeSlot())
            let slab = try #require(rig.pool.takeSlab())
            let head = rig.pool.base(slot) + 64
            head.initializeMemory(as: UInt8.self, repeating: 0, count: 58)
            head.storeBytes(of: 0x60, toByteOffset: 10, as: UInt8.self)
            let length = UInt16(8 + payload.count).bigEndian
            head.storeBytes(of: length, toByteOffset: 14, as: UInt16.self)
            head.storeBytes(of: 17, toByteOffset: 16, as: UInt8.self)
            head.storeBytes(of: 64, toByteOffset: 17, as: UInt8.self)
            Self.peer.store(to: head + 18)
            Self.own.store(to: head + 34)
            head.storeBytes(of: UInt16(7_777).bigEndian, toByteOffset: 50, as: UInt16.self)
            head.storeBytes(of: rig.address.port.bigEndian, toByteOffset: 52, as: UInt16.self)
            head.storeBytes(of: length, toByteOffset: 54, as: UInt16.self)
            payload.withUnsafeBytes {
                (rig.pool.base(slab) + 200).copyMemory(from: $0.baseAddress!, byteCount: $0.count)
            }
            var sum = Checksum.pseudoHeader(ipv6: head + 10, length: 8 + payload.count, nextHeader: 17)
            sum = Checksum.add(head + 50, count: 8, to: sum)
            sum = Checksum.add(rig.pool.base(slab) + 200, count: payload.count, to: sum)
            head.storeBytes(of: ~Checksum.fold(sum), toByteOffset: 56, as: UInt16.self)
            rig.train.pieces[0] = Train.Piece(buffer: slot, offset: 64, length: 58)
            rig.train.pieces[1] = Train.Piece(buffer: slab, offset: 200, length: UInt32(payload.count))
            rig.train.pieceCount = 2
            rig.train.packetCount = 1
            rig.train.totalLength = 58 + payload.count
            var received: [UInt8] = []
            var sender: SocketAddress?
            var writes: UInt64 = 0
            // The kernel routes to a new address a moment after it was added: until then it drops the packet.
            while sender == nil && writes < 50 {
                rig.pool.retain(slot)
                rig.pool.retain(slab)
                guard rig.deliver() else { throw NoNamespace(code: -1) }
                writes += 1
                rig.io.submit()
                rig.turn(milliseconds: 100, until: sender != nil) { arrival in
                    if arrival.source == .udp {
                        received = rig.datagrams(arrival)[0]
                        sender = arrival.sender
                    }
                    rig.pool.release(arrival.buffer)
                }
            }
            rig.settle()
            rig.pool.release(slot)
            rig.pool.release(slab)
            rig.io.shutdown()
            let counters = [rig.counters[.delivered], rig.counters[.deliveredBytes], rig.counters[.tunWrites]]
            return (received, sender, counters == [writes, 948 * writes, writes], rig.freeBuffers)
        }
        #expect(received == payload)
        #expect(sender == SocketAddress(address: Self.peer, port: 7_777))
        #expect(isCounted)
        #expect(free == 62 + 16)
    }

    @Test(.enabled(if: canIsolate)) func namesInUseAreExplained() throws {
        let (second, loopback) = try isolated {
            let first = try TunDevice.open(Self.options())
            defer { withExtendedLifetime(first) {} }
            var other = Self.options()
            other.name = "lo"
            return (Self.failure(Self.options()), Self.failure(other))
        }
        #expect(second?.kind == .nameInUse)
        #expect(second?.description.contains("hy0 is in use by another program") == true)
        #expect(loopback?.kind == .nameInUse)
        #expect(loopback?.description.contains("lo exists and is no TUN device") == true)
    }

    @Test(.enabled(if: canIsolate)) func everyWorkerGetsAQueue() throws {
        let (queues, index, missing) = try isolated {
            var options = Self.options()
            options.queues = 3
            let tun = try TunDevice.open(options)
            let pool = PacketPool(slabs: 8, slots: 0)
            let counters = WorkerCounters()
            defer {
                pool.deallocate()
                counters.deallocate()
            }
            var worker = WorkerIO.Options(
                sockets: [], tun: tun, pool: pool, counters: counters, wake: try Wake(),
                offload: try OffloadStatus.probe(OffloadSettings()))
            for queue in 0..<3 {
                worker.tunQueue = queue
                var io = try WorkerIO.open(worker)
                try io.start()
                io.shutdown()
            }
            worker.tunQueue = 3
            var missing: RimError?
            do { _ = try WorkerIO.open(worker) } catch let error as RimError { missing = error }
            return (tun.queues.count, tun.index, missing)
        }
        #expect(queues == 3)
        #expect(index > 1)
        #expect(missing?.description.contains("no queue 3") == true)
    }

    @Test(.enabled(if: canIsolate && ipProgram != nil)) func aRemovedDeviceIsNoticed() throws {
        let (down, changes, hasTun, taken) = try isolated {
            let tun = try TunDevice.open(Self.options())
            let rig = try Rig([Rig.any], tun: tun)
            func write() -> Bool {
                rig.build([Rig.frame(0, 100)], to: Rig.any)
                let taken = rig.deliver()
                if taken { rig.io.submit() } else { rig.pool.release(rig.train.pieces[0].buffer) }
                rig.settle()
                return taken
            }
            guard ip("link", "set", "hy0", "down") else { throw NoNamespace(code: -1) }
            // A device that is down refuses; it does not hold the packet.
            _ = write()
            let down = rig.counters[.tunFailed]
            guard ip("link", "del", "hy0") else { throw NoNamespace(code: -2) }
            rig.turn(until: !rig.io.hasTun) { rig.pool.release($0.buffer) }
            return (down, rig.changes.take(), rig.io.hasTun, write())
        }
        #expect(down == 1)
        #expect(changes == [.tunLost])
        #expect(!hasTun)
        #expect(!taken)
    }

    @Test(.enabled(if: geteuid() != 0 && access("/dev/net/tun", W_OK) == 0)) func aMissingPrivilegeIsExplained() {
        let error = Self.failure(Self.options())
        #expect(error?.kind == .permission)
        #expect(error?.description.contains("CAP_NET_ADMIN") == true)
        #expect(error?.description.contains("--no-tun") == true)
    }

    @Test func badNamesAndSizesAreExplained() {
        for name in ["", "a name", "tun%d", "a/b", "a:b", ".", "..", "sixteen-bytes-xx", "größe"] {
            var options = Self.options()
            options.name = name
            let error = Self.failure(options)
            #expect(error?.kind == .badName)
            #expect(error?.description.contains("\"\(name)\"") == true)
        }
        for name in ["a", "hypha0", "fifteen-bytes.x"] { #expect(TunDevice.isName(name)) }
        for mtu in [0, 1_279, 65_536, -1] {
            var options = Self.options()
            options.mtu = mtu
            #expect(Self.failure(options)?.description.contains("\(mtu)") == true)
        }
    }
}
