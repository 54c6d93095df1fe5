import CAllocHook
import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire
import Testing

@testable import HyphaDataplane

/// Stock bodies cost no allocation: not those that pass, not those that end, wait, or are answered.
@Suite(.enabled(if: chy_alloc_hook_active() == 1))
struct StockAllocationTests {
    /// Plays inputs and returns the allocations of the turns after the first quarter.
    static func allocations(
        _ bench: StockNode, millisecondsPerTurn: UInt64 = 1, quietTurns: Int = 1, _ fill: (inout ReplayIO) -> Void
    ) -> UInt64 {
        var io = ReplayIO(
            pool: bench.node.pool, counters: bench.node.counters, sender: bench.link.endpoint, bytes: 6 << 20,
            inputs: 4_096)
        fill(&io)
        let start = io.left
        var before: UInt64 = 0
        var isWarm = false
        var now = bench.network.now
        while io.left > 0 {
            if !isWarm, io.left <= start * 3 / 4 {
                isWarm = true
                before = chy_alloc_hook_count()
            }
            _ = bench.node.worker.turn(&io, now: now)
            now = now.advanced(byMilliseconds: millisecondsPerTurn)
        }
        for _ in 0..<quietTurns {
            _ = bench.node.worker.turn(&io, now: now)
            now = now.advanced(byMilliseconds: millisecondsPerTurn)
        }
        return chy_alloc_hook_count() - before
    }

    @Test func toTun() throws {
        let bench = try StockNode(.classic)
        let peers = try (0..<3).map { _ in try bench.peer() }
        let count = Self.allocations(bench) { io in
            for i in 0..<400 {
                let train = (0..<20).flatMap { k in
                    let peer = peers[(i + k / 7) % 3]
                    return bench.link.full(peer.carry(peer.udp(200)))
                }
                io.add(.udp, train, segmentSize: train.count / 20)
            }
        }
        #expect(count == 0)
        #expect(bench.node.counters[.delivered] == 8_000 && bench.node.drops == [:])
    }

    @Test func fromTun() throws {
        let bench = try StockNode(.auto, mtu: 1_472)
        let peers = try (0..<3).map { _ in try bench.peer() }
        let count = Self.allocations(bench) { io in
            for i in 0..<600 {
                let peer = peers[i % 3]
                let tcp = SuperPacket.tcp(
                    from: bench.node.address, to: peer.address, Inner.TCPFields(), payload: bench.network.bytes(9_000),
                    size: 1_000)
                io.add(.tun, i % 4 == 0 ? tcp.read : Inner.read(bench.udp(to: peer, 200)))
            }
        }
        #expect(count == 0)
        #expect(bench.node.counters[.stockSealed] == 150 * 9 + 450 && bench.node.drops == [:])
    }

    /// Damaged, replayed, unknown and native payloads, reports, answers to all of them, waits and what ends them.
    @Test func otherEnds() throws {
        let bench = try StockNode(.auto)
        let peer = try bench.peer()
        let hinted = try bench.peer(bits: WorkerCommand.nativeHintBit)
        let both = try StockSessionTests.both(bench, bits: WorkerCommand.nativeProofBit)
        let session = try StockSessionTests.both(bench)
        try session.native.agree(bench.network)
        bench.turn()
        let relay = bench.identity.relay
        // Sent once, so that reports can quote it.
        bench.enter(bench.udp(to: peer, 40))
        let quote = Array(bench.sent[0][48...])
        let nowhere = IPv6Address(high: 0x0477 << 48, low: 7)
        let count = Self.allocations(bench, millisecondsPerTurn: 7, quietTurns: 3_000) { io in
            for i in 0..<2_000 {
                let read = { (to: IPv6Address) in
                    Inner.read(Inner.udp(from: bench.node.address, to: to, payload: bench.network.bytes(60)))
                }
                var damaged = peer.carry(peer.udp())
                damaged[60] ^= 1
                let icmp = Inner.ipv6(
                    from: relay, to: bench.node.address, next: 58, payload: [3, 0, 0, 0, 0, 0, 0, 0] + quote)
                let strange = IPv6Address(high: 0x0488 << 48 | UInt64(i % 70), low: 1)
                let (source, bytes): (Arrival.Source, [UInt8]) =
                    switch i % 14 {
                    case 0: (.udp, bench.link.full(damaged))
                    case 1: (.udp, bench.link.full(peer.carry(peer.udp(), nonce: [UInt8](repeating: 1, count: 12))))
                    case 2: (.udp, bench.link.full(peer.carry(payload: quote, source: strange)))
                    case 3: (.udp, bench.link.full(peer.carry(payload: quote, hopLimit: 1)))
                    case 4: (.udp, bench.link.full(peer.carry(payload: quote, destination: nowhere)))
                    case 5:
                        (
                            .udp,
                            bench.link.full(peer.carry(payload: peer.payload(peer.address.bytes + icmp, kind: 2)))
                        )
                    case 6: (.udp, bench.link.full(StockNativeTests.carried(session.native.carry(session.stock.udp()))))
                    case 7: (.udp, bench.link.full(both.stock.carry(both.stock.udp(), mark: [0x48, 0])))
                    case 8: (.udp, bench.link.full(peer.carry(payload: peer.payload([1, 2], kind: 1))))
                    case 9: (.tun, read(hinted.address))
                    case 10: (.tun, read(both.stock.address))
                    case 11: (.tun, read(strange))
                    case 12: (.tun, read(session.stock.address))
                    default: (.tun, read(peer.address))
                    }
                io.add(source, bytes)
            }
        }
        #expect(count == 0)
        let drops = bench.node.drops
        for reason in [
            "bad_flow_auth", "flow_replay", "park_timeout", "hop_limit", "no_route", "unsupported", "downgrade",
        ] {
            #expect(drops[reason] ?? 0 > 0, "\(reason)")
        }
        #expect(bench.node.counters[.stockOpened] > 300 && bench.node.counters[.errorsSent] >= 10)
    }
}
