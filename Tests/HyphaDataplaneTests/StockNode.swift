import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire
import Testing

@testable import HyphaDataplane

/// A node that speaks stock bodies, with one native link to the test.
final class StockNode {
    let network: TestNetwork
    let identity: StockIdentity
    let node: TestNode
    let link: Neighbour

    init(
        _ session: SessionPolicy = .auto, early: EarlyPolicy = .queue, secret: [UInt8]? = nil, prefix: UInt64 = 0x5EED,
        mtu: Int = 1_452, _ change: (inout TestNode.Options) -> Void = { _ in }
    ) throws {
        network = TestNetwork(seed: 4_711)
        identity = try secret.map(StockIdentity.init(secret:)) ?? StockIdentity(network)
        var options = TestNode.Options()
        options.address = identity.address
        options.stock = identity.configuration(session, early: early, prefix: prefix)
        options.asksForRoutes = true
        change(&options)
        node = try network.add("N", options)
        link = try Neighbour(network, node, number: 1, Neighbour.Options(mtu: mtu))
        turn()
        node.forget()
    }

    /// Somebody that the node has a route and a key for.
    func peer(
        _ identity: StockIdentity? = nil, bits: UInt32 = 0, ownsPrefix: Bool = true, isRouted: Bool = true
    ) throws -> StockPeer {
        let peer = StockPeer(
            node, self.identity.key, try identity ?? StockIdentity(network), ownsPrefix: ownsPrefix, bits: bits)
        if isRouted { node.route(peer.address, NextHop(kind: .link, link: link.link, peer: peer.id)) }
        turn()
        return peer
    }

    func turn() { for _ in 0..<2 { node.turn(network.now) } }

    /// Packets (routing header first) come in by the link.
    func arrive(_ packets: [UInt8]...) {
        for packet in packets { link.send(link.full(packet)) }
        repeat { node.turn(network.now) } while node.io.waiting > 0
        node.turn(network.now)
    }

    /// Packets come out of the TUN.
    func enter(_ packets: [UInt8]...) { enter(reads: packets.map(Inner.read)) }

    func enter(reads: [[UInt8]]) {
        for read in reads { node.io.arriveFromTun(read) }
        repeat { node.turn(network.now) } while node.io.waiting > 0
        node.turn(network.now)
    }

    func sleep(_ milliseconds: UInt64) { network.sleep(node, milliseconds: milliseconds) }

    func udp(to peer: StockPeer, _ count: Int = 50, hopLimit: UInt8 = 64) -> [UInt8] {
        Inner.udp(from: node.address, to: peer.address, payload: network.bytes(count), hopLimit: hopLimit)
    }

    /// Packets that went out by the link, opened: routing header first.
    var sent: [[UInt8]] { link.received.compactMap(\.inner).filter { $0.count >= 48 && $0[0] < 0x80 } }

    func notices(_ kind: Notice.Kind) -> [Notice] { node.notices.filter { $0.kind == kind } }
}
