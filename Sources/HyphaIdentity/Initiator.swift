/// One open handshake at the node that began it. A value without a clock: when to repeat and to give up is its owner's
/// business.
public struct Initiator: Sendable {
    /// The peer that this handshake is with.
    public let peer: PublicKey
    /// What it is for.
    public let scope: HandshakeScope
    /// Our index: the receiver index of the answers.
    public let index: UInt32

    private let identity: NodeIdentity
    private let network: NetworkKeys
    private let psk: SecretBytes
    private let ephemeral: EphemeralKey
    private let offeredSuites: UInt8
    private let lanes: UInt8
    /// INIT up to and with mac1.
    private let body: [UInt8]
    /// Behind INIT.
    let state: SymmetricState

    /// Makes an INIT for `peer`.
    ///
    /// - Parameters:
    ///   - network: that both are members of.
    ///   - peerPSK: 32 bytes agreed with this peer alone, in place of the network's.
    ///   - ephemeralSecret: 32 random bytes, used once; the caller wipes them.
    ///   - index: random, non-zero, not in use here.
    ///   - offeredSuites: sum of `DataSuite` values, ChaCha20-Poly1305 among them.
    /// - Returns: nil when the peer's key is one of those without a shared secret, when the addresses in `scope` are not
    ///   those of the two keys, or when a value is one that every responder refuses.
    public init?(
        identity: NodeIdentity, peer: PublicKey, scope: HandshakeScope, network: NetworkKeys,
        peerPSK: [UInt8]? = nil, ephemeralSecret: [UInt8], index: UInt32, offeredSuites: UInt8, fields: InitFields
    ) {
        guard let payload = fields.encoded(scope: scope) else { return nil }
        self.init(
            identity: identity, peer: peer, scope: scope, network: network, peerPSK: peerPSK,
            ephemeralSecret: ephemeralSecret, index: index, suites: UInt16(offeredSuites), payload: payload)
    }

    /// As above, with the suite field and the sealed part as they go out.
    init?(
        identity: NodeIdentity, peer: PublicKey, scope: HandshakeScope, network: NetworkKeys, peerPSK: [UInt8]?,
        ephemeralSecret: [UInt8], index: UInt32, suites: UInt16, payload: [UInt8]
    ) {
        if case .endToEnd(let source, let destination) = scope {
            guard source == identity.address, destination == peer.address else { return nil }
        }
        guard index != 0, suites & UInt16(DataSuite.chaCha20Poly1305) != 0,
            let fields = InitFields(decoding: payload, scope: scope), let psk = network.psk(peer: peerPSK),
            let ephemeral = EphemeralKey(secret: ephemeralSecret)
        else { return nil }
        var message = [HandshakeMessage.initType, HandshakeMessage.version]
        message.append(littleEndian: suites)
        let prologue = scope.prologue(head: message[...], tag: network.tag)
        message.append(littleEndian: index)
        guard
            let first = NoiseIK.writeFirst(
                prologue: prologue, identity: identity, peer: peer, ephemeral: ephemeral, payload: payload)
        else { return nil }
        message += first.message
        message += HandshakeMessage.mac1(body: message[...], key: scope.mac1Key(to: peer, tag: network.tag))
        self.peer = peer
        self.scope = scope
        self.index = index
        self.identity = identity
        self.network = network
        self.psk = psk
        self.ephemeral = ephemeral
        offeredSuites = UInt8(truncatingIfNeeded: suites) & DataSuite.known
        lanes = fields.lanes
        body = message
        state = first.state
    }

    /// INIT, 168 bytes, with mac2 for the 16 bytes of `cookie`, zero without. All before mac2 is the same each time.
    public func message(cookie: [UInt8]?) -> [UInt8] {
        HandshakeMessage.appendingMAC2(to: body[...], cookie: cookie)
    }

    /// The 16-byte cookie in a COOKIE that answers this INIT; nil unless it is authentic.
    public func acceptCookie(_ message: [UInt8]) -> [UInt8]? {
        Cookie.open(message, answering: self.message(cookie: nil), sender: peer, scope: scope)
    }

    /// The cheap checks of a RESP, one hash: size, header, receiver index, suite, sender index, mac1. What passes was
    /// made by somebody who knows both keys and this handshake's index, no more.
    public func checkMAC1(response: [UInt8]) -> Bool {
        header(of: response) != nil
    }

    /// True when mac2 of a RESP was made with `cookie`, 16 bytes. Asked under load, after `checkMAC1(response:)`.
    public func checkMAC2(response: [UInt8], cookie: [UInt8]) -> Bool {
        HandshakeMessage.mac1Offset(in: response) == HandshakeMessage.respMAC1Offset
            && HandshakeMessage.hasMAC2(response, cookie: cookie)
    }

    /// Opens the RESP to this handshake. Nil for anything else, which leaves the handshake open. The keys may be used
    /// at once.
    public func accept(response: [UInt8]) -> (fields: RespFields, secrets: SessionSecrets, peerIndex: UInt32)? {
        guard let opened = open(response: response) else { return nil }
        let keys = opened.state.split()
        let secrets = SessionSecrets(
            scope: scope, suite: opened.suite, lanes: min(lanes, opened.fields.lanes),
            sending: keys.initiatorToResponder, receiving: keys.responderToInitiator)
        return (opened.fields, secrets, opened.peerIndex)
    }

    /// Checks and opens a RESP.
    func open(
        response: [UInt8]
    ) -> (fields: RespFields, suite: UInt8, peerIndex: UInt32, state: SymmetricState)? {
        guard let header = header(of: response),
            let second = NoiseIK.readSecond(
                after: state, ephemeral: ephemeral, identity: identity, psk: psk,
                message: Array(response[12..<HandshakeMessage.respMAC1Offset])),
            let fields = RespFields(decoding: second.payload, scope: scope, suite: UInt16(header.suite))
        else { return nil }
        return (fields, header.suite, header.peerIndex, second.state)
    }

    /// What the clear part of a RESP to this handshake says, nil when it is none or its mac1 is wrong.
    private func header(of response: [UInt8]) -> (suite: UInt8, peerIndex: UInt32)? {
        guard
            HandshakeMessage.hasHeader(
                response, type: HandshakeMessage.respType, size: HandshakeMessage.respSize),
            response.littleEndian(at: 8) == index
        else { return nil }
        let suite: UInt16 = response.littleEndian(at: 2)
        let peerIndex: UInt32 = response.littleEndian(at: 4)
        guard DataSuite.isChoice(suite, of: offeredSuites), peerIndex != 0,
            HandshakeMessage.hasMAC1(response, key: identity.mac1Key(scope: scope, tag: network.tag))
        else { return nil }
        return (UInt8(truncatingIfNeeded: suite), peerIndex)
    }
}
