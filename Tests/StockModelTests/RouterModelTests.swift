import HyphaBase
import StockModel
import TestVectors
import Testing

/// What was observed on live nodes, done to the model.
@Suite struct RouterModelTests {
    private let secrets: [[UInt8]]
    private let keys: [[UInt8]]

    init() throws {
        let entries = try Vectors.load("addresses.json")["keys"].array()
        secrets = try entries.map { try $0["secret_key"].bytes() }
        keys = try entries.map { try $0["public_key"].bytes() }
    }

    private func rig() -> Rig { Rig(secret: secrets[0]) }

    private func address(_ i: Int) -> IPv6Address { StockIdentity.address(of: keys[i]) }

    /// Updates among packets, as metrics by subnet.
    private func updates(_ packets: [StockPacket], of i: Int) -> [UInt16] {
        packets.compactMap { packet in
            guard case .update(let prefix, 64, _, let metric, _, _) = packet, prefix == Rig.subnet(keys[i]).bytes else {
                return nil
            }
            return metric
        }
    }

    private func requests(_ packets: [StockPacket]) -> [UInt8] {
        packets.compactMap { packet in
            if case .routeRequest(let generation, _, _) = packet { return generation }
            return nil
        }
    }

    private func seqnoRequests(_ packets: [StockPacket]) -> [UInt16] {
        packets.compactMap { packet in
            if case .seqnoRequest(_, _, let seqno, _, _) = packet { return seqno }
            return nil
        }
    }

    private func cost(_ rig: Rig, _ link: Int) -> Int? {
        rig.model.report(now: rig.now).peers.first { $0.name == "test \(link)" }?.cost
    }

    // MARK: - Links

    @Test func aNewLinkBeginsWithTheOwnUpdateAndWhatIsAskedFor() {
        var rig = rig()
        let first = rig.attach()
        #expect(updates(rig.read(first), of: 0) == [0])
        rig.write(StockEncoder.routeRequest(Rig.subnet(keys[5]), generation: 3), to: first)
        let second = rig.attach()
        let packets = rig.read(second)
        #expect(packets.count == 2 && updates(packets, of: 0) == [0] && requests(packets) == [0])
        // Nobody else could be asked when the request came.
        #expect(rig.read(first) == [])
        rig.pass(19_990)
        #expect(rig.read(second) == [])
        rig.pass(20)
        #expect(rig.read(second) == [.hello])
    }

    @Test func oneSampleAHelloMovesTheCostByATenth() {
        var rig = rig()
        let link = rig.attach()
        #expect(cost(rig, link) == 1_015)
        var costs: [Int] = []
        rig.live(120_000, [link]) { rig, _, packet in
            if packet == .hello { costs.append(cost(rig, link) ?? 0) }
        }
        #expect(costs == [915, 825, 744, 671, 605, 546])
    }

    @Test(arguments: [(1, 915), (10, 362), (30, 53), (60, 16)])
    func ihusAtConnectSettleTheCost(count: Int, expected: Int) {
        var rig = rig()
        let link = rig.attach()
        for _ in 0..<count { rig.write(StockEncoder.ihu(cost: 15), to: link) }
        #expect(abs((cost(rig, link) ?? 0) - expected) <= 1)
        #expect(rig.model.oddities[.ihuUnasked] == count)
    }

    @Test func theSameTwoSecondsLaterIsTheTimeSinceTheStart() {
        var rig = rig()
        let link = rig.attach()
        rig.pass(2_000)
        for _ in 0..<60 { rig.write(StockEncoder.ihu(cost: 15), to: link) }
        #expect(abs((cost(rig, link) ?? 0) - 2_009) <= 3)
    }

    @Test func aPeerWithoutIHUsDies() {
        var rig = rig()
        let (silent, other) = (rig.attach(key: keys[1]), rig.attach(key: keys[2]))
        rig.live(43_000, [other])
        #expect(rig.model.takeClosing() == [])
        rig.live(10_000, [other])
        #expect(rig.model.takeClosing() == [silent] && rig.model.counters.linksSilent == 1)
        #expect(updates(rig.read(other), of: 1) == [])
        #expect(rig.model.oddities[.ihuLate] >= 2 && rig.model.oddities[.helloLate] >= 2)
    }

    @Test func aPanickedStreamStaysInTheTable() {
        var rig = rig()
        let (broken, other) = (rig.attach(key: keys[1]), rig.attach(key: keys[2]))
        _ = rig.read(other)
        rig.write([1, 1, 0, 0, 42, 3, 0, 0], to: broken)
        #expect(rig.model.takeClosing() == [broken])
        #expect(rig.read(other) == [] && cost(rig, broken) != nil)
        var retracted = false
        rig.live(54_000, [other]) { _, _, packet in retracted = retracted || updates([packet], of: 1) == [0xFFFF] }
        #expect(retracted && cost(rig, broken) == nil)
    }

    // MARK: - Routes

