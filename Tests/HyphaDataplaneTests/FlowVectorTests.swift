import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire
import TestVectors
import Testing

@testable import HyphaDataplane

/// The end-to-end packets and errors of hl1.json, through a whole worker.
struct FlowVectorTests {
    /// The destination of an entry, with its end-to-end session and a link that the packet comes over.
    struct Bench {
        let network: TestNetwork
        let node: TestNode
        let link: Neighbour
        let peer: RemotePeer

        init(_ inputs: JSON) throws {
            let suite: UInt8 = try inputs["suite"].number()
            let keys = Seal.laneKeys("hypha e2e lane 1", direction: try inputs["k_direction"].bytes(), suite: suite)
            network = TestNetwork(seed: 12)
            node = try network.add(
                "N", TestNode.Options(address: IPv6Address(bytes: try inputs["own_address"].bytes())))
            link = try Neighbour(network, node, number: 1)
            let address = try #require(IPv6Address(bytes: try inputs["peer_address"].bytes()))
            peer = try RemotePeer(network, node, address: address, suite: suite, withSession: false)
            try peer.agree(network, index: try inputs["receiver_index"].number(), towards: keys, back: keys)
            node.route(address, NextHop(kind: .link, link: link.link, peer: peer.id))
            node.turn(network.now)
            node.forget()
        }

        /// The packet arrives over the link in the given mode; the drop it ends in, if it does.
        func arrive(_ packet: [UInt8], _ mode: SealMode) -> DropReason? {
            let before = DropReason.allCases.map { node.counters[$0] }
            link.send(mode == .header ? link.header(packet) : link.full(packet))
            node.turn(network.now)
            node.turn(network.now)
            node.expectNoLeak()
            return zip(DropReason.allCases, before).first { node.counters[$0] != $1 }?.0
        }

        var received: UInt64 { node.port.flowSessions.use(peer.slot).pointee.received }
    }

