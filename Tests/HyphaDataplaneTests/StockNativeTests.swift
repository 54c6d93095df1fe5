import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire
import Testing

@testable import HyphaDataplane

/// Native packets that crossed TCP links, and stock bodies that only look like them.
struct StockNativeTests {
    /// What a relay on a TCP link makes of a native packet (routing header first), as another carries it on over HL1.
    static func payload(_ packet: [UInt8]) -> [UInt8] {
        [0x48, 0x45, 0x31, 0x01, packet[0] & 0xF0, 0] + packet[2..<16] + packet[48...]
    }

    static func carried(_ packet: [UInt8]) -> [UInt8] {
        Seal.route(
            kind: 4, hopLimit: packet[1], source: Array(packet[16..<32]), destination: Array(packet[32..<48]))
            + payload(packet)
    }

    @Test(arguments: [SessionPolicy.auto, .require]) func dataOfASession(session: SessionPolicy) throws {
        let bench = try StockNode(session)
        let peer = try StockSessionTests.both(bench)
        try peer.native.agree(bench.network)
        bench.turn()
        let packets = (0..<20).map { peer.stock.udp($0 * 40, hopLimit: 17) }
        for packet in packets { bench.arrive(Self.carried(peer.native.carry(packet))) }
        #expect(bench.node.packets == packets.map { Inner.withHopLimit($0, 16) })
        #expect(bench.node.drops == [:] && bench.node.counters[.stockOpened] == 0)
        // Beside them the same over HL1 alone, and a replay.
        let next = peer.native.carry(peer.stock.udp())
        bench.arrive(next, Self.carried(next))
        #expect(bench.node.packets.count == 21 && bench.node.drops == ["flow_replay": 1])
        // Control entries arrive with the number of their link.
        let control = peer.native.packet([2, 1, 2, 3] + [UInt8](repeating: 0, count: 12), flow: 0)
        bench.arrive(Self.carried(control))
        #expect(bench.node.punts.map(\.head.kind) == [.flowControl])
        #expect(bench.node.punts.map(\.head.link) == [bench.link.link])
        // A flipped bit, and another's source.
        var bad = Self.carried(peer.native.carry(peer.stock.udp()))
        bad[80] ^= 1
        bench.arrive(bad)
        #expect(bench.node.drops["bad_flow_auth"] == 1)
        bench.node.expectNoLeak()
    }

    @Test func handshakes() throws {
        let bench = try StockNode()
        let stranger = IPv6Address(high: 0x0466 << 48, low: 4)
        for (kind, size) in [(1, 168), (2, 148), (3, 64)] as [(UInt8, Int)] {
            bench.node.forget()
            let body = [kind] + bench.network.bytes(size - 1)
            let route = Seal.route(
                kind: kind, hopLimit: 40, flow: 0x1234, index: 0x5566_7788, counter: 9, source: stranger.bytes,
                destination: bench.node.address.bytes)
            bench.arrive(Self.carried(route + body))
            #expect(bench.node.punts.map(\.head.kind) == [.overlay])
            #expect(bench.node.punts.map(\.head.link) == [bench.link.link])
            #expect(bench.node.punts.map(\.bytes) == [[route[0], 39] + route[2...] + body])
            // Of another length or type, or for another host, it is none.
            bench.node.forget()
            bench.arrive(Self.carried(route + body.dropLast()))
            bench.arrive(Self.carried(route + [kind ^ 3] + body.dropFirst()))
            var elsewhere = route
            elsewhere[47] ^= 1
            bench.arrive(Self.carried(elsewhere + body))
            #expect(bench.node.punts.isEmpty)
        }
        // The source is asked for: a handshake of a stranger that is none.
        #expect(bench.node.drops == ["unknown_session": 9])
    }

    /// The node was restarted: sessions of before are unknown, and data under them says so to nobody.
    @Test func unknownSession() throws {
        let bench = try StockNode()
        let peer = try StockSessionTests.both(bench)
        try peer.native.agree(bench.network)
        bench.turn()
        let packet = peer.native.packet(RemotePeer.plaintext(peer.stock.udp()), index: 0x1234_5678)
        bench.arrive(Self.carried(packet))
        #expect(bench.node.drops == ["unknown_session": 1] && bench.sent.isEmpty && bench.node.punts.isEmpty)
        // The index is known, and belongs to somebody else: not a session's.
        let other = try StockSessionTests.both(bench)
        try other.native.agree(bench.network)
        bench.turn()
        bench.arrive(
            Self.carried(
                other.native.packet(RemotePeer.plaintext(other.stock.udp()), index: peer.native.index)))
        #expect(bench.node.drops == ["unknown_session": 2])
    }

    /// One payload in 2^32 of a stock node begins like a native one. It is made here by searching a nonce.
    @Test func stockBodyThatLooksNative() throws {
        let bench = try StockNode()
        let peer = try bench.peer()
        let packet = peer.udp(60)
        var made: [UInt8]?
        var marked: [UInt8] = []
        for i in 0..<4_000_000 as Range<UInt64> {
            let nonce = [0xEE, 1, 2, 3] + Seal.little(i, 8)
            let first = StockPeer.seal(peer.shared, nonce, [1, 0, 0, 0, 0x60])
            guard first[0] == 0x48, first[1] == 0x45, first[4] >> 4 == 0 else { continue }
            // Bytes 2 and 3 of the user header are free: stock nodes do not look at them.
            marked = [first[2] ^ 0x31, first[3] ^ 0x01]
            made = peer.payload(packet, mark: marked, nonce: nonce)
            break
        }
        let payload = try #require(made)
        #expect(Array(payload[..<4]) == [0x48, 0x45, 0x31, 0x01])
        bench.arrive(peer.carry(payload: payload, hopLimit: 63))
        #expect(bench.node.packets == [Inner.withHopLimit(packet, 62)])
        #expect(bench.node.drops == [:])
    }
}
