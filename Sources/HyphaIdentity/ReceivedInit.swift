/// An INIT that this node opened: from whom, and what it says. Nothing in it counts before the session is confirmed.
public struct ReceivedInit: Sendable {
    /// The static key that the initiator proved to have (or else knows the secret shared by both static keys).
    public let initiatorKey: PublicKey
    /// What it says about itself.
    public let fields: InitFields
    /// Its index: the receiver index of our answer.
    public let senderIndex: UInt32
    /// Sum of the known `DataSuite` values that it offers.
    public let offeredSuites: UInt8

    private let identity: NodeIdentity
    private let scope: HandshakeScope
    private let network: NetworkKeys
    private let initiatorEphemeral: [UInt8]
    /// Behind INIT.
    let state: SymmetricState

    /// The cheap checks of an INIT, one hash: size, header, suites, index, our own address end to end, mac1. What
    /// passes was made by somebody who knows our key and the network's tag, no more.
    public static func checkMAC1(
        message: [UInt8], identity: NodeIdentity, scope: HandshakeScope, network: NetworkKeys
    ) -> Bool {
        guard
            HandshakeMessage.hasHeader(message, type: HandshakeMessage.initType, size: HandshakeMessage.initSize),
            message[2] & DataSuite.chaCha20Poly1305 != 0, message.littleEndian(at: 4) != 0 as UInt32
        else { return false }
        if case .endToEnd(_, let responder) = scope, responder != identity.address { return false }
        return HandshakeMessage.hasMAC1(message, key: identity.mac1Key(scope: scope, tag: network.tag))
    }

    /// True when mac2 of an INIT was made with `cookie`, 16 bytes.
    public static func checkMAC2(message: [UInt8], cookie: [UInt8]) -> Bool {
        HandshakeMessage.mac1Offset(in: message) == HandshakeMessage.initMAC1Offset
            && HandshakeMessage.hasMAC2(message, cookie: cookie)
    }

    /// Checks an INIT and opens it, two scalar multiplications. Nil for whatever is not a valid INIT to this node in
    /// this network. End to end the initiator's key must be that of the source address, all 128 bits, and the
    /// destination our own address. Its time is not judged here (`InitTimes`).
    public init?(message: [UInt8], identity: NodeIdentity, scope: HandshakeScope, network: NetworkKeys) {
        guard ReceivedInit.checkMAC1(message: message, identity: identity, scope: scope, network: network),
            let first = NoiseIK.readFirst(
                prologue: scope.prologue(head: message[..<4], tag: network.tag), identity: identity,
                message: Array(message[8..<HandshakeMessage.initMAC1Offset]), accepts: scope.permits(initiator:)),
            let fields = InitFields(decoding: first.payload, scope: scope)
        else { return nil }
        initiatorKey = first.initiator
        self.fields = fields
        senderIndex = message.littleEndian(at: 4)
        offeredSuites = message[2] & DataSuite.known
        self.identity = identity
        self.scope = scope
        self.network = network
        initiatorEphemeral = first.ephemeral
        state = first.state
    }

    /// Makes the RESP, 148 bytes with mac2 zero, and the session's keys. Nothing is sent under them before a valid
    /// packet came.
    ///
    /// - Parameters:
    ///   - ephemeralSecret: 32 random bytes, used once; the caller wipes them.
    ///   - index: random, non-zero, not in use here.
    ///   - suite: the `DataSuite` chosen among those offered.
    ///   - peerPSK: 32 bytes agreed with this peer alone, in place of the network's.
    /// - Returns: nil when the initiator's keys are among those without a shared secret, or when a value is one that
    ///   every initiator refuses.
    public func respond(
        ephemeralSecret: [UInt8], index: UInt32, suite: UInt8, fields: RespFields, peerPSK: [UInt8]? = nil
    ) -> (message: [UInt8], secrets: SessionSecrets)? {
        guard let payload = fields.encoded(scope: scope, suite: suite) else { return nil }
        return respond(
            ephemeralSecret: ephemeralSecret, index: index, suite: suite, payload: payload, lanes: fields.lanes,
            peerPSK: peerPSK)
    }

    /// As above, with the sealed part as it goes out.
    func respond(
        ephemeralSecret: [UInt8], index: UInt32, suite: UInt8, payload: [UInt8], lanes: UInt8, peerPSK: [UInt8]?
    ) -> (message: [UInt8], secrets: SessionSecrets)? {
        guard index != 0, DataSuite.isChoice(UInt16(suite), of: offeredSuites),
            let psk = network.psk(peer: peerPSK), let ephemeral = EphemeralKey(secret: ephemeralSecret),
            let second = NoiseIK.writeSecond(
                after: state, ephemeral: ephemeral, initiator: initiatorKey, initiatorEphemeral: initiatorEphemeral,
                psk: psk, payload: payload)
        else { return nil }
        var message = [HandshakeMessage.respType, HandshakeMessage.version]
        message.append(littleEndian: UInt16(suite))
        message.append(littleEndian: index)
        message.append(littleEndian: senderIndex)
        message += second.message
        message += HandshakeMessage.mac1(body: message[...], key: scope.mac1Key(to: initiatorKey, tag: network.tag))
        let keys = second.state.split()
        let secrets = SessionSecrets(
            scope: scope, suite: suite, lanes: min(lanes, self.fields.lanes), sending: keys.responderToInitiator,
            receiving: keys.initiatorToResponder)
        return (HandshakeMessage.appendingMAC2(to: message[...], cookie: nil), secrets)
    }
}