    static func checkAccepted(_ entry: JSON, _ mode: SealMode, _ name: Comment) throws {
        let inputs = entry["inputs"]
        let bench = try Bench(inputs)
        let packet = try entry["output"].bytes()
        let dropped = bench.arrive(packet, mode)
        let content = try inputs["content"].bytes()
        switch try inputs["kind"].number(Int.self) {
        case 0:
            #expect(dropped == nil, name)
            #expect(bench.node.packets == [try inputs["inner"].bytes()], name)
        case 1:
            // This version has no messages.
            #expect(dropped == .unsupported && bench.node.delivered.isEmpty, name)
        default:
            #expect(dropped == nil && bench.node.delivered.isEmpty, name)
            // Behind the routing header they came under.
            #expect(
                bench.node.punts.map { Array($0.bytes.dropFirst(RoutingHeader.size)) }
                    == (content.isEmpty ? [] : [content]),
                name)
            #expect(
                bench.node.punts.allSatisfy { $0.head.kind == .flowControl && $0.head.link == bench.link.link }, name)
        }
        #expect(bench.node.notices.contains { $0.kind == .flowSessionConfirmed && $0.slot == bench.peer.slot }, name)
        #expect(bench.received == 1, name)
        bench.node.forget()
        #expect(bench.arrive(packet, mode) == .flowReplay, name)
        #expect(bench.node.delivered.isEmpty && bench.node.punts.isEmpty && bench.received == 1, name)
    }

    @Test(arguments: [SealMode.full, .header]) func accepted(mode: SealMode) throws {
        for entry in try Vectors.hl1("he1") where try entry["verdict"].string() == "accept" {
            try FlowVectorTests.checkAccepted(entry, mode, Comment(rawValue: try entry["name"].string()))
        }
    }

    /// Control entries that break a rule: opened here, control's to refuse.
    @Test(arguments: [SealMode.full, .header]) func refused(mode: SealMode) throws {
        for entry in try Vectors.hl1("he1") where try entry["verdict"].string() == "refuse message" {
            let name = Comment(rawValue: try entry["name"].string())
            let bench = try Bench(entry["inputs"])
            #expect(bench.arrive(try entry["output"].bytes(), mode) == nil, name)
            #expect(
                bench.node.punts.map { Array($0.bytes.dropFirst(RoutingHeader.size)) }
                    == [try entry["inputs"]["content"].bytes()], name)
            #expect(bench.node.delivered.isEmpty && bench.received == 1, name)
        }
    }

    static func expectedDrop(_ entry: JSON) throws -> DropReason? {
        let name = try entry["name"].string()
        switch try entry["why"].string() {
        case "routing type": return nil
        case "source", "inner source": return .badSource
        case "destination", "inner destination": return .noRoute
        case "hop limit": return .hopLimit
        case "index": return .unknownSession
        case "length", "kind", "version", "padding": return .badPacket
        default:
            #expect(name.contains("changed"))
            return .badFlowAuth
        }
    }

    @Test(arguments: [SealMode.full, .header]) func dropped(mode: SealMode) throws {
        for entry in try Vectors.hl1("he1") where try entry["verdict"].string() == "drop" {
            let name = Comment(rawValue: try entry["name"].string())
            let bench = try Bench(entry["inputs"])
            let packet = try entry["output"].bytes()
            let expected = try FlowVectorTests.expectedDrop(entry)
            // Another routing type: a handshake for control to refuse, and none of the header seal's business.
            let isOtherType = expected == nil
            #expect(bench.arrive(packet, mode) == (isOtherType && mode == .header ? .badFrame : expected), name)
            #expect(bench.node.delivered.isEmpty, name)
            #expect(bench.node.punts.map(\.head.kind) == (isOtherType && mode == .full ? [.overlay] : []), name)
        }
    }

    /// The same plaintext under the same counter seals to the same bytes, in both frame layouts.
    @Test(arguments: [SealMode.full, .header]) func seals(mode: SealMode) throws {
        var count = 0
        for entry in try Vectors.hl1("he1") where !entry["fields"]["plaintext"].isNull {
            let name = Comment(rawValue: try entry["name"].string())
            let inputs = entry["inputs"]
            let bench = try Bench(inputs)
            let node = bench.node
            let expected = try entry["output"].bytes()
            let lane = Int(expected[3] >> 4)
            node.port.flowSessions.record(bench.peer.slot).pointee.remoteIndex = try inputs["receiver_index"].number()
            node.port.flowSessions.sendCounter(bench.peer.slot, lane: lane).pointee = try inputs["counter"].number()
            let gap = [UInt8](repeating: 0, count: 16)
            let plain = try entry["fields"]["plaintext"].bytes()
            let route = Array(expected[..<4]) + [UInt8](repeating: 0, count: 12) + expected[16..<48]
            let frame = mode == .full ? gap + route + plain + gap + gap : gap + route + gap + plain + gap
            let slab = try #require(node.pool.takeSlab())
            defer { node.pool.release(slab) }
            frame.withUnsafeBytes {
                guard let base = $0.baseAddress else { return }
                (node.pool.base(slab) + 128).copyMemory(from: base, byteCount: frame.count)
            }
            var packet = Descriptor(buffer: slab, offset: 128, length: UInt32(frame.count), mode: mode)
            packet.disposition = .forward
            packet.flow = bench.peer.slot
            var vector = PacketVector()
            defer { vector.deallocate() }
            vector.append(packet)
            let context = node.worker.context
            sealFlow(vector, context, &node.worker.punts, node.worker.hints)
            let out = Array(UnsafeRawBufferPointer(start: node.pool.base(slab) + 128, count: frame.count))
            let sealed = mode == .full ? out[16..<(out.count - 16)] : out[16..<64] + out[80...]
            #expect(Array(sealed) == expected, name)
            count += 1
        }
        #expect(count > 50)
    }

    /// The inner packets of the entries, read from the TUN of their source, give the plaintexts of the entries.
    @Test(arguments: [SealMode.full, .header]) func entersAsPlaintext(mode: SealMode) throws {
        var count = 0
        for entry in try Vectors.hl1("he1") where !entry["fields"]["plaintext"].isNull {
            let inputs = entry["inputs"]
            guard try inputs["kind"].number(Int.self) == 0 else { continue }
            let name = Comment(rawValue: try entry["name"].string())
            let network = TestNetwork(seed: 13)
            let node = try network.add(
                "N",
                TestNode.Options(entryMode: mode, address: IPv6Address(bytes: try inputs["peer_address"].bytes())))
            let link = try Neighbour(network, node, number: 1, Neighbour.Options(mtu: 1_500))
            let address = try #require(IPv6Address(bytes: try inputs["own_address"].bytes()))
            let peer = try RemotePeer(network, node, address: address, suite: try inputs["suite"].number())
            node.route(address, NextHop(kind: .link, link: link.link, peer: peer.id))
            let inner = try inputs["inner"].bytes()
            node.io.arriveFromTun(Inner.read(inner))
            node.turn(network.now)
            let packets = link.received.compactMap(\.inner)
            #expect(packets.compactMap(peer.open) == [try entry["fields"]["plaintext"].bytes()], name)
            #expect(packets.compactMap(peer.inner) == [Inner.withHopLimit(inner, inner[7] - 1)], name)
            count += 1
        }
        #expect(count > 30)
    }

    /// An error that comes in is punted as it stands; one that we make is the entry's, with the flow hash of the packet
    /// it is about.
    @Test func errors() throws {
        for entry in try Vectors.hl1("error") {
            let name = Comment(rawValue: try entry["name"].string())
            let packet = try entry["output"].bytes()
            let network = TestNetwork(seed: 14)
            let node = try network.add(
                "N", TestNode.Options(address: IPv6Address(bytes: packet[32..<48])))
            let link = try Neighbour(network, node, number: 1)
            link.send(link.full(packet))
            node.turn(network.now)
            #expect(node.punts.map(\.bytes) == [[packet[0], packet[1] - 1] + packet[2...]], name)
            #expect(node.punts.map(\.head.kind) == [.overlay], name)
            let parsed = packet[48...].withUnsafeBytes { bytes in
                bytes.baseAddress.flatMap { ErrorBody.parse($0, length: bytes.count) }
            }
            guard try entry["verdict"].string() == "accept" else {
                #expect(parsed == nil, name)
                continue
            }
            #expect(parsed?.code.rawValue == (try entry["inputs"]["code"].number()), name)
            #expect(parsed?.value == (try entry["inputs"]["value"].number()), name)
            try FlowVectorTests.checkMade(entry, name)
        }
    }

    private static func checkMade(_ entry: JSON, _ name: Comment) throws {
        let packet = try entry["output"].bytes()
        let failed = try entry["inputs"]["failed"].bytes()
        let network = TestNetwork(seed: 15)
        let node = try network.add("N", TestNode.Options(address: IPv6Address(bytes: packet[16..<32])))
        let link = try Neighbour(network, node, number: 1, Neighbour.Options(mtu: 1_232))
        node.route(try #require(IPv6Address(bytes: failed[16..<32])), NextHop(kind: .link, link: link.link))
        node.turn(network.now)
        let code = try #require(ErrorBody.Code(rawValue: try entry["inputs"]["code"].number()))
        let context = node.worker.context
        failed.withUnsafeBytes {
            guard let base = $0.baseAddress else { return }
            node.worker.rejections.overlayError(
                code, value: (try? entry["inputs"]["value"].number()) ?? 0, kind: .data, about: base, length: 132,
                context)
        }
        node.turn(network.now)
        var expected = packet
        expected.replaceSubrange(2..<4, with: failed[2..<4])
        #expect(link.received.map(\.inner) == [expected], name)
    }
}
