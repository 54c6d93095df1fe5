import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire
import TestVectors
import Testing

@testable import HyphaDataplane

/// Frames of stock nodes, from the vector files, through a whole worker.
struct StockVectorTests {
    /// Routing header of type 4 and the payload of a stock frame, as a relay passes it on.
    static func carried(_ frame: [UInt8]) -> [UInt8] {
        Seal.route(
            kind: 4, hopLimit: frame[7], source: Array(frame[8..<24]), destination: Array(frame[24..<40]))
            + frame[40...]
    }

    /// A node with the secret, and a route and key for everybody whose public key is given.
    static func node(secret: [UInt8], knows keys: [[UInt8]]) throws -> StockNode {
        let bench = try StockNode(.classic, secret: secret)
        for key in keys {
            let address = try #require(PublicKeyAddress.of(key))
            let id = bench.node.addPeer(address, key: key)
            bench.node.route(address, NextHop(kind: .link, link: bench.link.link, peer: id))
        }
        bench.turn()
        return bench
    }

    @Test func packetsBetweenStockNodes() throws {
        let packets = try Vectors.load("data.json")["packets"].array()
        #expect(packets.count == 12)
        for entry in packets {
            let name = try entry["name"].string()
            let bench = try Self.node(
                secret: try entry["receiver_secret_key"].bytes(), knows: [try entry["sender_public_key"].bytes()])
            bench.arrive(Self.carried(try entry["frame"].bytes()))
            if !entry["to_host"].isNull {
                #expect(bench.node.packets == [try entry["to_host"].bytes()], "\(name)")
                #expect(bench.node.drops == [:], "\(name)")
                // The virtio header in front says that the checksums are good.
                #expect(bench.node.delivered[0][..<10] == [2, 0, 0, 0, 0, 0, 0, 0, 0, 0])
            } else {
                #expect(bench.node.delivered.isEmpty, "\(name)")
                let expected = try entry["delivered"].bool() ? "unsupported" : "bad_packet"
                #expect(bench.node.drops == [expected: 1], "\(name)")
            }
            #expect(bench.node.counters[.keyAgreements] == 1 && bench.node.counters[.stockOpened] == 1)
            bench.node.expectNoLeak("\(name)")
        }
    }

    @Test func tamperedPackets() throws {
        let file = try Vectors.load("data.json")
        let original = try file["packets"].array()[0]
        let sender = try original["sender_public_key"].bytes()
        for entry in try file["tampered"].array() {
            let name = try entry["name"].string()
            let frame = try entry["frame"].bytes()
            let reflected = name.contains("reflected")
            // The one that comes back comes to its sender, as which the test has no key: the shared one is the same.
            let bench =
                reflected
                ? try StockNode(.classic, secret: [UInt8](repeating: 3, count: 32)) {
                    $0.address = IPv6Address(bytes: frame[24..<40])
                    let key = try? file["example_key"].bytes()
                    $0.stock.agree = { _, out in
                        guard let key else { return false }
                        for i in 0..<32 { out[i] = key[i] }
                        return true
                    }
                }
                : try Self.node(secret: try original["receiver_secret_key"].bytes(), knows: [sender])
            if reflected {
                let source = try #require(IPv6Address(bytes: frame[8..<24]))
                let id = bench.node.addPeer(source, key: [UInt8](repeating: 5, count: 32))
                bench.node.route(source, NextHop(kind: .link, link: bench.link.link, peer: id))
                bench.turn()
            }
            bench.arrive(Self.carried(frame))
            if try !entry["decrypts"].bool() {
                #expect(bench.node.drops == ["bad_flow_auth": 1] && bench.node.delivered.isEmpty, "\(name)")
            } else if reflected {
                #expect(bench.node.drops == ["bad_source": 1] && bench.node.delivered.isEmpty, "\(name)")
            } else {
                // The hop limit is not authenticated: only its step is right.
                #expect(bench.node.packets.map { $0[7] } == [8], "\(name)")
            }
        }
    }

    /// What complete stock nodes sent each other.
    @Test func liveFrames() throws {
        let file = try Vectors.load("live.json")
        let keys = file["keys"]
        var ends: [String: Int] = [:]
        for entry in try file["frames"].array() where !entry["decoded"]["data"].isNull {
            let name = try entry["name"].string()
            let frame = try entry["frame"].bytes()
            let decoded = entry["decoded"]
            let pair = try decoded["key_between"].array().map { try $0.string() }
            let others = try ["A", "B", "R", "x", "y", "z"].filter { $0 != pair[1] }.map {
                try keys[$0]["public"].bytes()
            }
            let bench = try Self.node(secret: try keys[pair[1]]["secret"].bytes(), knows: others)
            bench.arrive(Self.carried(frame))
            guard frame[7] >= 2 else {
                // Ends here: the source hears of it.
                #expect(bench.node.drops == ["hop_limit": 1] && bench.sent.count == 1, "\(name)")
                ends["hop limit", default: 0] += 1
                continue
            }
            let plain = try decoded["plaintext"].bytes()
            switch plain[1] {
            case 0:
                var expected = Array(plain[4...])
                expected[7] = frame[7] - 1
                #expect(bench.node.packets == [expected], "\(name)")
            case 1: #expect(bench.node.drops == ["unsupported": 1], "\(name)")
            default:
                // The driver of one capture sealed a packet for y with the key of B: y's does not open the quote.
                let quoted = try decoded["icmp"]["quoted_key_between"].array()[1].string()
                if try decoded["icmp"]["original_destination"].string() != keys[quoted]["address"].string() {
                    #expect(bench.node.drops == ["bad_flow_auth": 1], "\(name)")
                    ends["another key", default: 0] += 1
                    continue
                }
                // The quoted packet comes back to its own host.
                try #require(bench.node.packets.count == 1, "\(name)")
                let answer = bench.node.packets[0]
                #expect(Inner.isSound(answer) && answer[6] == 58 && answer[40] < 128, "\(name)")
                #expect(Array(answer[8..<24]) == Array(frame[8..<24]), "\(name)")
                #expect(Array(answer[24..<40]) == bench.node.address.bytes, "\(name)")
                #expect(Array(answer[56..<72]) == bench.node.address.bytes, "\(name)")
            }
            ends["\(plain[1])", default: 0] += 1
        }
        #expect(ends["0"] ?? 0 >= 4 && ends["1"] == 7 && ends["2"] == 2)
    }

    @Test func reportsOfStockRelays() throws {
        for entry in try Vectors.load("icmp.json")["oob"].array() {
            let name = try entry["name"].string()
            let bench = try Self.node(
                secret: try entry["receiver_secret_key"].bytes(),
                knows: [
                    try entry["sender_public_key"].bytes(), try entry["original_target_public_key"].bytes(),
                ])
            bench.arrive(Self.carried(try entry["frame"].bytes()))
            if entry["to_host"].isNull {
                #expect(bench.node.drops == ["bad_packet": 1] && bench.node.delivered.isEmpty, "\(name)")
            } else {
                #expect(bench.node.packets == [try entry["to_host"].bytes()], "\(name)")
                #expect(bench.node.drops == [:])
            }
            bench.node.expectNoLeak("\(name)")
        }
    }
}
