import HyphaBase
import TestVectors
import Testing

@testable import HyphaIdentity

@Test func initsToRefuse() throws {
    for entry in try Vectors.hl1("init") {
        let name = Comment(rawValue: try entry["name"].string())
        let parties = try Parties(entry["inputs"])
        let datagram = try entry["inputs"]["datagram"].bytes()
        #expect(parties.receive(datagram) == nil, name)
        let cheap = ReceivedInit.checkMAC1(
            message: datagram, identity: parties.responder, scope: parties.scope, network: parties.network)
        switch try entry["why"].string() {
        case "length", "version", "suites", "index", "mac1", "destination is not ours":
            #expect(!cheap, name)
        case "seal", "seal (prologue)", "low-order key", "value out of range", "static key is not the source's":
            #expect(cheap, name)
        default:
            // Addresses that are wrong in more than one way.
            #expect(parties.scope != .link, name)
        }
    }
}

@Test func responsesToRefuse() throws {
    let handshakes = try Vectors.hl1("handshake")
    for entry in try Vectors.hl1("resp") {
        let name = Comment(rawValue: try entry["name"].string())
        let inputs = entry["inputs"]
        let parties = try Parties(inputs)
        let initiator = try #require(
            Initiator(
                identity: parties.initiator, peer: parties.responder.publicKey, scope: parties.scope,
                network: parties.network, ephemeralSecret: try inputs["initiator_ephemeral"].bytes(),
                index: try inputs["initiator_index"].number(), offeredSuites: try inputs["offered"].number(),
                fields: try InitFields(inputs["fields"])), name)
        let sent = initiator.message(cookie: nil)
        #expect(sent == (try inputs["INIT"].bytes()), name)
        #expect(initiator.accept(response: try entry["output"].bytes()) == nil, name)
        // The handshake is still open.
        let handshake = try #require(try handshakes.first { try $0["output"]["INIT"].bytes() == sent }, name)
        #expect(initiator.accept(response: try handshake["output"]["RESP"].bytes()) != nil, name)
    }
}

@Test func cookiesForInit() throws {
    for entry in try Vectors.hl1("cookie") {
        let name = Comment(rawValue: try entry["name"].string())
        let inputs = entry["inputs"]
        let parties = try Parties(inputs)
        let handshake = try Vectors.handshake(try inputs["handshake"].string())
        let initiator = try #require(
            Initiator(
                identity: parties.initiator, peer: parties.responder.publicKey, scope: parties.scope,
                network: parties.network, ephemeralSecret: try handshake["inputs"]["initiator_ephemeral"].bytes(),
                index: try handshake["inputs"]["initiator_index"].number(),
                offeredSuites: try handshake["inputs"]["offered"].number(),
                fields: try InitFields(handshake["fields"]["INIT"])), name)
        let sent = initiator.message(cookie: nil)
        #expect(sent == (try handshake["output"]["INIT"].bytes()), name)
        let message = try entry["output"]["COOKIE"].bytes()
        guard try entry["verdict"].string() == "accept" else {
            #expect(initiator.acceptCookie(message) == nil, name)
            continue
        }
        let cookie = try inputs["cookie"].bytes()
        #expect(
            Cookie.make(
                answering: sent, cookie: cookie, nonce: try inputs["nonce"].bytes(), identity: parties.responder,
                scope: parties.scope) == message, name)
        #expect(HandshakeMessage.receiverIndex(of: message) == (try entry["fields"]["receiver_index"].number()), name)
        #expect(initiator.acceptCookie(message) == cookie, name)
        let retry = initiator.message(cookie: cookie)
        #expect(retry == (try entry["output"]["INIT_retry"].bytes()), name)
        #expect(retry[..<152] == sent[..<152], name)
        #expect(Cookie.applyMAC2(to: sent, cookie: cookie) == retry, name)
        #expect(ReceivedInit.checkMAC2(message: retry, cookie: cookie), name)
        #expect(!ReceivedInit.checkMAC2(message: sent, cookie: cookie), name)
        #expect(!ReceivedInit.checkMAC2(message: retry, cookie: cookie.reversed()), name)
        #expect(!ReceivedInit.checkMAC2(message: retry, cookie: cookie + [0]), name)
        #expect(!ReceivedInit.checkMAC2(message: retry, cookie: []), name)
        #expect(parties.receive(retry) != nil, name)
    }
}