    @Test func routesArePassedOnWithTheLinkCost() {
        var rig = rig()
        let (a, b) = (rig.attach(key: keys[1]), rig.attach(key: keys[2]))
        // The second was not there when the first came; it gets no dump.
        #expect(updates(rig.read(a), of: 2) == [1_015])
        #expect(updates(rig.read(b), of: 1) == [])
        rig.write(StockEncoder.routeRequest(nil, generation: 0), to: b)
        let dump = rig.read(b)
        #expect(updates(dump, of: 1) == [1_015] && updates(dump, of: 0) == [0] && updates(dump, of: 2) == [])
        // A closed link is a retraction at once, by the retracting node's router id.
        rig.detach(a)
        let packets = rig.read(b)
        #expect(updates(packets, of: 1) == [0xFFFF])
        guard case .update(_, _, 0, 0xFFFF, 30_000, rig.model.identity.routerID)? = packets.last else {
            Issue.record("\(packets)")
            return
        }
    }

    @Test(arguments: [(1_000 as UInt16, 35_000 as UInt64), (3_000, 105_000)])
    func routesExpire(interval: UInt16, hold: UInt64) {
        var rig = rig()
        let (a, b) = (rig.attach(), rig.attach())
        rig.announce(keys[1], interval: interval, from: a)
        _ = (rig.read(a), rig.read(b))
        let start = rig.now
        var retracted: [Int: UInt64] = [:]
        rig.live(hold + 1_000, [a, b]) { rig, link, packet in
            if updates([packet], of: 1) == [0xFFFF] { retracted[link] = rig.now - start }
        }
        // The silent origin hears it too.
        #expect(retracted == [a: hold, b: hold])
        #expect(rig.model.report(now: rig.now).routes.count == 1)
        rig.live(5_100, [a, b])
        #expect(rig.model.report(now: rig.now).routes.isEmpty)
    }

    @Test func infeasibleUpdatesAreAnsweredWithASeqnoRequest() {
        var rig = rig()
        let (a, b) = (rig.attach(), rig.attach())
        rig.announce(keys[1], seqno: 3, from: a)
        #expect(updates(rig.read(b), of: 1) == [1_015])
        _ = rig.read(a)
        // Lower seqno, same router id: refused, the old route stays.
        rig.announce(keys[1], seqno: 1, from: a)
        #expect(seqnoRequests(rig.read(a)) == [4])
        // Of another neighbour it is refused in silence, since a route is selected.
        rig.announce(keys[1], seqno: 1, metric: 5, from: b)
        #expect(rig.read(b) == [])
        // A new router id has no past.
        rig.announce(keys[1], run: 1, seqno: 0, from: a)
        #expect(updates(rig.read(b), of: 1) == [1_015])
        // The same again with a newer seqno is not worth an update.
        rig.announce(keys[1], run: 1, seqno: 1, from: a)
        #expect(rig.read(b) == [])
    }

    @Test func aLostOnlyRouteIsAskedForAndRetracted() {
        var rig = rig()
        let (a, b) = (rig.attach(), rig.attach())
        rig.announce(keys[1], seqno: 3, metric: 50, from: a)
        _ = (rig.read(a), rig.read(b))
        rig.announce(keys[1], run: 9, metric: 0xFFFF, from: a)
        let packets = rig.read(a)
        #expect(seqnoRequests(packets) == [4] && updates(packets, of: 1) == [0xFFFF])
        #expect(updates(rig.read(b), of: 1) == [0xFFFF])
    }

    /// The thresholds of selection with equal link costs.
    @Test(arguments: [(100 as UInt16, 90 as UInt16, false), (100, 89, true), (5, 0, true)])
    func selectionHasInertia(old: UInt16, new: UInt16, switches: Bool) {
        var rig = rig()
        let (a, b) = (rig.attach(), rig.attach())
        for link in [a, b] {
            for _ in 0..<80 { rig.write(StockEncoder.ihu(cost: 15), to: link) }
        }
        rig.announce(keys[1], metric: old, from: a)
        rig.announce(keys[1], metric: new, from: b)
        let selected = rig.model.report(now: rig.now).routes.first { $0.isSelected }
        #expect(selected?.nextHop == (switches ? "test 1" : "test 0"))
    }

    @Test func longerPrefixesAreRoutesOfTheirOwn() {
        var rig = rig()
        let (a, b) = (rig.attach(key: keys[1]), rig.attach())
        let host = StockSubnet(address(1), 128)
        let update = StockEncoder.update(host, routerID: Rig.routerID(keys[1]), seqno: 0, metric: 7)
        rig.write(update, to: b)
        _ = (rig.read(a), rig.read(b))
        let other = IPv6Address(high: address(1).high, low: 5)
        for destination in [address(1), other] {
            rig.model.send(Inner.udp(from: address(0), to: destination, hopLimit: 64), now: rig.now)
        }
        #expect(rig.read(a).count == 1 && rig.read(b).count == 1)
    }

