import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaSession
import HyphaWire

/// What a worker does as far as control can see it, without encryption: a "sealed" message shows the key that it would
/// be sealed with, and opens only where that is the key to open with.
///
/// | off | size | link message |
/// |---|---|---|
/// | 0 | 16 | header of type 4 |
/// | 16 | 32 | send key of lane 0 |
/// | 48 | | nothing, control entries or routing header and body |
///
/// A body of type 0 is the end-to-end send key and one byte: 1 for data, 0 for a keepalive.
final class FakeWorker {
    struct LinkState {
        var endpoint: SocketAddress
        var socket: UInt8
        var value: UInt32
        var slot: UInt32?
        var owedSince: Instant?
        var unansweredSince: Instant?
        /// PADs that asked for an answer meanwhile.
        var asks: UInt64 = 0
        /// Milliseconds.
        var roundTrip: UInt64 = 0
    }

    struct PeerState {
        var address: IPv6Address
        var ownsSubnet: Bool
        /// Bits of the last `setPeer`.
        var bits: UInt32 = 0
        var key: [UInt8] = []
        var slot: UInt32?
        var unansweredSince: Instant?
    }

    let links = TableMemory(capacity: 64, scope: .link)
    let flows = TableMemory(capacity: 64, scope: .flow)
    var linkStates: [UInt32: LinkState] = [:]
    var peerStates: [UInt32: PeerState] = [:]
    var snapshot: ForwardingSnapshot?
    private(set) var commands: [WorkerCommand] = []
    /// For control, to be taken by whoever runs the node.
    var notices: [Notice] = []
    var punts: [(PuntedPacket, [UInt8])] = []
    var datagrams: [(SocketAddress, [UInt8])] = []
    /// Peers whose waiting packets were given up.
    private(set) var rejected: [UInt32] = []
    /// End-to-end data that arrived, by source.
    private(set) var received: [IPv6Address] = []
    /// Commands that make no sense: a session that is not installed, a link or peer that is not there.
    private(set) var faults: [WorkerCommand] = []
    /// Sizes of the link control messages that control wanted sent.
    private(set) var controlSizes: [Int] = []
    /// TCP connections and what control wants of them.
    var streams: FakeStreams
    /// What waited for a route and was answered: the /64, and the next hop to it at that moment if one was found.
    private(set) var routeAnswers: [(prefix: UInt64, hop: NextHop?)] = []
    private(set) var stockPrefixes: [UInt64] = []
    private let own: IPv6Address

    init(own: IPv6Address, links: LinkNumbering = LinkNumbering(datagramLinks: 64, streams: 0)) {
        self.own = own
        streams = FakeStreams(links: links)
    }

    func lookup(_ address: IPv6Address) -> NextHop { snapshot?.fib.view.lookup(address) ?? .none }

    /// Commands of one kind.
    func commands(_ operation: WorkerCommand.Operation) -> [WorkerCommand] {
        commands.filter { $0.operation == operation }
    }

    // MARK: - From control

    func apply(_ command: WorkerCommand, now: Instant) {
        commands.append(command)
        if !makesSense(command) { faults.append(command) }
        switch command.operation {
        case .setLink:
            var state =
                linkStates[command.id]
                ?? LinkState(endpoint: command.endpoint, socket: command.socket, value: command.value)
            state.endpoint = command.endpoint
            state.socket = command.socket
            state.value = command.value
            linkStates[command.id] = state
        case .removeLink: linkStates[command.id] = nil
        case .installLinkSession: links.table.use(command.slot).pointee.installed = 1
        case .sendWithLinkSession:
            linkStates[command.id]?.slot = command.slot
            linkStates[command.id]?.unansweredSince = nil
            linkStates[command.id]?.roundTrip = UInt64(command.value)
        case .retireLinkSession:
            let owner = links.table.record(command.slot).pointee.owner
            if linkStates[owner]?.slot == command.slot { linkStates[owner]?.slot = nil }
            links.table.retire(command.slot)
            notices.append(Notice(.linkSessionRetired, id: owner, slot: command.slot))
        case .confirmLinkSession:
            sendLink(links.table.record(command.slot).pointee.owner, under: command.slot, [], now: now)
        case .probeLink: sendLink(command.id, under: nil, [0x80, 0, 0], now: now)
        case .setPeer:
            var state = peerStates[command.id] ?? PeerState(address: command.endpoint.address, ownsSubnet: false)
            state.address = command.endpoint.address
            state.ownsSubnet = command.value & WorkerCommand.ownsPrefixBit != 0
            state.bits = command.value
            state.key = command.key.withBytes { Array(UnsafeBufferPointer(start: $0, count: 32)) }
            peerStates[command.id] = state
        case .removePeer: peerStates[command.id] = nil
        case .installFlowSession: flows.table.use(command.slot).pointee.installed = 1
        case .sendWithFlowSession:
            peerStates[command.id]?.slot = command.slot
            peerStates[command.id]?.unansweredSince = nil
        case .retireFlowSession:
            let owner = flows.table.record(command.slot).pointee.owner
            if peerStates[owner]?.slot == command.slot { peerStates[owner]?.slot = nil }
            flows.table.retire(command.slot)
            notices.append(Notice(.flowSessionRetired, id: owner, slot: command.slot))
        case .confirmFlowSession:
            sendFlow(flows.table.record(command.slot).pointee.owner, under: command.slot, isData: false, now: now)
        case .rejectParked: rejected.append(command.id)
        case .openStream: streams.dials.append((command.id, command.endpoint))
        case .answerHellos: streams.answerHellos(command)
        case .closeStream: streams.closes.append((command.id, command.value == 1))
        case .routeResolved:
            let prefix = command.endpoint.address.high
            routeAnswers.append((prefix, lookup(IPv6Address(high: prefix, low: 1))))
        case .routeFailed: routeAnswers.append((command.endpoint.address.high, nil))
        case .setStockPrefix: stockPrefixes.append(command.endpoint.address.high)
        case .drain: notices.append(Notice(.drained))
        }
    }

