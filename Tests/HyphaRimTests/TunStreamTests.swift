import CKernel
import Glibc
import HyphaBase
import HyphaPacket
import Testing

@testable import HyphaRim

/// TCP between two namespaces, each with a TUN device, whose packets the test carries from one to the other.
@Suite struct TunStreamTests {
    static let near = IPv6Address(high: 0x04AA_0000_0000_0000, low: 1)
    static let far = IPv6Address(high: 0x05BB_0000_0000_0000, low: 1)

    struct Failed: Error {
        let step: String
    }

    struct Outcome: Sendable {
        var received: [UInt8] = []
        var largest = 0
        var superPackets = 0
        var refused: UInt64 = 0
        var hasTSO = false
    }

    /// Writes everything that came out of `from` into `to`.
    static func carry(_ from: Rig, _ to: Rig, _ outcome: inout Outcome) {
        for arrival in from.receive() {
            defer { from.pool.release(arrival.buffer) }
            let bytes = from.pool.base(arrival.buffer) + Int(arrival.offset)
            let gso = (bytes + 1).load(as: UInt8.self) & 0x7F
            outcome.largest = max(outcome.largest, Int(arrival.length))
            if gso == 4 { outcome.superPackets += 1 }
            guard let slab = to.pool.takeSlab() else { continue }
            (to.pool.base(slab) + 118).copyMemory(from: bytes, byteCount: Int(arrival.length))
            to.train.pieces[0] = Train.Piece(buffer: slab, offset: 118, length: arrival.length)
            to.train.pieceCount = 1
            to.train.packetCount = 1
            to.train.totalLength = Int(arrival.length)
            if !to.deliver() { to.pool.release(slab) }
        }
        to.io.submit()
    }

    static func native(_ address: IPv6Address, _ port: UInt16) -> sockaddr_in6 {
        var native = sockaddr_in6()
        native.sin6_family = sa_family_t(AF_INET6)
        native.sin6_port = port.bigEndian
        withUnsafeMutableBytes(of: &native.sin6_addr) { address.store(to: $0.baseAddress!) }
        return native
    }

    static func stream() -> Int32 {
        socket(AF_INET6, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
    }

    @Test(.enabled(if: canIsolate), arguments: [OffloadSettings.Mode.auto, .off])
    func superPacketsPassWhole(tso: OffloadSettings.Mode) throws {
        let data = Rig.frame(3, 3_000_000)
        let outcome = try isolated { () throws -> Outcome in
            var outcome = Outcome()
            var options = TunTests.options(Self.near)
            options.tso = tso
            let a = try Rig([], tun: try TunDevice.open(options))
            let client = Self.stream()
            guard chy_unshare_network() == 0 else { throw Failed(step: "unshare") }
            options.address = Self.far
            let device = try TunDevice.open(options)
            outcome.hasTSO = device.tso.isOn
            let b = try Rig([], tun: device)
            let listener = Self.stream()
            defer {
                close(client)
                close(listener)
            }
            var there = Self.native(Self.far, 5_201)
            let size = socklen_t(MemoryLayout<sockaddr_in6>.size)
            let isListening = withUnsafePointer(to: &there) { address in
                address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(listener, $0, size) == 0 && listen(listener, 1) == 0
                }
            }
            guard isListening else { throw Failed(step: "listen") }
            withUnsafePointer(to: &there) { address in
                address.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = connect(client, $0, size) }
            }
            var server: Int32 = -1
            var sent = 0
            var room = [UInt8](repeating: 0, count: 1 << 18)
            let limit = SystemClock.now().advanced(byMilliseconds: 30_000)
            while outcome.received.count < data.count && SystemClock.now() < limit {
                if server < 0 { server = accept(listener, nil, nil) }
                let written = data[sent...].withUnsafeBytes {
                    send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                if written > 0 { sent += written }
                Self.carry(a, b, &outcome)
                Self.carry(b, a, &outcome)
                if server >= 0 {
                    let read = recv(server, &room, room.count, Int32(MSG_DONTWAIT))
                    if read > 0 { outcome.received += room[..<read] }
                }
            }
            if server >= 0 { close(server) }
            a.settle()
            b.settle()
            outcome.refused = a.counters[.tunFailed] + b.counters[.tunFailed]
            return outcome
        }
        #expect(outcome.received == data)
        #expect(outcome.refused == 0)
        #expect(outcome.hasTSO || tso == .off)
        if outcome.hasTSO {
            #expect(outcome.superPackets > 0)
            // gso_max_size of the device, and the virtio header.
            #expect(outcome.largest > 1_410 && outcome.largest <= 60_610)
        } else {
            #expect(outcome.superPackets == 0)
            #expect(outcome.largest <= 1_410)
        }
    }
}
