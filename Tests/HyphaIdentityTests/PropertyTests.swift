import HyphaBase
import Testing

@testable import HyphaIdentity

@Test(arguments: [false, true])
func genuineMessagesAreAccepted(endToEnd: Bool) throws {
    let hostile = try Hostile(endToEnd: endToEnd)
    for message in [hostile.sent, hostile.answer, hostile.cookieMessage] { #expect(hostile.isAccepted(message)) }
}

@Test(arguments: [false, true])
func randomBytesAreRefused(endToEnd: Bool) throws {
    let hostile = try Hostile(endToEnd: endToEnd)
    var seed = Seed(endToEnd ? 2 : 1)
    let sizes = [0, 1, 3, 4, 63, 64, 65, 147, 148, 149, 167, 168, 169]
    for round in 0..<2000 {
        let size = round % 2 == 0 ? sizes[round / 2 % sizes.count] : Int.random(in: 0...300, using: &seed)
        var bytes = (0..<size).map { _ in UInt8.random(in: 0...255, using: &seed) }
        #expect(!hostile.isAccepted(bytes))
        // With a genuine header, so that more than the first check is met.
        let genuine = [hostile.sent, hostile.answer, hostile.cookieMessage][round % 3]
        let kept = min(bytes.count, 12)
        bytes.replaceSubrange(..<kept, with: genuine[..<kept])
        #expect(!hostile.isAccepted(bytes))
    }
}

@Test(arguments: [false, true])
func otherSizesAreRefused(endToEnd: Bool) throws {
    let hostile = try Hostile(endToEnd: endToEnd)
    for message in [hostile.sent, hostile.answer, hostile.cookieMessage] {
        for count in 0..<message.count { #expect(!hostile.isAccepted(Array(message[..<count]))) }
        for more in 1...40 { #expect(!hostile.isAccepted(message + [UInt8](repeating: 0, count: more))) }
    }
}

@Test(arguments: [false, true])
func flippedBitsAreRefused(endToEnd: Bool) throws {
    let hostile = try Hostile(endToEnd: endToEnd)
    for message in [hostile.sent, hostile.answer, hostile.cookieMessage] {
        // mac2 is only looked at under load.
        let covered = message.count == HandshakeMessage.cookieSize ? message.count : message.count - 16
        for bit in 0..<8 * message.count {
            var changed = message
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(hostile.isAccepted(changed) == (bit >= 8 * covered), "bit \(bit) of \(message.count) bytes")
        }
    }
}

/// Who knows the public key can repair mac1: the seals must find every change but that of the sender's own index.
@Test(arguments: [false, true])
func flippedBitsUnderARightMACAreRefused(endToEnd: Bool) throws {
    let hostile = try Hostile(endToEnd: endToEnd)
    let parties = hostile.parties
    func repaired(_ message: [UInt8], to key: PublicKey) -> [UInt8] {
        let body = message[..<(message.count - 32)]
        let macKey = parties.scope.mac1Key(to: key, tag: parties.network.tag)
        return body + HandshakeMessage.mac1(body: body, key: macKey) + [UInt8](repeating: 0, count: 16)
    }
    #expect(repaired(hostile.sent, to: parties.responder.publicKey) == hostile.sent)
    #expect(repaired(hostile.answer, to: parties.initiator.publicKey) == hostile.answer)
    for offset in 0..<HandshakeMessage.initMAC1Offset {
        var changed = hostile.sent
        changed[offset] ^= 1 << UInt8(offset % 8)
        changed = repaired(changed, to: parties.responder.publicKey)
        #expect((parties.receive(changed) != nil) == (4..<8).contains(offset), "INIT byte \(offset)")
    }
    for offset in 0..<HandshakeMessage.respMAC1Offset {
        var changed = hostile.answer
        changed[offset] ^= 1 << UInt8(offset % 8)
        changed = repaired(changed, to: parties.initiator.publicKey)
        let accepted = hostile.initiator.accept(response: changed)
        #expect((accepted != nil) == (4..<8).contains(offset), "RESP byte \(offset)")
    }
}

/// Sealed values of every kind, against the rules written down once more.
@Test(arguments: [false, true])
func sealedValuesInAndOutOfRange(endToEnd: Bool) throws {
    let hostile = try Hostile(endToEnd: endToEnd)
    let parties = hostile.parties
    let ephemeral = try #require(EphemeralKey(secret: [UInt8](repeating: 9, count: 32)))
    let head: [UInt8] = [1, 1, 1, 0]
    var seed = Seed(endToEnd ? 4 : 3)
    var counts = [false: 0, true: 0]
    for _ in 0..<600 {
        var payload = (0..<32).map { _ in UInt8.random(in: 0...255, using: &seed) }
        payload[17] = UInt8.random(in: 3...5, using: &seed)
        payload[19] = UInt8.random(in: endToEnd ? 15...17 : 0...18, using: &seed)
        let first = try #require(
            NoiseIK.writeFirst(
                prologue: parties.scope.prologue(head: head[...], tag: parties.network.tag),
                identity: parties.initiator, peer: parties.responder.publicKey, ephemeral: ephemeral,
                payload: payload))
        var message = head + [1, 0, 0, 0] + first.message
        message += HandshakeMessage.mac1(
            body: message[...],
            key: parties.scope.mac1Key(to: parties.responder.publicKey, tag: parties.network.tag))
        message += [UInt8](repeating: 0, count: 16)
        let largest = Int(payload[17]) * 256 + Int(payload[16])
        let valid =
            endToEnd
            ? largest >= 1152 && payload[19] == 16
            : largest >= 1232 && payload[18] % 2 == 1 && payload[19] >= 1 && payload[19] <= 16
        counts[valid, default: 0] += 1
        let received = parties.receive(message)
        #expect((received != nil) == valid)
        if let received {
            let seconds = (0..<8).reduce(0 as UInt64) { $0 | UInt64(payload[$1]) << UInt64(8 * $1) }
            #expect(received.fields.time.seconds == seconds)
            #expect(Int(received.fields.largestDatagram) == largest)
            #expect(received.fields.sealModes == (endToEnd ? 0 : payload[18]))
        }
    }
    #expect(counts.values.allSatisfy { $0 > 50 })
}

/// Any keys, either scope: both sides agree, and nobody does who lacks one of the inputs.
@Test func strangersDoNotAgree() throws {
    var seed = Seed(5)
    func random(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255, using: &seed) } }
    for round in 0..<50 {
        let name = "network \(round)"
        let keyFile = random(32)
        let network = try #require(NetworkKeys(keyFile: keyFile, name: name))
        let other = try #require(NetworkKeys(keyFile: keyFile, name: name + " "))
        let initiator = try #require(NodeIdentity(secret: random(32), network: network))
        let responder = try #require(NodeIdentity(secret: random(32), network: network))
        let endToEnd = HandshakeScope.endToEnd(initiator: initiator.address, responder: responder.address)
        let scope = round % 2 == 0 ? HandshakeScope.link : endToEnd
        let psk = random(32)
        let fields = InitFields(
            seconds: seed.next(), count: 3, caps: 0, largestDatagram: 1400, sealModes: 1, lanes: 16, bootID: seed.next()
        )
        let open = try #require(
            Initiator(
                identity: initiator, peer: responder.publicKey, scope: scope, network: network, peerPSK: psk,
                ephemeralSecret: random(32), index: 7, offeredSuites: 3, fields: fields))
        let message = open.message(cookie: random(16))
        let received = try #require(
            ReceivedInit(message: message, identity: responder, scope: scope, network: network))
        #expect(received.initiatorKey == initiator.publicKey)
        #expect(received.fields.time == fields.time)

        let elsewhere = round % 2 == 0 ? endToEnd : HandshakeScope.link
        let stranger = try #require(NodeIdentity(secret: random(32), network: network))
        #expect(ReceivedInit(message: message, identity: responder, scope: elsewhere, network: network) == nil)
        #expect(ReceivedInit(message: message, identity: responder, scope: scope, network: other) == nil)
        #expect(ReceivedInit(message: message, identity: responder, scope: scope, network: .open) == nil)
        #expect(ReceivedInit(message: message, identity: stranger, scope: scope, network: network) == nil)

        let ephemeral = random(32)
        func answer(psk: [UInt8]?) throws -> (message: [UInt8], secrets: SessionSecrets) {
            try #require(
                received.respond(
                    ephemeralSecret: ephemeral, index: 9, suite: 2, fields: Parties.respFieldsOfAllLanes, peerPSK: psk))
        }
        #expect(open.accept(response: try answer(psk: nil).message) == nil)
        #expect(open.accept(response: try answer(psk: random(32)).message) == nil)
        let right = try answer(psk: psk)
        let accepted = try #require(open.accept(response: right.message))
        #expect(accepted.peerIndex == 9)
        #expect(accepted.secrets.suite == 2)
        for lane in 0..<16 {
            #expect(accepted.secrets.sendLaneKey(lane) == right.secrets.receiveLaneKey(lane))
            #expect(accepted.secrets.receiveLaneKey(lane) == right.secrets.sendLaneKey(lane))
        }
        // The answer belongs to one handshake only.
        let another = try #require(
            Initiator(
                identity: initiator, peer: responder.publicKey, scope: scope, network: network, peerPSK: psk,
                ephemeralSecret: random(32), index: 7, offeredSuites: 3, fields: fields))
        #expect(another.checkMAC1(response: right.message))
        #expect(another.accept(response: right.message) == nil)
    }
}
