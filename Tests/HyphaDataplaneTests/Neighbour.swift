import HyphaBase
import HyphaInterchange
import HyphaPacket
import HyphaSession

/// The far end of a link in the hands of the test: it seals what it likes and opens what comes.
final class Neighbour {
    struct Options {
        var suite: UInt8 = 1
        var lanes = 16
        /// Seal modes it accepts.
        var modes: UInt8 = 3
        var mtu = 1_452
        var fullOnly = false
        /// The node's receiver index; nil for any.
        var index: UInt32?
        /// Lane keys towards the node; nil for any.
        var towards: [[UInt8]]?
        /// Lane keys of the node; nil for any.
        var back: [[UInt8]]?
        /// False: the session is installed but not sent with.
        var isSentWith = true
        var isInitiator = false
    }

    unowned let node: TestNode
    let link: UInt32
    let endpoint: SocketAddress
    let suite: UInt8
    private(set) var slot: UInt32 = 0
    private(set) var index: UInt32 = 0
    let ownIndex: UInt32
    private(set) var towards: [[UInt8]] = []
    private(set) var back: [[UInt8]] = []
    var counters = [UInt64](repeating: 0, count: 16)

    init(_ network: TestNetwork, _ node: TestNode, number: UInt64, _ options: Options = Options()) throws {
        self.node = node
        suite = options.suite
        endpoint = SocketAddress(address: IPv6Address(high: 0xFD77 << 48, low: number), port: 7_000)
        ownIndex = network.random.next32() | 1
        link = node.addLink(to: endpoint, mtu: options.mtu, fullOnly: options.fullOnly)
        try agree(network, options)
    }

    /// A session, installed and sent with.
    func agree(_ network: TestNetwork, _ options: Options = Options()) throws {
        let sessions = node.port.linkSessions
        if let fixed = options.index {
            index = fixed
            slot = fixed & UInt32(sessions.capacity - 1)
        } else {
            guard let place = node.linkAllocator.allocate(random: network.random.next32()) else {
                throw TestNetwork.Full()
            }
            (slot, index) = place
        }
        towards = options.towards ?? network.laneKeys()
        back = options.back ?? network.laneKeys()
        counters = [UInt64](repeating: 0, count: 16)
        sessions.prepare(
            slot,
            SessionRecord(
                localIndex: index, remoteIndex: ownIndex, owner: link, suite: suite, lanes: options.lanes,
                peerModes: options.modes, isInitiator: options.isInitiator, created: network.now), sendKeys: back,
            receiveKeys: towards)
        node.command(WorkerCommand(.installLinkSession, slot: slot))
        if options.isSentWith { node.command(WorkerCommand(.sendWithLinkSession, id: link, slot: slot)) }
    }

    private func next(_ lane: UInt8) -> UInt64 {
        defer { counters[Int(lane)] += 1 }
        return counters[Int(lane)]
    }

    /// A fully sealed datagram.
    func full(_ inner: [UInt8], lane: UInt8 = 1, counter: UInt64? = nil) -> [UInt8] {
        Seal.full(
            suite: suite, key: towards[Int(lane)], index: index, lane: lane, counter: counter ?? next(lane), inner)
    }

    /// A header-sealed datagram around a routing header and a body.
    func header(_ packet: [UInt8], lane: UInt8 = 1, counter: UInt64? = nil) -> [UInt8] {
        Seal.header(
            suite: suite, key: towards[Int(lane)], index: index, lane: lane, counter: counter ?? next(lane),
            route: Array(packet[..<48]), body: Array(packet[48...]))
    }

    /// A piece of a packet.
    func fragment(
        id: UInt16, part: UInt8, total: UInt8 = 2, _ piece: [UInt8], lane: UInt8 = 1, counter: UInt64? = nil
    ) -> [UInt8] {
        Seal.full(
            type: 6, suite: suite, key: towards[Int(lane)], index: index, lane: lane, counter: counter ?? next(lane),
            Seal.little(UInt64(id), 2) + [part, total] + piece)
    }

    /// Both pieces of a packet, the first of half its size rounded up.
    func pieces(_ packet: [UInt8], id: UInt16, lane: UInt8 = 1) -> [[UInt8]] {
        let half = (packet.count + 1) / 2
        return [
            fragment(id: id, part: 0, Array(packet[..<half]), lane: lane),
            fragment(id: id, part: 1, Array(packet[half...]), lane: lane),
        ]
    }

    /// The datagram arrives at the node.
    func send(_ datagram: [UInt8]) { node.io.arrive(datagram, from: endpoint) }

    /// What the node sent here so far, opened. `inner` is nil where the seal is not good.
    var received: [(datagram: [UInt8], inner: [UInt8]?)] {
        node.sent.filter { $0.destination == endpoint }.flatMap(\.datagrams).map {
            ($0, Seal.openLink(suite: suite, keys: back, $0))
        }
    }
}
