import HyphaBase
import TestVectors
import Testing

@testable import HyphaIdentity

/// Both roles of every handshake in the vectors, byte for byte.
@Test func handshakesOfVectors() throws {
    for entry in try Vectors.hl1("handshake") {
        let inputs = entry["inputs"]
        let parties = try Parties(inputs)
        try expectHandshake(entry, parties: parties, peerPSK: nil)
        // The same with the key as the peer's own, in a network whose key is another.
        let network = NetworkKeys(psk: SecretBytes([UInt8](repeating: 0xEE, count: 32)), tag: parties.network.tag)
        try expectHandshake(entry, parties: parties, network: network, peerPSK: try inputs["psk"].bytes())
    }
}

private func expectHandshake(
    _ entry: JSON, parties: Parties, network otherNetwork: NetworkKeys? = nil, peerPSK: [UInt8]?
) throws {
    let name = Comment(rawValue: try entry["name"].string())
    let inputs = entry["inputs"]
    let output = entry["output"]
    let network = otherNetwork ?? parties.network
    let offered: UInt16 = try inputs["offered"].number()
    let suite: UInt8 = try inputs["suite"].number()
    let initFields = try InitFields(entry["fields"]["INIT"])
    let respFields = try RespFields(entry["fields"]["RESP"])
    let reserved: UInt32 = try entry["fields"]["INIT"]["reserved"].number()
    let respReserved: UInt16 = try entry["fields"]["RESP"]["reserved"].number()
    var initPayload = try #require(initFields.encoded(scope: parties.scope))
    initPayload.replaceSubrange(28..<32, with: (0..<4).map { UInt8(truncatingIfNeeded: reserved >> (8 * $0)) })
    var respPayload = try #require(respFields.encoded(scope: parties.scope, suite: suite))
    respPayload.replaceSubrange(30..<32, with: (0..<2).map { UInt8(truncatingIfNeeded: respReserved >> (8 * $0)) })

    #expect(
        parties.scope.prologue(head: try output["INIT"].bytes()[..<4], tag: network.tag)
            == (try output["prologue"].bytes()), name)
    let initiator = try #require(
        Initiator(
            identity: parties.initiator, peer: parties.responder.publicKey, scope: parties.scope, network: network,
            peerPSK: peerPSK, ephemeralSecret: try inputs["initiator_ephemeral"].bytes(),
            index: try inputs["initiator_index"].number(), suites: offered, payload: initPayload), name)
    let message = initiator.message(cookie: nil)
    #expect(message == (try output["INIT"].bytes()), name)
    #expect(initiator.state.hash == (try output["h_after_INIT"].bytes()), name)
    if reserved == 0, let narrow = UInt8(exactly: offered) {
        let same = Initiator(
            identity: parties.initiator, peer: parties.responder.publicKey, scope: parties.scope, network: network,
            peerPSK: peerPSK, ephemeralSecret: try inputs["initiator_ephemeral"].bytes(),
            index: try inputs["initiator_index"].number(), offeredSuites: narrow, fields: initFields)
        #expect(same?.message(cookie: nil) == message, name)
    }

    #expect(
        ReceivedInit.checkMAC1(
            message: message, identity: parties.responder, scope: parties.scope, network: network), name)
    let received = try #require(
        ReceivedInit(message: message, identity: parties.responder, scope: parties.scope, network: network), name)
    #expect(received.initiatorKey == parties.initiator.publicKey, name)
    #expect(received.fields == initFields, name)
    #expect(received.senderIndex == (try inputs["initiator_index"].number()), name)
    #expect(received.offeredSuites == UInt8(truncatingIfNeeded: offered & 3), name)
    #expect(received.state.hash == initiator.state.hash, name)

    let answer = try #require(
        received.respond(
            ephemeralSecret: try inputs["responder_ephemeral"].bytes(), index: try inputs["responder_index"].number(),
            suite: suite, payload: respPayload, lanes: respFields.lanes, peerPSK: peerPSK), name)
    #expect(answer.message == (try output["RESP"].bytes()), name)
    if respReserved == 0 {
        let same = received.respond(
            ephemeralSecret: try inputs["responder_ephemeral"].bytes(), index: try inputs["responder_index"].number(),
            suite: suite, fields: respFields, peerPSK: peerPSK)
        #expect(same?.message == answer.message, name)
    }

    #expect(initiator.checkMAC1(response: answer.message), name)
    let opened = try #require(initiator.open(response: answer.message), name)
    #expect(opened.state.hash == (try output["h_after_RESP"].bytes()), name)
    let keys = opened.state.split()
    #expect(keys.initiatorToResponder.copy(offset: 0, count: 32) == (try output["k_i2r"].bytes()), name)
    #expect(keys.responderToInitiator.copy(offset: 0, count: 32) == (try output["k_r2i"].bytes()), name)
    let accepted = try #require(initiator.accept(response: answer.message), name)
    #expect(accepted.fields == respFields, name)
    #expect(accepted.peerIndex == (try inputs["responder_index"].number()), name)

    let lanes: Int = try entry["fields"]["lanes"].number()
    for secrets in [accepted.secrets, answer.secrets] {
        #expect(secrets.suite == suite, name)
        #expect(secrets.lanes == lanes, name)
    }
    for (key, value) in try output["lane_keys"].object() {
        let lane = try #require(Int(key.dropFirst(4)))
        let forth = key.hasPrefix("i2r")
        let expected = try value.bytes()
        let ofInitiator = forth ? accepted.secrets.sendLaneKey(lane) : accepted.secrets.receiveLaneKey(lane)
        let ofResponder = forth ? answer.secrets.receiveLaneKey(lane) : answer.secrets.sendLaneKey(lane)
        #expect(ofInitiator == expected, "\(name) \(key)")
        #expect(ofResponder == expected, "\(name) \(key)")
    }
    for lane in 0..<SessionSecrets.laneCount {
        #expect(accepted.secrets.sendLaneKey(lane) == answer.secrets.receiveLaneKey(lane), name)
        #expect(accepted.secrets.receiveLaneKey(lane) == answer.secrets.sendLaneKey(lane), name)
    }
    try expectConfirmation(try output["confirm"].bytes(), scope: parties.scope, secrets: answer.secrets, name: name)
}

