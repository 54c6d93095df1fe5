import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire
import TestVectors
import Testing

@testable import HyphaDataplane

/// The link messages of hl1.json, through a whole worker.
struct LinkVectorTests {
    /// A node that has the session of an entry with `from`, and a second link `to` where everything is routed.
    struct Bench {
        let network: TestNetwork
        let node: TestNode
        let from: Neighbour
        let to: Neighbour

        init(_ inputs: JSON) throws {
            let suite: UInt8 = try inputs["suite"].number()
            let keys = Seal.laneKeys("hypha lane 1", direction: try inputs["k_direction"].bytes(), suite: suite)
            network = TestNetwork(seed: 11)
            node = try network.add("N")
            // The far end takes what it sends: its keys are used in both directions.
            from = try Neighbour(
                network, node, number: 1,
                Neighbour.Options(
                    suite: suite, lanes: try inputs["lanes"].number(), index: try inputs["receiver_index"].number(),
                    towards: keys, back: keys))
            let other = from.index & 15 == 3 ? UInt32(0x7700_0005) : 0x7700_0003
            to = try Neighbour(network, node, number: 2, Neighbour.Options(mtu: 1_500, index: other))
            node.route(Prefix(IPv6Address(high: 0x04 << 56, low: 0), length: 7), NextHop(kind: .link, link: to.link))
            node.turn(network.now)
            node.forget()
        }

        /// The datagram arrives; the drop it ends in, if it does.
        func arrive(_ datagram: [UInt8]) -> DropReason? {
            let before = DropReason.allCases.map { node.counters[$0] }
            from.send(datagram)
            node.turn(network.now)
            node.turn(network.now)
            node.expectNoLeak()
            return zip(DropReason.allCases, before).first { node.counters[$0] != $1 }?.0
        }

        var isQuiet: Bool { node.sent.isEmpty && node.delivered.isEmpty && node.punts.isEmpty }
    }

    static func checkAccepted(_ entry: JSON, _ name: Comment) throws {
        let inputs = entry["inputs"]
        let bench = try Bench(inputs)
        let datagram = try entry["output"].bytes()
        #expect(try inputs["lane_key"].bytes() == bench.from.towards[try inputs["lane"].number(Int.self)], name)
        let isHeader = datagram[0] == 5
        let inner = try isHeader ? inputs["route"].bytes() + inputs["body"].bytes() : inputs["inner"].bytes()
        // The keys and their use are those of the entry.
        #expect(try sealAgain(entry, bench) == datagram, name)

        let dropped = bench.arrive(datagram)
        if inner.isEmpty {
            #expect(dropped == nil && bench.isQuiet && bench.node.counters[.punted] == 1, name)
        } else if inner[0] >= 0x80 {
            #expect(dropped == nil && bench.node.sent.isEmpty, name)
            #expect(bench.node.punts.map(\.bytes) == [inner], name)
            #expect(bench.node.punts.map(\.head.kind) == [.linkControl], name)
            #expect(bench.node.punts.map(\.head.link) == [bench.from.link], name)
        } else {
            #expect(dropped == nil, name)
            #expect(bench.to.received.map(\.inner) == [[inner[0], inner[1] - 1] + inner[2...]], name)
            #expect(bench.to.received.map { $0.datagram[0] } == [datagram[0]], name)
        }
        let link = bench.node.port.linkSessions
        #expect(link.use(bench.from.slot).pointee.received == 1, name)
        #expect(bench.node.notices.map(\.kind) == [.linkSessionConfirmed], name)

        bench.node.forget()
        #expect(bench.arrive(datagram) == .replay && bench.isQuiet, name)
        #expect(link.use(bench.from.slot).pointee.received == 1, name)
    }

    /// What a node seals for the same content under the same counter.
    static func sealAgain(_ entry: JSON, _ bench: Bench) throws -> [UInt8] {
        let datagram = try entry["output"].bytes()
        let inputs = entry["inputs"]
        let node = bench.node
        let slot = bench.from.slot
        let record = node.port.linkSessions.record(slot)
        let remote = record.pointee.remoteIndex
        // Our session, but towards the index of the entry.
        record.pointee.remoteIndex = try inputs["receiver_index"].number()
        let lane: Int = try inputs["lane"].number()
        node.port.linkSessions.sendCounter(slot, lane: lane).pointee = try inputs["counter"].number()
        defer {
            record.pointee.remoteIndex = remote
            node.port.linkSessions.sendCounter(slot, lane: lane).pointee = 0
        }
        let inner =
            try datagram[0] == 5
            ? inputs["route"].bytes() + [UInt8](repeating: 0, count: 16) + inputs["body"].bytes()
            : inputs["inner"].bytes() + [UInt8](repeating: 0, count: 16)
        let frame = [UInt8](repeating: 0, count: 16) + inner
        let slab = try #require(node.pool.takeSlab())
        defer { node.pool.release(slab) }
        frame.withUnsafeBytes {
            if let base = $0.baseAddress { (node.pool.base(slab) + 128).copyMemory(from: base, byteCount: frame.count) }
        }
        var packet = Descriptor(
            buffer: slab, offset: 128, length: UInt32(frame.count), mode: datagram[0] == 5 ? .header : .full)
        packet.disposition = .forward
        packet.link = bench.from.link
        packet.lane = UInt8(lane)
        var vector = PacketVector()
        defer { vector.deallocate() }
        vector.append(packet)
        let context = node.worker.context
        _ = stamp(vector, context, &node.worker.punts)
        sealLink(vector, context)
        // Sealing was not sending.
        context.links[bench.from.link]?.pointee.liveness = Liveness()
        #expect(vector.packets[0].disposition == .forward)
        return Array(UnsafeRawBufferPointer(start: node.pool.base(slab) + 128, count: frame.count))
    }