    // MARK: - Requests

    @Test func requestsTravelFifteenSteps() {
        for (generation, relayed) in [(0, [1]), (14, [15]), (15, []), (254, []), (255, [0])] as [(UInt8, [UInt8])] {
            var rig = rig()
            let (a, b) = (rig.attach(), rig.attach())
            _ = (rig.read(a), rig.read(b))
            rig.write(StockEncoder.routeRequest(Rig.subnet(keys[4]), generation: generation), to: a)
            #expect(requests(rig.read(b)) == relayed && rig.read(a) == [])
            // Once is enough.
            rig.write(StockEncoder.routeRequest(Rig.subnet(keys[4]), generation: generation), to: a)
            #expect(rig.read(b) == [])
        }
    }

    @Test func ownSeqnoMovesByOneEveryFourSeconds() {
        var rig = rig()
        let link = rig.attach()
        let own = rig.model.identity
        func ask(_ seqno: UInt16) -> [StockPacket] {
            _ = rig.read(link)
            let request = StockEncoder.seqnoRequest(
                own.subnet, routerID: own.routerID, seqno: seqno, hopCount: 64)
            rig.write(request, to: link)
            return rig.read(link)
        }
        rig.pass(100)
        #expect(ask(1) == [])
        rig.pass(3_300)
        #expect(ask(1) == [])
        rig.pass(1_200)
        #expect(updates(ask(1), of: 0) == [0] && rig.model.report(now: rig.now).seqno == 1)
        rig.pass(400)
        #expect(ask(2) == [])
        rig.pass(4_000)
        #expect(updates(ask(100), of: 0) == [0] && rig.model.report(now: rig.now).seqno == 2)
    }

    @Test func seqnoRequestsGoOnToOneNeighbour() {
        var rig = rig()
        let (a, b, c) = (rig.attach(), rig.attach(), rig.attach())
        rig.announce(keys[1], seqno: 3, from: a)
        _ = (rig.read(a), rig.read(b), rig.read(c))
        let subnet = Rig.subnet(keys[1])
        let request = StockEncoder.seqnoRequest(subnet, routerID: Rig.routerID(keys[1]), seqno: 4, hopCount: 64)
        rig.write(request, to: b)
        #expect(seqnoRequests(rig.read(a)) == [4] && rig.read(c) == [])
        // The second to ask is not remembered.
        rig.write(request, to: c)
        #expect(rig.read(a) == [])
        rig.announce(keys[1], seqno: 4, from: a)
        #expect(updates(rig.read(b), of: 1) == [1_015] && rig.read(c) == [])
        // What is there already is sent, with the cost of the asker's link.
        for _ in 0..<80 { rig.write(StockEncoder.ihu(cost: 15), to: a) }
        let old = StockEncoder.seqnoRequest(subnet, routerID: Rig.routerID(keys[1]), seqno: 2, hopCount: 64)
        rig.write(old, to: c)
        #expect(updates(rig.read(c), of: 1) == [1_015])
    }

    @Test func refreshUnderSteadyTrafficIsSentOnce() {
        var rig = rig()
        let a = rig.attach()
        rig.announce(keys[1], interval: 500, from: a)
        _ = rig.read(a)
        var asked = 0
        for _ in 0..<300 {
            rig.live(250, [a]) { _, _, packet in asked += requests([packet]).count }
            rig.model.send(Inner.udp(from: address(0), to: address(1), hopLimit: 64), now: rig.now)
        }
        // Expired after 17.5 s, and nobody was asked again in 75 s.
        #expect(asked == 1 && rig.model.report(now: rig.now).routes.isEmpty)
    }

    // MARK: - What is fatal, and what a well-behaved node never does

    @Test func harmfulInputEndsTheModel() throws {
        for entry in try Vectors.load("control.json")["irregular"].array() {
            var rig = rig()
            let link = rig.attach()
            let name = try entry["name"].string()
            for chunk in try entry["chunks"].array() { rig.write(try chunk.bytes(), to: link) }
            #expect((rig.model.aborted != nil) == name.contains("bits set beyond"), "\(name)")
            #expect(rig.model.controlPlaneIsDead == name.contains("IPv4 prefix"), "\(name)")
            guard rig.model.controlPlaneIsDead else { continue }
            _ = rig.read(link)
            rig.write(StockEncoder.hello(seqno: 0), to: link)
            rig.pass(100_000)
            #expect(rig.read(link) == [])
        }
    }

    @Test func aStrayBitInASeqnoRequestIsOnlyOdd() {
        var rig = rig()
        let link = rig.attach(key: keys[1])
        let request: [UInt8] = [2, 65, 0, 1, 64, 0] + Rig.routerID(keys[1]) + Rig.subnet(keys[1]).bytes + [0x7F]
        rig.write(StockModel.control(type: 10, request), to: link)
        #expect(rig.model.aborted == nil && rig.model.oddities[.strayBits] == 1)
    }
}
