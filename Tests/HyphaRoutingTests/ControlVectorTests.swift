import HyphaBase
import HyphaWire
import TestVectors
import Testing

/// The header of a stock control frame, which stands before the Babel packet and belongs to the stream.
private let frameHeader: [UInt8] = [1, 1, 0, 0]

/// A TLV made from the named fields of a vector.
private func tlv(_ row: JSON) throws -> BabelTLV {
    let fields = row["fields"]
    func prefix() throws -> Prefix { try #require(Prefix(try fields["subnet"].string())) }
    func routerID() throws -> RouterID { try #require(RouterID(bytes: try fields["router_id"].bytes())) }
    switch try row["tlv"].string() {
    case "hello":
        let flags: UInt16 = try fields["flags"].number()
        return .hello(
            .init(
                isUnicast: flags == 0x8000, seqno: try fields["seqno"].number(),
                interval: try fields["interval_cs"].number()))
    case "ihu":
        var address: IPv6Address?
        if !fields["address"].isNull {
            let text = try fields["address"].string()
            address = IPv6Address.parseIPv4(text).map { .mapped(ipv4: $0) } ?? IPv6Address(text)
            try #require(address != nil)
        }
        return .ihu(
            .init(
                receiveCost: try fields["rx_cost"].number(), interval: try fields["interval_cs"].number(),
                address: address))
    case "update":
        return .update(
            .init(
                prefix: try prefix(), routerID: try routerID(), seqno: try fields["seqno"].number(),
                metric: try fields["metric"].number(), interval: try fields["interval_cs"].number()))
    case "route_request":
        return .routeRequest(
            .init(
                generation: try fields["generation"].number(), prefix: fields["subnet"].isNull ? nil : try prefix()))
    default:
        return .seqnoRequest(
            .init(
                prefix: try prefix(), routerID: try routerID(), seqno: try fields["seqno"].number(),
                hopCount: try fields["hop_count"].number()))
    }
}

@Test
func everyControlVectorBothWays() throws {
    let rows = try Vectors.load("control.json")["frames"].array()
    #expect(rows.count == 23)
    for row in rows {
        let name = try row["name"].string()
        let frame = try row["frame"].bytes()
        let canonical = row["canonical"].isNull ? frame : try row["canonical"].bytes()
        guard case .tlv(let read, strayBits: false)? = BabelTLVPacket.read(Array(frame.dropFirst(4))).first else {
            Issue.record("\(name): not read")
            continue
        }
        var encoded = frameHeader
        BabelTLVPacket.append(read, to: &encoded)
        #expect(encoded == canonical, "\(name)")
        // The flags of an Update are not among the fields of the vectors.
        var expected = try tlv(row)
        if case .update(var update) = expected, case .update(let got) = read {
            update.flags = got.flags
            expected = .update(update)
        }
        #expect(read == expected, "\(name)")
        encoded = frameHeader
        BabelTLVPacket.append(expected, to: &encoded)
        #expect(encoded == canonical, "\(name)")
    }
}

/// What is read of the Babel packets in the irregular rows, in order.
private let irregular: [String: [BabelTLVReading]] = {
    let hello = BabelTLVReading.tlv(.hello(.init(seqno: 1, interval: 2000)), strayBits: false)
    let prefix = Prefix("588:4cb1:387f:8860::/64")
    return [
        "unknown TLV, then a hello in a later read": [.refused(.unknownType), hello],
        "unknown TLV, then a data packet": [.refused(.unknownType)],
        "wrong Babel magic": [.refused(.magic), hello],
        "two TLVs in one Babel body": [hello, hello],
        "Babel body length 0": [.refused(.truncated)],
        "hello body of 0 bytes": [.refused(.truncated)],
        "IHU with unknown address encoding": [.refused(.addressEncoding)],
        "update with prefix length 129": [.refused(.prefixLength)],
        "update wildcard with prefix length 64": [.refused(.wildcard)],
        "seqno request with hop count 0": [.refused(.hopCount)],
        "route request with an IPv4 prefix": [.refused(.ipv4Prefix)],
        "route request generation 255": [
            .tlv(.routeRequest(.init(generation: 255, prefix: prefix)), strayBits: false)
        ],
        "update for a /65 with bits set beyond it": [
            .tlv(
                .update(
                    .init(
                        prefix: Prefix("41f:332c:31e6:9f84::/65")!,
                        routerID: RouterID(
                            bytes: Hex.decode(
                                "64d20aa17ace214d77c32f75a83b197f01d866b038f3ae3b40c516f6d734834e0000feddb8726cf1")!)!,
                        seqno: 0, metric: 0, interval: 30000)), strayBits: true)
        ],
        "route request for a /66 with bits set beyond it": [
            .tlv(.routeRequest(.init(generation: 0, prefix: Prefix("588:4cb1:387f:8860:c000::/66"))), strayBits: true)
        ],
    ]
}()

@Test
func everyIrregularControlVector() throws {
    let rows = try Vectors.load("control.json")["irregular"].array()
    #expect(rows.count == 16)
    var seen = 0
    for row in rows {
        let name = try row["name"].string()
        // A frame of another version or type is the stream's to close on, and no Babel packet.
        let packets = try row["chunks"].array().map { try $0.bytes() }.filter { $0[0] == 1 && $0[1] == 1 }
        guard !packets.isEmpty else { continue }
        seen += 1
        let readings = packets.flatMap { BabelTLVPacket.read(Array($0.dropFirst(4))) }
        #expect(readings == irregular[name], "\(name)")
    }
    #expect(seen == irregular.count)
}