    private func makesSense(_ command: WorkerCommand) -> Bool {
        let (link, flow) = (links.table.use(command.slot).pointee, flows.table.use(command.slot).pointee)
        let (linkOwner, flowOwner) = (
            links.table.record(command.slot).pointee.owner, flows.table.record(command.slot).pointee.owner
        )
        return switch command.operation {
        case .setLink, .setPeer, .drain, .openStream, .closeStream, .answerHellos, .routeResolved, .routeFailed,
            .setStockPrefix:
            true
        case .removeLink, .probeLink: linkStates[command.id] != nil
        case .removePeer, .rejectParked: peerStates[command.id] != nil
        case .installLinkSession:
            linkStates[command.id] != nil && link.installed == 0 && linkOwner == command.id
        case .sendWithLinkSession, .confirmLinkSession, .retireLinkSession:
            linkStates[command.id] != nil && link.installed == 1 && linkOwner == command.id
        case .installFlowSession:
            peerStates[command.id] != nil && flow.installed == 0 && flowOwner == command.id
        case .sendWithFlowSession, .confirmFlowSession, .retireFlowSession:
            peerStates[command.id] != nil && flow.installed == 1 && flowOwner == command.id
        }
    }

    func inject(_ head: InjectedPacket, _ bytes: [UInt8], now: Instant) {
        switch head.kind {
        case .datagram: datagrams.append((head.destination, bytes))
        case .overlay: route(bytes, link: .max, now: now)
        case .linkControl:
            controlSizes.append(bytes.count)
            sendLink(head.link, under: nil, bytes, now: now)
        case .streamControl: streams.send(bytes, on: head.link)
        }
    }

    // MARK: - From the network and the host

    func receive(_ datagram: [UInt8], sender: SocketAddress, now: Instant) {
        let (check, index) = datagram.withUnsafeBytes { bytes -> (LinkHeader.Check, UInt32) in
            guard let base = bytes.baseAddress else { return (.badLength, 0) }
            let check = LinkHeader.check(base, length: bytes.count)
            return (check, check == .full ? LinkHeader.index(base) : 0)
        }
        switch check {
        case .handshake:
            punts.append((PuntedPacket(kind: .handshake, length: datagram.count, sender: sender), datagram))
        case .full:
            guard datagram.count >= 48, let slot = links.table.slot(index: index),
                now < links.table.record(slot).pointee.rejectAt, Array(datagram[16..<48]) == links.receiveKey(slot)
            else { return }
            let owner = links.table.record(slot).pointee.owner
            if links.table.use(slot).pointee.confirmed == 0 {
                links.table.use(slot).pointee.confirmed = 1
                notices.append(Notice(.linkSessionConfirmed, id: owner, slot: slot))
            }
            linkStates[owner]?.unansweredSince = nil
            linkStates[owner]?.asks = 0
            let inner = Array(datagram[48...])
            guard let first = inner.first else { return }
            if linkStates[owner]?.owedSince == nil { linkStates[owner]?.owedSince = now }
            if first >= 0x80 {
                punts.append((PuntedPacket(kind: .linkControl, length: inner.count, link: owner), inner))
            } else {
                route(inner, link: owner, now: now)
            }
        default: break
        }
    }

    /// A packet came over a TCP connection.
    func receive(packet: [UInt8], connection: UInt32, now: Instant) {
        route(packet, link: streams.links.link(connection: connection), now: now)
    }

    /// A packet from the host for the node at `address`.
    func sendFromHost(to address: IPv6Address, now: Instant) {
        let hop = lookup(address)
        if hop.kind == .none { notices.append(Notice(.routeNeeded, prefix: address.high)) }
        guard hop.kind == .link, let peer = peerStates[hop.peer] else { return }
        if let slot = peer.slot {
            sendFlow(hop.peer, under: slot, isData: true, now: now)
        } else {
            notices.append(Notice(.flowNeeded, id: hop.peer))
        }
    }

