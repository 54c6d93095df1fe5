import HyphaBase
import StockModel
import TestVectors
import Testing

/// What the model notices in a neighbour.
@Suite struct ConductTests {
    private let secrets: [[UInt8]]
    private let keys: [[UInt8]]

    init() throws {
        let entries = try Vectors.load("addresses.json")["keys"].array()
        secrets = try entries.map { try $0["secret_key"].bytes() }
        keys = try entries.map { try $0["public_key"].bytes() }
    }

    private func rig() -> Rig { Rig(secret: secrets[0]) }

    @Test func aNeighbourBeginsWithItsOwnUpdate() {
        var rig = rig()
        let good = rig.attach(key: keys[1])
        rig.live(2_000, [good])
        #expect(rig.model.oddities.isEmpty)
        let silent = rig.attach()
        rig.live(1_500, [good, silent])
        #expect(rig.model.oddities.others() == [.ownUpdateLate])
        rig.write(StockEncoder.hello(seqno: 0), to: silent)
        #expect(rig.model.oddities.others() == [.ownUpdateNotFirst, .ownUpdateLate])
    }

    @Test func whatAFarNodeOwnsIsNoOwnUpdate() {
        var rig = rig()
        let link = rig.attach()
        rig.announce(keys[1], metric: 100, from: link)
        rig.pass(1_000)
        #expect(rig.model.oddities.others() == [.ownUpdateNotFirst, .ownUpdateLate])
    }

    @Test func retractionsNameWhoRetracts() {
        var rig = rig()
        let link = rig.attach(key: keys[1])
        rig.announce(keys[2], metric: 100, from: link)
        let own = StockEncoder.update(
            Rig.subnet(keys[2]), routerID: Rig.routerID(keys[1]), seqno: 0, metric: StockMetric.infinite)
        rig.write(own, to: link)
        #expect(rig.model.oddities.isEmpty)
        rig.announce(keys[2], metric: StockMetric.infinite, from: link)
        #expect(rig.model.oddities.others() == [.retractionRouterID])
    }

    @Test func updatesForOthersSubnetsAreRefused() {
        var rig = rig()
        let link = rig.attach(key: keys[1])
        let update = StockEncoder.update(
            Rig.subnet(keys[2]), routerID: Rig.routerID(keys[3]), seqno: 0, metric: 100)
        rig.write(update, to: link)
        #expect(rig.model.oddities.others() == [.updateRefused])
        #expect(rig.model.report(now: rig.now).routes.count == 1)
    }

    /// A packet as the neighbour seals it, with what a test changes.
    private func frame(
        _ rig: Rig, source: IPv6Address? = nil, inner: [UInt8], header: [UInt8] = [1, 0, 0, 0], hopLimit: UInt8 = 63
    ) throws -> [UInt8] {
        let neighbour = try #require(StockIdentity(secret: secrets[1], random: [0, 0, 0, 0, 0, 0]))
        let cipher = try #require(neighbour.cipher(with: keys[0]))
        let payload = cipher.seal(header + inner, nonce: [UInt8](repeating: 5, count: 12))
        let datagram = StockDatagram(
            hopLimit: hopLimit, source: source ?? neighbour.address, destination: rig.model.identity.address,
            payload: payload)
        var frame: [UInt8] = []
        StockEncoder.append(datagram, to: &frame)
        return frame
    }

    @Test func packetsAreLookedAt() throws {
        let (here, there) = (StockIdentity.address(of: keys[0]), StockIdentity.address(of: keys[1]))
        let inner = Inner.udp(from: there, to: here, hopLimit: 64)
        let foreign = Inner.udp(from: StockIdentity.address(of: keys[2]), to: here, hopLimit: 64)
        let large = Inner.udp(from: there, to: here, hopLimit: 64, size: 9_000)
        let outside = try #require(IPv6Address("2001:db8::1"))
        var cases: [([UInt8], [StockOddity], delivered: Int)] = []
        cases.append((try frame(rig(), inner: inner), [], 1))
        cases.append((try frame(rig(), inner: foreign), [.innerAddress], 1))
        cases.append((try frame(rig(), inner: large), [.dataLarge], 1))
        cases.append((try frame(rig(), inner: inner, header: [1, 0, 0xAB, 0]), [.userHeader], 1))
        cases.append((try frame(rig(), inner: inner, header: [1, 200, 0, 0]), [.userHeader], 0))
        cases.append((try frame(rig(), inner: [], header: []), [.dataShort], 0))
        // Nobody's key is known for it: it waits.
        cases.append((try frame(rig(), source: outside, inner: inner), [.dataAddress], 0))
        for (i, (bytes, oddities, delivered)) in cases.enumerated() {
            var rig = rig()
            let link = rig.attach(key: keys[1])
            rig.write(bytes, to: link)
            #expect(rig.model.oddities.others() == oddities, "case \(i)")
            #expect(rig.model.takeHostPackets().count == delivered, "case \(i)")
        }
    }

    /// 100 of 150 from a sender that nobody knows yet.
    @Test func strangersWaitInAShortQueue() throws {
        var rig = rig()
        let relay = rig.attach(key: keys[2])
        let (here, there) = (StockIdentity.address(of: keys[0]), StockIdentity.address(of: keys[1]))
        let inner = Inner.udp(from: there, to: here, hopLimit: 64)
        for _ in 0..<150 { rig.write(try frame(rig, inner: inner), to: relay) }
        #expect(rig.model.takeHostPackets().isEmpty && rig.model.drops[.queueFull] == 50)
        rig.announce(keys[1], metric: 100, from: relay)
        #expect(rig.model.takeHostPackets().count == 100)
    }
}
