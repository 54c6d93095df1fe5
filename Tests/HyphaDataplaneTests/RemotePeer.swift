import HyphaBase
import HyphaInterchange
import HyphaPacket
import HyphaSession

/// The far end of an end-to-end session in the hands of the test.
final class RemotePeer {
    unowned let node: TestNode
    let id: UInt32
    let address: IPv6Address
    let suite: UInt8
    private(set) var slot: UInt32 = 0
    private(set) var index: UInt32 = 0
    let ownIndex: UInt32
    private(set) var towards: [[UInt8]] = []
    private(set) var back: [[UInt8]] = []
    var counters = [UInt64](repeating: 0, count: 16)

    init(
        _ network: TestNetwork, _ node: TestNode, address: IPv6Address, suite: UInt8 = 1, ownsPrefix: Bool = true,
        withSession: Bool = true
    ) throws {
        self.node = node
        self.address = address
        self.suite = suite
        ownIndex = network.random.next32() | 1
        id = node.addPeer(address, ownsPrefix: ownsPrefix)
        if withSession { try agree(network) }
    }

    /// A session, installed and sent with.
    func agree(
        _ network: TestNetwork, index fixed: UInt32? = nil, towards: [[UInt8]]? = nil, back: [[UInt8]]? = nil,
        isSentWith: Bool = true, isInitiator: Bool = false
    ) throws {
        let sessions = node.port.flowSessions
        if let fixed {
            index = fixed
            slot = fixed & UInt32(sessions.capacity - 1)
        } else {
            guard let place = node.flowAllocator.allocate(random: network.random.next32()) else {
                throw TestNetwork.Full()
            }
            (slot, index) = place
        }
        self.towards = towards ?? network.laneKeys()
        self.back = back ?? network.laneKeys()
        counters = [UInt64](repeating: 0, count: 16)
        sessions.prepare(
            slot,
            SessionRecord(
                localIndex: index, remoteIndex: ownIndex, owner: id, suite: suite, lanes: 16, peerModes: 0,
                isInitiator: isInitiator, created: network.now), sendKeys: self.back, receiveKeys: self.towards)
        node.command(WorkerCommand(.installFlowSession, slot: slot))
        if isSentWith { node.command(WorkerCommand(.sendWithFlowSession, id: id, slot: slot)) }
    }

    /// Routing header and body around a plaintext whose kind and pad stand in its first byte.
    func packet(
        _ plain: [UInt8], flow: UInt16 = 0x1234, counter: UInt64? = nil, hopLimit: UInt8 = 64, flags: UInt8 = 0,
        source: IPv6Address? = nil, destination: IPv6Address? = nil, index: UInt32? = nil
    ) -> [UInt8] {
        let lane = Int(flow >> 12)
        let number = counter ?? counters[lane]
        if counter == nil { counters[lane] += 1 }
        let route = Seal.route(
            kind: 0, flags: flags, hopLimit: hopLimit, flow: flow, index: index ?? self.index, counter: number,
            source: (source ?? address).bytes, destination: (destination ?? node.address).bytes)
        return Seal.flow(suite: suite, keys: towards, route: route, plain)
    }

    /// The plaintext of an inner packet.
    static func plaintext(_ packet: [UInt8]) -> [UInt8] {
        let plain = [0] + packet[..<4] + [packet[6]] + packet[40...]
        let pad = plain.count < 256 ? (16 - plain.count % 16) % 16 : 0
        return [UInt8(pad << 4)] + plain[1...] + [UInt8](repeating: 0, count: pad)
    }

    /// Routing header and body around an inner packet.
    func carry(_ packet: [UInt8], flow: UInt16 = 0x1234, counter: UInt64? = nil) -> [UInt8] {
        self.packet(
            RemotePeer.plaintext(packet), flow: flow, counter: counter, hopLimit: packet[7],
            source: IPv6Address(bytes: packet[8..<24]), destination: IPv6Address(bytes: packet[24..<40]))
    }

    /// The plaintext of a packet of the node to this peer.
    func open(_ packet: [UInt8]) -> [UInt8]? { Seal.openFlow(suite: suite, keys: back, packet) }

    /// The inner packet that a packet of the node carries.
    func inner(_ packet: [UInt8]) -> [UInt8]? {
        guard let plain = open(packet), plain.count >= 6, plain[0] & 15 == 0 else { return nil }
        let payload = plain[6...].dropLast(Int(plain[0] >> 4))
        return plain[1..<5] + Inner.be16(payload.count) + [plain[5], packet[1]] + packet[16..<48] + payload
    }
}