    /// What opens but is not acted on: counted as received; control entries are control's to refuse.
    static func checkRefused(_ entry: JSON, _ name: Comment) throws {
        let bench = try Bench(entry["inputs"])
        let datagram = try entry["output"].bytes()
        let dropped = bench.arrive(datagram)
        #expect(bench.node.port.linkSessions.use(bench.from.slot).pointee.received == 1, name)
        #expect(bench.node.sent.isEmpty && bench.node.delivered.isEmpty, name)
        if let dropped {
            #expect(dropped == .badFrame && bench.node.punts.isEmpty, name)
        } else {
            #expect(bench.node.punts.map(\.bytes) == [try entry["inputs"]["inner"].bytes()], name)
        }
        bench.node.forget()
        #expect(bench.arrive(datagram) == .replay && bench.isQuiet, name)
    }

    static func check(_ entry: JSON) throws {
        let name = Comment(rawValue: try entry["name"].string())
        switch try entry["verdict"].string() {
        case "accept": try checkAccepted(entry, name)
        case "refuse message": try checkRefused(entry, name)
        default:
            let bench = try Bench(entry["inputs"])
            if !entry["inputs"]["own_modes"].isNull {
                bench.node.port.linkSessions.record(bench.from.slot).pointee.ownModes =
                    try entry["inputs"]["own_modes"].number()
            }
            let why = try entry["why"].string()
            let dropped = bench.arrive(try entry["output"].bytes())
            #expect(dropped == (try expectedDrop(entry)), name)
            #expect(bench.isQuiet, "\(name): \(why)")
        }
    }

    /// The drop that each refused entry ends in.
    static func expectedDrop(_ entry: JSON) throws -> DropReason {
        let name = try entry["name"].string()
        switch try entry["why"].string() {
        case "type 4, reserved changed", "reserved": return .badType
        case "index": return .unknownIndex
        case "length" where name.contains("of 31 bytes") || name.contains("of 95 bytes"): return .badLength
        case "lane" where name.contains("lane 16"), "lane not agreed": return .badLane
        case "counter limit": return .keyExpired
        case "routing type", "mode": return .badFrame
        default: return .badAuth
        }
    }

    @Test func type4() throws {
        for entry in try Vectors.hl1("type4") { try LinkVectorTests.check(entry) }
    }

    @Test func type5() throws {
        for entry in try Vectors.hl1("type5") { try LinkVectorTests.check(entry) }
    }

    @Test func datagrams() throws {
        for entry in try Vectors.hl1("datagram") {
            if try entry["verdict"].string() == "accept" {
                let bench = try Bench(entry["inputs"])
                #expect(bench.arrive(try entry["output"].bytes()) == nil)
                #expect(bench.node.port.linkSessions.use(bench.from.slot).pointee.received == 1)
            } else {
                try LinkVectorTests.check(entry)
            }
        }
    }

