import HyphaBase
import StockModel
import TestVectors
import Testing

/// The model's wire format against the recordings, both ways.
@Suite struct VectorTests {
    private static func subnet(_ text: String) throws -> StockSubnet {
        let parts = text.split(separator: "/")
        guard parts.count == 2, let address = IPv6Address(parts[0]), let length = Int(parts[1]) else {
            throw JSON.Missing()
        }
        return StockSubnet(address, length)
    }

    private static func address(_ value: JSON) throws -> IPv6Address {
        guard let address = IPv6Address(try value.string()) else { throw JSON.Missing() }
        return address
    }

    private static func metric(_ value: JSON) throws -> UInt16 {
        if case .string("infinite") = value { return StockMetric.infinite }
        return try value.number()
    }

    /// What the model makes of the fields of an entry, and what it must read in its frame.
    private static func control(_ kind: String, _ fields: JSON) throws -> (frame: [UInt8], packet: StockPacket) {
        switch kind {
        case "hello":
            let frame = StockEncoder.hello(
                seqno: try fields["seqno"].number(), flags: try fields["flags"].number(),
                interval: try fields["interval_cs"].number())
            return (frame, .hello)
        case "ihu":
            let address = fields["address"]
            var bytes: [UInt8] = []
            if !address.isNull {
                if let v4 = IPv6Address.parseIPv4(try address.string()) {
                    bytes = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: v4 >> $0) }
                } else {
                    bytes = try Self.address(address).bytes
                }
            }
            let frame = StockEncoder.ihu(
                cost: try fields["rx_cost"].number(), interval: try fields["interval_cs"].number(), address: bytes)
            return (frame, .ihu)
        case "update":
            let (subnet, routerID) = (try subnet(fields["subnet"].string()), try fields["router_id"].bytes())
            let (seqno, interval): (UInt16, UInt16) = try (fields["seqno"].number(), fields["interval_cs"].number())
            let metric = try metric(fields["metric"])
            return (
                StockEncoder.update(subnet, routerID: routerID, seqno: seqno, metric: metric, interval: interval),
                .update(
                    prefix: subnet.bytes, length: UInt8(subnet.length), seqno: seqno, metric: metric,
                    interval: interval, routerID: routerID)
            )
        case "route_request":
            let generation: UInt8 = try fields["generation"].number()
            let subnet = fields["subnet"].isNull ? nil : try subnet(fields["subnet"].string())
            return (
                StockEncoder.routeRequest(subnet, generation: generation),
                .routeRequest(
                    generation: generation, prefix: subnet?.bytes ?? [], length: UInt8(subnet?.length ?? 0))
            )
        default:
            #expect(kind == "seqno_request")
            let (subnet, routerID) = (try subnet(fields["subnet"].string()), try fields["router_id"].bytes())
            let (seqno, hopCount): (UInt16, UInt8) = try (fields["seqno"].number(), fields["hop_count"].number())
            return (
                StockEncoder.seqnoRequest(subnet, routerID: routerID, seqno: seqno, hopCount: hopCount),
                .seqnoRequest(
                    prefix: subnet.bytes, length: UInt8(subnet.length), seqno: seqno, hopCount: hopCount,
                    routerID: routerID)
            )
        }
    }

    @Test func controlFrames() throws {
        let entries = try Vectors.load("control.json")["frames"].array()
        #expect(entries.count >= 20)
        for entry in entries {
            let (name, frame) = (try entry["name"].string(), try entry["frame"].bytes())
            let expected = try Self.control(entry["tlv"].string(), entry["fields"])
            var decoder = StockDecoder()
            #expect(decoder.receive(frame) == [expected.packet], "\(name)")
            // Flag bits of an update are not kept by anybody but the canonical frame of this entry.
            guard name != "update unknown flags and omitted byte" else { continue }
            let canonical = entry["canonical"].isNull ? frame : try entry["canonical"].bytes()
            #expect(expected.frame == canonical, "\(name)")
        }
    }

    @Test func oddFramesAreNoticed() throws {
        let expected: [String: StockOddity] = [
            "hello unknown flag bits": .helloFields, "ihu with IPv4 address": .addressEncoding,
            "ihu reserved byte set": .ihuFields, "update unknown flags and omitted byte": .updateFields,
            "update host route /128": .prefixNot64,
        ]
        for entry in try Vectors.load("control.json")["frames"].array() {
            let name = try entry["name"].string()
            var decoder = StockDecoder()
            _ = decoder.receive(try entry["frame"].bytes())
            if let oddity = expected[name] { #expect(decoder.oddities[oddity] == 1, "\(name)") }
        }
        for entry in try Vectors.load("control.json")["irregular"].array() {
            let name = try entry["name"].string()
            var decoder = StockDecoder()
            for chunk in try entry["chunks"].array() { _ = decoder.receive(try chunk.bytes()) }
            #expect(!decoder.oddities.isEmpty, "\(name)")
        }
        for entry in try Vectors.load("live.json")["frames"].array() {
            var decoder = StockDecoder()
            _ = decoder.receive(try entry["frame"].bytes())
            // Nodes of a test took part in the recording.
            let (name, others) = (try entry["name"].string(), decoder.oddities.others(than: [.updateInterval]))
            #expect(others.isEmpty, "\(name): \(others)")
        }
    }

    @Test func liveFrames() throws {
        let file = try Vectors.load("live.json")
        var data = 0
        for entry in try file["frames"].array() {
            let (name, frame, fields) = (try entry["name"].string(), try entry["frame"].bytes(), entry["decoded"])
            var decoder = StockDecoder()
            let packets = decoder.receive(frame)
            guard fields["data"].isNull else {
                data += 1
                try checkData(name, frame, packets, fields, keys: file["keys"])
                continue
            }
            let expected = try Self.control(fields["tlv"].string(), fields)
            #expect(packets == [expected.packet], "\(name)")
            #expect(expected.frame == frame, "\(name)")
        }
        #expect(data >= 10)
    }

    private func checkData(
        _ name: String, _ frame: [UInt8], _ packets: [StockPacket], _ fields: JSON, keys: JSON
    ) throws {
        let datagram = try #require(Self.datagram(packets), "\(name)")
        #expect(datagram.hopLimit == (try fields["hop_limit"].number()), "\(name)")
        #expect(datagram.source == (try Self.address(fields["src"])), "\(name)")
        #expect(datagram.destination == (try Self.address(fields["dst"])), "\(name)")
        let pair = try fields["key_between"].array().map { keys[try $0.string()] }
        let own = try #require(StockIdentity(secret: try pair[1]["secret"].bytes(), random: [0, 0, 0, 0, 0, 0]))
        let other = try pair[0]["public"].bytes()
        #expect(own.address == (try Self.address(pair[1]["address"])), "\(name)")
        #expect(own.sharedSecret(with: other) == (try fields["shared_secret"].bytes()), "\(name)")
        let cipher = try #require(own.cipher(with: other))
        let plaintext = try #require(cipher.open(datagram.payload), "\(name)")
        // The other way.
        var again = datagram
        again.payload = cipher.seal(plaintext, nonce: try fields["nonce"].bytes())
        var made: [UInt8] = []
        StockEncoder.append(again, to: &made)
        #expect(made == frame, "\(name)")
    }

    private static func datagram(_ packets: [StockPacket]) -> StockDatagram? {
        guard packets.count == 1, case .data(let hopLimit, let source, let destination, let payload) = packets[0],
            let from = IPv6Address(bytes: source), let to = IPv6Address(bytes: destination)
        else { return nil }
        return StockDatagram(hopLimit: hopLimit, source: from, destination: to, payload: payload)
    }

    @Test func sealedPackets() throws {
        let file = try Vectors.load("data.json")
        for entry in try file["packets"].array() {
            let (name, frame) = (try entry["name"].string(), try entry["frame"].bytes())
            let secret = try entry["receiver_secret_key"].bytes()
            let receiver = try #require(StockIdentity(secret: secret, random: [0, 0, 0, 0, 0, 0]))
            let key = try entry["sender_public_key"].bytes()
            #expect(receiver.sharedSecret(with: key) == (try entry["key"].bytes()), "\(name)")
            let cipher = try #require(receiver.cipher(with: key))
            let inner = try entry["inner"].bytes()
            let plaintext = try entry["user_header"].bytes() + inner
            let payload = cipher.seal(plaintext, nonce: try entry["nonce"].bytes())
            #expect(payload.count == (try entry["payload_length"].number(Int.self)), "\(name)")
            let datagram = StockDatagram(
                hopLimit: try entry["hop_limit"].number(), source: try Self.address(entry["src"]),
                destination: try Self.address(entry["dst"]), payload: payload)
            var made: [UInt8] = []
            StockEncoder.append(datagram, to: &made)
            #expect(made == frame, "\(name)")
            #expect(cipher.open(payload) == plaintext, "\(name)")

            // The whole node: the sender is a neighbour, and what it sends goes to the host or does not.
            var rig = Rig(secret: secret)
            let peer = rig.attach(key: key)
            rig.write(frame, to: peer)
            let packets = rig.model.takeHostPackets()
            let expected = entry["to_host"].isNull ? [] : [try entry["to_host"].bytes()]
            #expect(packets == expected, "\(name)")
        }
        let first = try #require(try file["packets"].array().first)
        for entry in try file["tampered"].array() {
            let name = try entry["name"].string()
            // A reflected packet is for its author, and its peer is the receiver.
            let isReflected = name.contains("reflected")
            let (own, other) = try (first["receiver_secret_key"].bytes(), first["sender_public_key"].bytes())
            let identities = try Vectors.load("addresses.json")["keys"].array()
            let secret = isReflected ? try identities[0]["secret_key"].bytes() : own
            let key = isReflected ? try identities[1]["public_key"].bytes() : other
            var rig = Rig(secret: secret)
            let peer = rig.attach(key: key)
            rig.write(try entry["frame"].bytes(), to: peer)
            let decrypts = try entry["decrypts"].bool()
            #expect((rig.model.drops[.notAuthentic] == nil) == decrypts, "\(name)")
            #expect(rig.model.takeHostPackets().count == (decrypts ? 1 : 0), "\(name)")
        }
    }

    @Test func errorsFromRelays() throws {
        let keys = try Vectors.load("addresses.json")["keys"].array()
        for entry in try Vectors.load("icmp.json")["oob"].array() {
            let name = try entry["name"].string()
            // As its sender: the relay gets the failed packet and writes the error, sealed with another nonce.
            let relaySecret = try keys[entry["relay"].number(Int.self)]["secret_key"].bytes()
            var relay = Rig(secret: relaySecret)
            let sender = relay.attach(key: try keys[entry["original_sender"].number(Int.self)]["public_key"].bytes())
            let target = relay.attach(key: try entry["original_target_public_key"].bytes())
            _ = (relay.read(sender), relay.read(target))
            // Routes, and none selected.
            if try entry["icmp_type"].number() == 1 { relay.detach(target) }
            relay.write(try entry["original_frame"].bytes(), to: sender)
            let sent = relay.read(sender).compactMap { Self.datagram([$0]) }
            let datagram = try #require(sent.first, "\(name)")
            let receiver = try #require(
                StockIdentity(secret: try entry["receiver_secret_key"].bytes(), random: [0, 0, 0, 0, 0, 0]))
            let cipher = try #require(receiver.cipher(with: try entry["sender_public_key"].bytes()))
            let content = try #require(cipher.open(datagram.payload), "\(name)")
            #expect(content == [1, 2, 0, 0] + (try entry["inner"].bytes()), "\(name)")
            var frame: [UInt8] = []
            var again = datagram
            again.payload = cipher.seal(content, nonce: try entry["nonce"].bytes())
            StockEncoder.append(again, to: &frame)
            #expect(frame == (try entry["frame"].bytes()), "\(name)")

            // As its receiver.
            var node = Rig(secret: try entry["receiver_secret_key"].bytes())
            let peer = node.attach(key: try entry["sender_public_key"].bytes())
            _ = node.attach(key: try entry["original_target_public_key"].bytes())
            node.write(frame, to: peer)
            let expected = entry["to_host"].isNull ? [] : [try entry["to_host"].bytes()]
            #expect(node.model.takeHostPackets() == expected, "\(name)")
        }
    }

    @Test func errorsForTheHost() throws {
        let keys = try Vectors.load("addresses.json")["keys"].array()
        for entry in try Vectors.load("icmp.json")["local"].array() {
            let name = try entry["name"].string()
            var rig = Rig(secret: try keys[0]["secret_key"].bytes())
            let trigger = try entry["trigger"].bytes()
            rig.model.send(trigger, now: rig.now)
            let packet = try #require(rig.model.takeHostPackets().first, "\(name)")
            let (type, code): (UInt8, UInt8) = try (entry["type"].number(), entry["code"].number())
            #expect(packet[40] == type && packet[41] == code, "\(name)")
            if entry["icmp_packet"].isNull {
                #expect(packet.count == 1_280 && packet[7] == trigger[7], "\(name)")
                #expect(packet[8..<24] == trigger[8..<24] && packet[24..<40] == trigger[8..<24], "\(name)")
                #expect(packet[48...].starts(with: trigger), "\(name)")
            } else {
                #expect(packet == (try entry["icmp_packet"].bytes()), "\(name)")
            }
        }
    }

    @Test func identities() throws {
        let file = try Vectors.load("addresses.json")
        for entry in try file["keys"].array() {
            let (secret, routerID) = (try entry["secret_key"].bytes(), try entry["router_id"].bytes())
            let identity = try #require(StockIdentity(secret: secret, random: Array(routerID.suffix(6))))
            #expect(identity.publicKey == (try entry["public_key"].bytes()))
            #expect(identity.address == (try Self.address(entry["address"])))
            #expect("\(identity.subnet)" == (try entry["subnet"].string()))
            #expect(identity.routerID == routerID)
        }
        for entry in try file["edge_public_keys"].array() {
            #expect(StockIdentity.address(of: try entry["public_key"].bytes()) == (try Self.address(entry["address"])))
        }
        for entry in try Vectors.load("secrets.json")["pairs"].array() {
            let secret = try entry["secret_key_a"].bytes()
            let identity = try #require(StockIdentity(secret: secret, random: [0, 0, 0, 0, 0, 0]))
            let shared = identity.sharedSecret(with: try entry["public_key_b"].bytes())
            #expect(shared == (try entry["shared_secret"].bytes()))
        }
    }
}