@Test func cookiesForResponses() throws {
    for entry in try Vectors.hl1("cookie_resp") {
        let name = Comment(rawValue: try entry["name"].string())
        let inputs = entry["inputs"]
        let parties = try Parties(inputs)
        let handshake = try Vectors.handshake(try inputs["handshake"].string())
        let sent = try handshake["output"]["RESP"].bytes()
        let cookie = try inputs["cookie"].bytes()
        let message = try entry["output"]["COOKIE"].bytes()
        #expect(
            Cookie.make(
                answering: sent, cookie: cookie, nonce: try inputs["nonce"].bytes(), identity: parties.initiator,
                scope: parties.scope) == message, name)
        let sender = parties.initiator.publicKey
        #expect(Cookie.open(message, answering: sent, sender: sender, scope: parties.scope) == cookie, name)
        #expect(
            Cookie.open(message, answering: sent, sender: parties.responder.publicKey, scope: parties.scope) == nil,
            name)
        let again = Cookie.applyMAC2(to: sent, cookie: cookie)
        #expect(again == (try entry["output"]["RESP_again"].bytes()), name)
        #expect(Cookie.applyMAC2(to: again, cookie: cookie) == again, name)
        // Not an answer to the other message of the handshake.
        let first = try handshake["output"]["INIT"].bytes()
        #expect(Cookie.open(message, answering: first, sender: sender, scope: parties.scope) == nil, name)

        let initiator = try #require(
            Initiator(
                identity: parties.initiator, peer: parties.responder.publicKey, scope: parties.scope,
                network: parties.network, ephemeralSecret: try handshake["inputs"]["initiator_ephemeral"].bytes(),
                index: try handshake["inputs"]["initiator_index"].number(),
                offeredSuites: try handshake["inputs"]["offered"].number(),
                fields: try InitFields(handshake["fields"]["INIT"])), name)
        #expect(initiator.checkMAC2(response: again, cookie: cookie), name)
        #expect(!initiator.checkMAC2(response: sent, cookie: cookie), name)
        #expect(initiator.accept(response: again) != nil, name)
    }
}

