import HyphaBase
import Testing

@testable import HyphaIdentity

/// Whatever arrives, nothing traps, and nothing but a whole and genuine message is accepted.
struct Hostile {
    let parties: Parties
    let initiator: Initiator
    let sent: [UInt8]
    let answer: [UInt8]
    let cookieMessage: [UInt8]

    init(endToEnd: Bool) throws {
        parties = try Parties(endToEnd: endToEnd)
        initiator = try parties.open()
        sent = initiator.message(cookie: nil)
        answer = try #require(
            parties.receive(sent)?.respond(
                ephemeralSecret: Parties.responderEphemeral, index: 0x0506_0708, suite: 1,
                fields: endToEnd ? Parties.respFieldsOfAllLanes : Parties.respFields)
        ).message
        cookieMessage = Cookie.make(
            answering: sent, cookie: [UInt8](repeating: 6, count: 16), nonce: [UInt8](repeating: 8, count: 24),
            identity: parties.responder, scope: parties.scope)
    }

    /// Gives `bytes` to every reader; true when one of them took it.
    func isAccepted(_ bytes: [UInt8]) -> Bool {
        _ = HandshakeMessage.senderIndex(of: bytes)
        _ = HandshakeMessage.receiverIndex(of: bytes)
        _ = HandshakeMessage.mac1(of: bytes)
        _ = Cookie.applyMAC2(to: bytes, cookie: [UInt8](repeating: 6, count: 16))
        let made = Cookie.make(
            answering: bytes, cookie: [UInt8](repeating: 6, count: 16), nonce: [UInt8](repeating: 8, count: 24),
            identity: parties.responder, scope: parties.scope)
        #expect(made.isEmpty || made.count == 64)
        return ReceivedInit.checkMAC1(
            message: bytes, identity: parties.responder, scope: parties.scope, network: parties.network)
            || ReceivedInit.checkMAC2(message: bytes, cookie: [UInt8](repeating: 6, count: 16))
            || parties.receive(bytes) != nil || initiator.checkMAC1(response: bytes)
            || initiator.checkMAC2(response: bytes, cookie: [UInt8](repeating: 6, count: 16))
            || initiator.accept(response: bytes) != nil || initiator.acceptCookie(bytes) != nil
            || Cookie.open(bytes, answering: answer, sender: parties.initiator.publicKey, scope: parties.scope) != nil
    }
}
