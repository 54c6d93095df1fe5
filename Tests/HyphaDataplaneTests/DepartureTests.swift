import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaWire
import Testing

@testable import HyphaDataplane

/// How packets for one link leave together.
struct DepartureTests {
    struct Bench {
        let network: TestNetwork
        let node: TestNode
        let from: Neighbour
        let to: [Neighbour]

        /// A node with `links` links to as many destinations.
        init(links: Int) throws {
            let network = TestNetwork(seed: 111)
            let node = try network.add("N", TestNode.Options(slabs: 20, maxLinks: 128, sessions: 128))
            from = try Neighbour(network, node, number: 1, Neighbour.Options(mtu: 9_000))
            to = try (0..<links).map { i in
                let link = try Neighbour(network, node, number: UInt64(10 + i), Neighbour.Options(mtu: 9_000))
                node.routes.insert(
                    Prefix(Bench.target(i), length: 64), NextHop(kind: .link, link: link.link))
                return link
            }
            _ = node.publishRoutes()
            self.network = network
            self.node = node
            node.turn(network.now)
            node.forget()
        }

        static func target(_ i: Int) -> IPv6Address { IPv6Address(high: 0x0500_0000_0000_0000 | UInt64(i), low: 1) }

        /// A datagram of `size` bytes for destination `i`.
        func datagram(_ i: Int, _ size: Int) -> [UInt8] {
            let route = Seal.route(
                kind: 0, hopLimit: 9, source: IPv6Address(high: 0x04F0 << 48, low: 1).bytes,
                destination: Bench.target(i).bytes)
            return from.full(route + network.bytes(size - 80))
        }

        /// Arrive in as few receives as their sizes allow, and a turn.
        func arrive(_ datagrams: [[UInt8]]) {
            node.forget()
            var train: [UInt8] = []
            var size = 0
            for datagram in datagrams {
                if !train.isEmpty, datagram.count != size || train.count + datagram.count > 65_000 {
                    node.io.arrive(train, segmentSize: size, from: from.endpoint)
                    train = []
                }
                size = datagram.count
                train += datagram
            }
            if !train.isEmpty { node.io.arrive(train, segmentSize: size, from: from.endpoint) }
            while node.io.waiting > 0 { node.turn(network.now) }
            #expect(node.drops == [:])
        }

        /// Datagrams of each train to link `i`.
        func trains(_ i: Int) -> [[Int]] {
            node.sent.filter { $0.destination == to[i].endpoint }.map { $0.datagrams.map(\.count) }
        }
    }

    @Test func equalSizes() throws {
        let bench = try Bench(links: 1)
        bench.arrive((0..<40).map { _ in bench.datagram(0, 500) })
        #expect(bench.trains(0) == [[Int](repeating: 500, count: 40)])
        #expect(bench.to[0].received.allSatisfy { $0.inner != nil })
    }

    /// A shorter one is the last of its train, a longer one begins another.
    @Test func sizes() throws {
        let bench = try Bench(links: 1)
        bench.arrive([500, 500, 400, 500, 600, 600, 600, 100, 100].map { bench.datagram(0, $0) })
        #expect(bench.trains(0) == [[500, 500, 400], [500], [600, 600, 600, 100], [100]])
        #expect(bench.node.sent.map(\.segmentSize) == [500, 500, 600, 100])
    }

    @Test func mostPackets() throws {
        let bench = try Bench(links: 1)
        bench.arrive((0..<300).map { _ in bench.datagram(0, 112) })
        #expect(bench.trains(0).map(\.count) == [128, 128, 44])
        // Bytes: 65,000 at most.
        bench.arrive((0..<100).map { _ in bench.datagram(0, 1_452) })
        #expect(bench.trains(0).map(\.count) == [44, 44, 12])
        bench.arrive((0..<9).map { _ in bench.datagram(0, 9_000) })
        #expect(bench.trains(0).map(\.count) == [7, 2])
    }

    /// Every destination gets its own packets, in order, however they are mixed; more links than open trains too.
    @Test(arguments: [2, 15, 64, 65, 100]) func mixed(links: Int) throws {
        let bench = try Bench(links: links)
        var expected = [[[UInt8]]](repeating: [], count: links)
        var datagrams: [[UInt8]] = []
        for _ in 0..<(3 * links) {
            let i = Int.random(in: 0..<links, using: &bench.network.random)
            let datagram = bench.datagram(i, [200, 200, 200, 150][Int.random(in: 0..<4, using: &bench.network.random)])
            let inner = try #require(Seal.openLink(suite: 1, keys: bench.from.towards, datagram))
            expected[i].append([inner[0], inner[1] - 1] + inner[2...])
            datagrams.append(datagram)
        }
        bench.arrive(datagrams)
        for i in 0..<links { #expect(bench.to[i].received.map(\.inner) == expected[i], "link \(i)") }
        bench.node.turn(bench.network.now)
        bench.node.expectNoLeak()
    }

    /// One link more than trains can be open: round and round, nothing is lost and nothing out of order.
    @Test func moreLinksThanTrains() throws {
        let bench = try Bench(links: 65)
        let order = (0..<195).map { $0 % 65 }
        bench.arrive(order.map { bench.datagram($0, 300) })
        for i in 0..<65 { #expect(bench.to[i].received.count == 3) }
        #expect(bench.node.sent.count >= 66)
    }

    /// A full queue ends a train, all of it, and the next one goes.
    @Test func queueFull() throws {
        let bench = try Bench(links: 2)
        bench.node.io.isFull = true
        for i in 0..<6 { bench.from.send(bench.datagram(i % 2, 300)) }
        bench.node.turn(bench.network.now)
        #expect(bench.node.drops == ["queue_full": 6])
        bench.node.expectNoLeak()
        bench.node.io.isFull = false
        bench.from.send(bench.datagram(1, 300))
        bench.node.turn(bench.network.now)
        #expect(bench.to[1].received.map { $0.inner != nil } == [true])
    }

    /// Neighbouring packets leave as one stretch of memory.
    @Test func piecesAreJoined() throws {
        let bench = try Bench(links: 1)
        bench.arrive((0..<40).map { _ in bench.datagram(0, 500) })
        #expect(bench.node.io.heldReferences == 1)
        // Two trains that came apart are two stretches.
        bench.node.turn(bench.network.now)
        bench.arrive([500, 500, 501, 501, 501].map { bench.datagram(0, $0) })
        #expect(bench.node.io.heldReferences == 2)
    }

    /// More than a vector holds in one receive.
    @Test func moreThanAVector() throws {
        let bench = try Bench(links: 1)
        let datagrams = (0..<580).map { _ in bench.datagram(0, 112) }
        bench.arrive(datagrams)
        #expect(bench.to[0].received.count == 580)
        let inner = datagrams.compactMap { Seal.openLink(suite: 1, keys: bench.from.towards, $0)?[48...] }
        #expect(bench.to[0].received.compactMap { $0.inner?[48...] } == inner)
        bench.node.turn(bench.network.now)
        bench.node.expectNoLeak()
    }
}