@Test func timesOfInits() throws {
    func time(_ json: JSON) throws -> InitTime? {
        guard !json.isNull else { return nil }
        let pair = try json.array()
        try #require(pair.count == 2)
        return InitTime(seconds: try pair[0].number(), count: try pair[1].number())
    }
    for entry in try Vectors.hl1("time") {
        let name = Comment(rawValue: try entry["name"].string())
        let inputs = entry["inputs"]
        let times = InitTimes(
            confirmed: try #require(try time(inputs["confirmed"])), next: try time(inputs["next"]),
            byCookie: try time(inputs["by_cookie"]))
        let initTime = try #require(try time(inputs["init_time"]))
        let verdict = times.verdict(initTime: initTime, mac2Valid: try inputs["mac2_valid"].bool())
        let isNewest = initTime > times.confirmed && initTime > times.next ?? InitTime(seconds: 0, count: 0)
        switch try entry["output"].string() {
        case "RESP": #expect(verdict == (isNewest ? .respond : .respondByCookie), name)
        case "COOKIE": #expect(verdict == .cookie, name)
        default: Issue.record("unknown answer", sourceLocation: #_sourceLocation)
        }
    }
    // A cookie does not move a newer time out of "next".
    let times = InitTimes(confirmed: InitTime(seconds: 5, count: 0))
    #expect(times.verdict(initTime: InitTime(seconds: 5, count: 1), mac2Valid: true) == .respond)
    #expect(times.verdict(initTime: InitTime(seconds: 5, count: 0), mac2Valid: true) == .respondByCookie)
    #expect(InitTimes().verdict(initTime: InitTime(seconds: 0, count: 0), mac2Valid: false) == .cookie)
}

@Test func valuesThatAreNotSent() throws {
    let parties = try Parties()
    let good = InitFields(
        seconds: 1, count: 0, caps: 0, largestDatagram: 1232, sealModes: 1, lanes: 1, bootID: 0)
    func make(
        scope: HandshakeScope = .link, psk: [UInt8]? = nil, ephemeral: Int = 32, index: UInt32 = 1, suites: UInt8 = 1,
        fields: InitFields, peer: PublicKey? = nil
    ) -> Initiator? {
        Initiator(
            identity: parties.initiator, peer: peer ?? parties.responder.publicKey, scope: scope, network: .open,
            peerPSK: psk, ephemeralSecret: [UInt8](repeating: 3, count: ephemeral), index: index,
            offeredSuites: suites, fields: fields)
    }
    func with(_ change: (inout InitFields) -> Void) -> InitFields {
        var fields = good
        change(&fields)
        return fields
    }
    #expect(make(fields: good) != nil)
    #expect(make(psk: [UInt8](repeating: 1, count: 32), fields: good) != nil)
    #expect(make(psk: [UInt8](repeating: 1, count: 31), fields: good) == nil)
    #expect(make(ephemeral: 31, fields: good) == nil)
    #expect(make(index: 0, fields: good) == nil)
    #expect(make(suites: 2, fields: good) == nil)
    #expect(make(fields: with { $0.largestDatagram = 1231 }) == nil)
    #expect(make(fields: with { $0.sealModes = 2 }) == nil)
    #expect(make(fields: with { $0.lanes = 0 }) == nil)
    #expect(make(fields: with { $0.lanes = 17 }) == nil)
    #expect(make(fields: good, peer: PublicKey(bytes: [UInt8](repeating: 0, count: 32))) == nil)
    let own = parties.initiator.address
    let other = parties.responder.address
    let all = with { $0.lanes = 16 }
    #expect(make(scope: .endToEnd(initiator: own, responder: other), fields: all) != nil)
    #expect(make(scope: .endToEnd(initiator: own, responder: other), fields: good) == nil)
    #expect(make(scope: .endToEnd(initiator: other, responder: own), fields: all) == nil)
    #expect(make(scope: .endToEnd(initiator: own, responder: own), fields: all) == nil)

    let received = try #require(parties.receive(try parties.open(offeredSuites: 1).message(cookie: nil)))
    func respond(
        ephemeral: Int = 32, index: UInt32 = 1, suite: UInt8 = 1, psk: [UInt8]? = nil,
        _ change: (inout RespFields) -> Void = { _ in }
    ) -> [UInt8]? {
        var fields = Parties.respFields
        change(&fields)
        return received.respond(
            ephemeralSecret: [UInt8](repeating: 4, count: ephemeral), index: index, suite: suite, fields: fields,
            peerPSK: psk)?.message
    }
    #expect(respond() != nil)
    #expect(respond(ephemeral: 0) == nil)
    #expect(respond(index: 0) == nil)
    #expect(respond(suite: 0) == nil)
    #expect(respond(suite: 2) == nil)
    #expect(respond(suite: 3) == nil)
    #expect(respond(suite: 4) == nil)
    #expect(respond(psk: []) == nil)
    #expect(respond { $0.largestDatagram = 0 } == nil)
    #expect(respond { $0.sealModes = 0 } == nil)
    #expect(respond { $0.lanes = 17 } == nil)
    #expect(respond { $0.resetToken = [] } == nil)

    let sent = try parties.open().message(cookie: nil)
    let nonce = [UInt8](repeating: 1, count: 24)
    let cookie = [UInt8](repeating: 2, count: 16)
    func cookieMessage(_ message: [UInt8], _ cookie: [UInt8], _ nonce: [UInt8]) -> [UInt8] {
        Cookie.make(answering: message, cookie: cookie, nonce: nonce, identity: parties.responder, scope: .link)
    }
    #expect(cookieMessage(sent, cookie, nonce).count == 64)
    #expect(cookieMessage(sent.dropLast(), cookie, nonce).isEmpty)
    #expect(cookieMessage(sent, cookie + [0], nonce).isEmpty)
    #expect(cookieMessage(sent, cookie, nonce.dropLast()).isEmpty)
}