    /// Pieces come in both orders; the whole goes on in one datagram.
    @Test func type6() throws {
        for entry in try Vectors.hl1("type6") {
            let name = Comment(rawValue: try entry["name"].string())
            let bench = try Bench(entry["inputs"])
            let pieces = try entry["output"].array().map { try $0.bytes() }
            guard try entry["verdict"].string() == "accept" else {
                try LinkVectorTests.checkRefusedPieces(entry, pieces, bench, name)
                continue
            }
            let inner = try entry["inputs"]["inner"].bytes()
            let ours = try LinkVectorTests.splitAgain(entry, bench)
            #expect(ours == pieces || ours == pieces.reversed(), name)
            #expect(ours.map { $0[8] & 1 } == [0, 1], name)
            #expect(bench.arrive(pieces[0]) == nil && bench.isQuiet, name)
            #expect(bench.node.worker.waiting == 1, name)
            #expect(bench.arrive(pieces[1]) == nil, name)
            #expect(bench.to.received.map(\.inner) == [[inner[0], inner[1] - 1] + inner[2...]], name)
            #expect(bench.to.received.map { $0.datagram[0] } == [4], name)
            #expect(bench.node.port.linkSessions.use(bench.from.slot).pointee.received == 2, name)
            #expect(bench.node.notices.map(\.kind) == [.linkSessionConfirmed], name)
            #expect(bench.node.worker.waiting == 0, name)
            bench.node.forget()
            for piece in pieces { #expect(bench.arrive(piece) == .replay && bench.isQuiet, name) }
        }
    }

    static func checkRefusedPieces(_ entry: JSON, _ pieces: [[UInt8]], _ bench: Bench, _ name: Comment) throws {
        for piece in pieces { _ = bench.arrive(piece) }
        #expect(bench.isQuiet, name)
        let opened = bench.node.port.linkSessions.use(bench.from.slot).pointee.received
        switch try entry["why"].string() {
        case "no piece":
            #expect(bench.node.drops == ["bad_length": 1] && opened == 0, name)
        case "total 3", "part 2":
            #expect(bench.node.drops == ["bad_fragment": 1] && opened == 1, name)
        case "second copy of part 0":
            // The first copy stays.
            #expect(bench.node.drops == ["bad_fragment": 1] && bench.node.worker.waiting == 1, name)
        case "control inside", "whole of 47":
            #expect(bench.node.drops == ["bad_fragment": 2] && bench.node.worker.waiting == 0, name)
        case "whole of 4 097":
            // The first piece alone is larger than half a packet can be.
            #expect(bench.node.drops == ["bad_fragment": 1] && bench.node.worker.waiting == 1, name)
        case let why: Issue.record("\(name): no rule for \(why)")
        }
        let waiting = UInt64(bench.node.worker.waiting)
        bench.network.sleep(bench.node, milliseconds: 150)
        #expect(bench.node.worker.waiting == 0 && bench.node.counters[.fragmentLost] == waiting, name)
    }

    /// The pieces that a node makes of the same packet under the same counter and id.
    static func splitAgain(_ entry: JSON, _ bench: Bench) throws -> [[UInt8]] {
        let inputs = entry["inputs"]
        let node = bench.node
        let (sessions, slot) = (node.port.linkSessions, bench.from.slot)
        let lane: Int = try inputs["lane"].number()
        #expect(try inputs["lane_key"].bytes() == bench.from.towards[lane])
        let remote = sessions.record(slot).pointee.remoteIndex
        sessions.record(slot).pointee.remoteIndex = try inputs["receiver_index"].number()
        sessions.sendCounter(slot, lane: lane).pointee = try inputs["counter"].number()
        sessions.fragmentID(slot, lane: lane).pointee = try inputs["id"].number()
        defer {
            sessions.record(slot).pointee.remoteIndex = remote
            sessions.sendCounter(slot, lane: lane).pointee = 0
        }
        let frame =
            try [UInt8](repeating: 0, count: 16) + inputs["inner"].bytes() + [UInt8](repeating: 0, count: 16)
        let slab = try #require(node.pool.takeSlab())
        defer { node.pool.release(slab) }
        frame.withUnsafeBytes {
            if let base = $0.baseAddress { (node.pool.base(slab) + 128).copyMemory(from: base, byteCount: frame.count) }
        }
        var packet = Descriptor(buffer: slab, offset: 128, length: UInt32(frame.count), mode: .full)
        packet.disposition = .forward
        packet.link = bench.from.link
        packet.lane = UInt8(lane)
        var (vector, pieces) = (PacketVector(), PacketVector())
        defer {
            vector.deallocate()
            pieces.deallocate()
        }
        vector.append(packet)
        let context = node.worker.context
        #expect(firstTooLarge(vector, context) == 0)
        let counted = (node.counters[.punted], node.counters[.injected])
        #expect(split(vector, from: 0, into: &pieces, &node.worker.fragmentSlab, context) == 1)
        #expect(node.counters[.punted] == counted.0 + 1 && node.counters[.injected] == counted.1 + 2)
        _ = stamp(pieces, context, &node.worker.punts)
        sealLink(pieces, context)
        // What was made here is not sent: its counts go, for the law.
        node.counters.add(.punted, pieces.count - 1)
        context.links[bench.from.link]?.pointee.liveness = Liveness()
        return (0..<pieces.count).map { i in
            let piece = pieces.packets[i]
            return Array(
                UnsafeRawBufferPointer(
                    start: node.pool.base(piece.buffer) + Int(piece.offset), count: Int(piece.length)))
        }
    }

    /// Types 7 to 9: nothing in this version acts on them.
    @Test(arguments: ["reset_hint", "who", "here"]) func otherTypes(kind: String) throws {
        let inputs = try #require(try Vectors.hl1("type4").first)["inputs"]
        for entry in try Vectors.hl1(kind) {
            let name = Comment(rawValue: try entry["name"].string())
            let bench = try Bench(inputs)
            guard let datagram = try? entry["output"].bytes(), !datagram.isEmpty else { continue }
            let dropped = bench.arrive(datagram)
            #expect([.unsupported, .badLength, .badType].contains(dropped), name)
            #expect(bench.isQuiet, name)
        }
    }
}