    /// Every 50 ms: keepalives, questions for a sign of life, and silence.
    func tick(now: Instant) {
        for id in linkStates.keys.sorted() {
            guard let state = linkStates[id] else { continue }
            let waiting = state.unansweredSince.map { now.milliseconds(since: $0) }
            if let waiting, state.asks < 5, waiting >= 150 + 100 * state.asks {
                sendLink(id, under: nil, [0x80, 0, 0], now: now)
                linkStates[id]?.asks += 1
            } else if let owed = state.owedSince, now.milliseconds(since: owed) >= 50 {
                sendLink(id, under: nil, [], now: now)
            }
            if let waiting, waiting >= 600 + state.roundTrip {
                notices.append(Notice(.linkSilent, id: id))
                linkStates[id]?.unansweredSince = now
                linkStates[id]?.asks = 5
            }
        }
        for id in peerStates.keys.sorted() {
            if let since = peerStates[id]?.unansweredSince, now.milliseconds(since: since) >= 850 {
                notices.append(Notice(.flowSilent, id: id))
                peerStates[id]?.unansweredSince = now
            }
        }
    }

    // MARK: - Packets

    private func sendLink(_ id: UInt32, under given: UInt32?, _ inner: [UInt8], now: Instant) {
        guard let state = linkStates[id], let slot = given ?? state.slot else { return }
        let record = links.table.record(slot).pointee
        guard links.table.use(slot).pointee.installed == 1, now < record.rejectAt else { return }
        if now >= record.rekeyAt, links.table.use(slot).pointee.rekeyAsked == 0 {
            links.table.use(slot).pointee.rekeyAsked = 1
            notices.append(Notice(.linkRekeyDue, id: id, slot: slot))
        }
        var message = [UInt8](repeating: 0, count: 16)
        message.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            LinkHeader.write(base, type: 4, lane: 0, index: record.remoteIndex, counter: 0)
        }
        linkStates[id]?.owedSince = nil
        if !inner.isEmpty, state.unansweredSince == nil { linkStates[id]?.unansweredSince = now }
        datagrams.append((state.endpoint, message + links.sendKey(slot) + inner))
    }

    private func sendFlow(_ id: UInt32, under slot: UInt32, isData: Bool, now: Instant) {
        guard let peer = peerStates[id] else { return }
        let record = flows.table.record(slot).pointee
        guard flows.table.use(slot).pointee.installed == 1, now < record.rejectAt else { return }
        if isData, now >= record.rekeyAt, flows.table.use(slot).pointee.rekeyAsked == 0 {
            flows.table.use(slot).pointee.rekeyAsked = 1
            notices.append(Notice(.flowRekeyDue, id: id, slot: slot))
        }
        if isData, peer.unansweredSince == nil { peerStates[id]?.unansweredSince = now }
        var packet = [UInt8](repeating: 0, count: RoutingHeader.size)
        packet.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            RoutingHeader.write(
                base, kind: .data, hopLimit: 64, flowHash: 0, index: record.remoteIndex, source: own,
                destination: peer.address)
        }
        route(packet + flows.sendKey(slot) + [isData ? 1 : 0], link: .max, now: now)
    }

    private func route(_ packet: [UInt8], link: UInt32, now: Instant) {
        guard packet.count >= RoutingHeader.size, packet[1] >= 2 else { return }
        var packet = packet
        let kind = RoutingHeader.Kind(rawValue: packet[0] >> 4)
        let index = packet[4..<8].reversed().reduce(0 as UInt32) { $0 << 8 | UInt32($1) }
        guard let source = IPv6Address(bytes: packet[16..<32]), let destination = IPv6Address(bytes: packet[32..<48])
        else { return }
        packet[1] -= 1
        let hop = lookup(destination)
        switch hop.kind {
        case .link where streams.links.isStream(hop.link): streams.send(packet: packet, link: hop.link)
        case .link: sendLink(hop.link, under: nil, packet, now: now)
        case .local where kind != .data:
            guard destination == own, link != .max else { return }
            punts.append((PuntedPacket(kind: .overlay, length: packet.count, link: link), packet))
        case .local:
            guard packet.count == RoutingHeader.size + 33, let slot = flows.table.slot(index: index),
                Array(packet[48..<80]) == flows.receiveKey(slot)
            else { return }
            let owner = flows.table.record(slot).pointee.owner
            guard peerStates[owner]?.address == source else { return }
            if flows.table.use(slot).pointee.confirmed == 0 {
                flows.table.use(slot).pointee.confirmed = 1
                notices.append(Notice(.flowSessionConfirmed, id: owner, slot: slot))
            }
            peerStates[owner]?.unansweredSince = nil
            if packet[80] == 1 {
                received.append(source)
                // The receiver of data answers at once here.
                if let answer = peerStates[owner]?.slot { sendFlow(owner, under: answer, isData: false, now: now) }
            }
        default: break
        }
    }
}
