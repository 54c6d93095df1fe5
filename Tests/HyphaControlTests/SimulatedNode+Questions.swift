import HyphaBase
import HyphaControl
import HyphaIdentity
import HyphaInterchange
import HyphaSession

/// A leaf with the number 1 that dials the public node with the number 2.
func makePair(seed: UInt64 = 1, clockOffset: Int64 = 0) -> (SimulatedNetwork, leaf: SimulatedNode, hub: SimulatedNode) {
    let network = SimulatedNetwork(seed: seed)
    let hub = network.addNode(2)
    let leaf = network.addNode(1, dialling([2]), clockOffset: clockOffset)
    return (network, leaf, hub)
}

/// Peers by their numbers, at 10.0.0.number.
func dialling(_ numbers: [UInt8], routes: [ConfiguredRoute] = []) -> ControlConfiguration {
    ControlConfiguration(
        peers: numbers.map {
            ConfiguredPeer(key: SimulatedNetwork.identity($0).publicKey, host: "10.0.0.\($0)", port: 9_651)
        }, routes: routes)
}

extension SimulatedNode {
    var linkStatus: [LinkStatus] { loop.status(now: .zero).links }
    var peerStatus: [PeerStatus] { loop.status(now: .zero).peers }

    /// True when packets to the node can be sealed on some link, by control's and by the worker's books.
    func isUp(_ other: SimulatedNode) -> Bool {
        linkStatus.contains { $0.key == other.key && $0.state == .up && worker.linkStates[$0.id]?.slot != nil }
    }

    /// The worker's session in use with a node: record of it.
    func session(_ other: SimulatedNode) -> (local: UInt32, remote: UInt32)? {
        guard let id = linkStatus.first(where: { $0.key == other.key })?.id, let slot = worker.linkStates[id]?.slot
        else { return nil }
        let record = worker.links.table.record(slot).pointee
        return (record.localIndex, record.remoteIndex)
    }
}

/// True when both send with the two halves of one session.
func agree(_ a: SimulatedNode, _ b: SimulatedNode) -> Bool {
    guard let here = a.session(b), let there = b.session(a) else { return false }
    return here.local == there.remote && here.remote == there.local
}

extension SimulatedNode {
    /// Makes the node begin a new handshake on its first link.
    func renew(_ network: SimulatedNetwork) {
        network.act(on: self) { node, now in
            let slot = node.worker.linkStates[0]?.slot ?? .max
            node.loop.handle(Notice(.linkRekeyDue, id: 0, slot: slot), now: now)
        }
    }
}