/// The initiator's first packet opens with the responder's key of lane 0.
private func expectConfirmation(
    _ packet: [UInt8], scope: HandshakeScope, secrets: SessionSecrets, name: Comment
) throws {
    guard SealedPacket.canOpen(suite: secrets.suite) else { return }
    let headerSize = scope == .link ? 16 : 48
    var header = Array(packet[..<headerSize])
    if scope != .link {
        header[0] &= 0xF0
        header[1] = 0
    }
    let plaintext = SealedPacket.open(
        suite: secrets.suite, key: secrets.receiveLaneKey(0), nonce: [0, 0, 0, 0] + packet[8..<16],
        sealed: Array(packet[headerSize...]), associatedData: header)
    // End to end: kind 2, nothing in it, padded to 16.
    #expect(plaintext == (scope == .link ? [] : [0xF2] + [UInt8](repeating: 0, count: 15)), name)
}

@Test func networkFromItsFileHandshakes() throws {
    let entry = try #require(try Vectors.hl1("network").first)
    let network = try #require(
        NetworkKeys(
            keyFile: try entry["inputs"]["key_file"].bytes(), name: try entry["inputs"]["network_name"].string()))
    let inside = try Parties(network: network)
    let message = try inside.open().message(cookie: nil)
    #expect(inside.receive(message) != nil)
    // A responder whose identity was made for the open network computes the key of mac1 anew.
    let outside = try Parties()
    #expect(
        ReceivedInit(message: message, identity: outside.responder, scope: .link, network: network)?.initiatorKey
            == inside.initiator.publicKey)
    #expect(outside.receive(message) == nil)
    #expect(inside.receive(try outside.open().message(cookie: nil)) == nil)
}

@Test func lanesAreTheSmallerOffer() throws {
    let parties = try Parties()
    for (mine, yours) in [(1, 1), (1, 16), (16, 1), (5, 9), (16, 16)] as [(UInt8, UInt8)] {
        let initiator = try parties.open(
            fields: InitFields(
                seconds: 1, count: 0, caps: 0, largestDatagram: 1232, sealModes: 1, lanes: mine, bootID: 0))
        var fields = Parties.respFields
        fields.lanes = yours
        let answer = try #require(
            parties.receive(initiator.message(cookie: nil))?.respond(
                ephemeralSecret: Parties.responderEphemeral, index: 5, suite: 1, fields: fields))
        let accepted = try #require(initiator.accept(response: answer.message))
        #expect(answer.secrets.lanes == Int(min(mine, yours)))
        #expect(accepted.secrets.lanes == Int(min(mine, yours)))
    }
}

@Test func keysOfLanesAndDirectionsDiffer() throws {
    let parties = try Parties()
    let received = try #require(parties.receive(try parties.open().message(cookie: nil)))
    var keys: Set<[UInt8]> = []
    for suite in [DataSuite.chaCha20Poly1305, DataSuite.aes256GCM] {
        let secrets = try #require(
            received.respond(
                ephemeralSecret: Parties.responderEphemeral, index: 5, suite: suite, fields: Parties.respFields)
        ).secrets
        for lane in 0..<SessionSecrets.laneCount {
            keys.insert(secrets.sendLaneKey(lane))
            keys.insert(secrets.receiveLaneKey(lane))
        }
    }
    #expect(keys.count == 64)
}

@Test func endToEndFieldsThatAreZero() throws {
    let parties = try Parties(endToEnd: true)
    let initiator = try parties.open()
    let received = try #require(parties.receive(initiator.message(cookie: nil)))
    #expect(received.fields.sealModes == 0)
    let answer = try #require(
        received.respond(
            ephemeralSecret: Parties.responderEphemeral, index: 5, suite: 1, fields: Parties.respFieldsOfAllLanes))
    let fields = try #require(initiator.accept(response: answer.message)).fields
    #expect(fields.observedAddress == IPv6Address(high: 0, low: 0))
    #expect(fields.observedPort == 0)
    #expect(fields.sealModes == 0)
    #expect(fields.idleLimit == 0)
    #expect(fields.resetToken == [UInt8](repeating: 0, count: 16))
    #expect(fields.bootID == 99)
    #expect(fields.largestDatagram == 1452)
    #expect(initiator.accept(response: answer.message)?.secrets.lanes == 16)
}
