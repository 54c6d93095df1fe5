import HyphaBase
import TestVectors
import Testing

@testable import HyphaIdentity

/// The two ends of a handshake as an entry of hl1.json describes them.
struct Parties {
    let initiator: NodeIdentity
    let responder: NodeIdentity
    let scope: HandshakeScope
    let network: NetworkKeys

    init(_ inputs: JSON) throws {
        network = NetworkKeys(psk: SecretBytes(try inputs["psk"].bytes()), tag: try inputs["tag"].bytes())
        initiator = try #require(NodeIdentity(secret: try inputs["initiator_secret"].bytes(), network: network))
        responder = try #require(NodeIdentity(secret: try inputs["responder_secret"].bytes(), network: network))
        if try inputs["protocol"].string() == "HE1" {
            scope = .endToEnd(
                initiator: try #require(IPv6Address(bytes: try inputs["source"].bytes())),
                responder: try #require(IPv6Address(bytes: try inputs["destination"].bytes())))
        } else {
            scope = .link
        }
    }

    /// Fixed parties that are not in any file.
    init(endToEnd: Bool = false, network: NetworkKeys = .open) throws {
        initiator = try #require(NodeIdentity(secret: [UInt8](repeating: 0x11, count: 32), network: network))
        responder = try #require(NodeIdentity(secret: [UInt8](repeating: 0x22, count: 32), network: network))
        scope = endToEnd ? .endToEnd(initiator: initiator.address, responder: responder.address) : .link
        self.network = network
    }

    /// An open handshake with fixed secrets.
    func open(
        fields: InitFields = InitFields(
            seconds: 1_900_000_000, count: 1, caps: 0, largestDatagram: 1472, sealModes: 3, lanes: 16, bootID: 77),
        offeredSuites: UInt8 = 3, peerPSK: [UInt8]? = nil
    ) throws -> Initiator {
        try #require(
            Initiator(
                identity: initiator, peer: responder.publicKey, scope: scope, network: network, peerPSK: peerPSK,
                ephemeralSecret: [UInt8](repeating: 0x33, count: 32), index: 0x0102_0304,
                offeredSuites: offeredSuites, fields: fields))
    }

    func receive(_ message: [UInt8]) -> ReceivedInit? {
        ReceivedInit(message: message, identity: responder, scope: scope, network: network)
    }

    static let respFields = RespFields(
        observedAddress: .mapped(ipv4: 0xC000_0201), observedPort: 9651, largestDatagram: 1452, caps: 0, sealModes: 1,
        lanes: 8, idleLimit: 300, bootID: 99, resetToken: [UInt8](repeating: 0x44, count: 16))

    /// `respFields` with all 16 lanes, as end to end wants it.
    static var respFieldsOfAllLanes: RespFields {
        var fields = respFields
        fields.lanes = 16
        return fields
    }

    static let responderEphemeral = [UInt8](repeating: 0x55, count: 32)
}

extension InitFields {
    init(_ json: JSON) throws {
        self.init(
            seconds: try json["seconds"].number(), count: try json["count"].number(), caps: try json["caps"].number(),
            largestDatagram: try json["largest"].number(), sealModes: try json["modes"].number(),
            lanes: try json["lanes"].number(), bootID: try json["boot"].bytes().littleEndian(at: 0))
    }
}

extension RespFields {
    init(_ json: JSON) throws {
        self.init(
            observedAddress: try #require(IPv6Address(bytes: try json["address"].bytes())),
            observedPort: try json["port"].number(), largestDatagram: try json["largest"].number(),
            caps: try json["caps"].number(), sealModes: try json["modes"].number(), lanes: try json["lanes"].number(),
            idleLimit: try json["idle"].number(), bootID: try json["boot"].bytes().littleEndian(at: 0),
            resetToken: try json["token"].bytes())
    }
}
