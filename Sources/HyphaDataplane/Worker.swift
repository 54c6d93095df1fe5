import CAEAD
public import HyphaBase
import HyphaFIB
public import HyphaInterchange
public import HyphaPacket
import HyphaSession
import HyphaWire

/// One forwarding worker: takes packets in, runs them through the stages to completion, sends them.
///
/// | step | from a link | from the TUN |
/// |---|---|---|
/// | 1 | `classify` | `classifyTun` |
/// | 2 | `openLink`, `admit` | `buildFrames` |
/// | 3 | `route` | |
/// | 4 | `openFlow` (packets for this node) | `sealFlow` |
/// | 5 | `stamp`, `sealLink` (packets for others) | `stamp`, `sealLink` |
/// | 6 | `Departures.send` | `Departures.send` |
///
/// Nothing here knows the kernel or a clock: packets come and go through `PacketIO`, time comes in. A turn allocates
/// nothing, takes no lock and counts no references. Owned by one thread.
public struct Worker: ~Copyable {
    /// Receives taken in one turn at most; what is left waits in the kernel.
    static let maxArrivals = 16

    let port: WorkerPort
    private let pool: PacketPool
    private let counters: WorkerCounters
    private var context: StageContext
    private var commands: RingConsumer
    private var injected: RingConsumer
    private var punts: PuntRings
    private var rejections: Rejections
    private var departures: Departures
    private var parking: Parking
    private var slab: FrameSlab
    private let scratch: RouteScratch
    private var vector: PacketVector
    private let arrivals: UnsafeMutablePointer<Arrival>
    /// Arrivals whose buffers the vector points into.
    private let held: UnsafeMutablePointer<UInt32>
    private var heldCount = 0
    /// One past the highest link and peer ids seen.
    private var linkLimit: UInt32 = 0
    private var peerLimit: UInt32 = 0
    private var livenessPending = false
    private var nextTick = Instant.distantFuture
    private var nextCopy = Instant.zero
    private var isDraining = false
    /// True once drained: nothing is in flight or waits, the loop may end.
    public private(set) var isDrained = false

    /// A worker over memory that the caller owns. `pool` and `counters` are shared with the worker's `PacketIO`.
    public init(_ configuration: WorkerConfiguration, port: WorkerPort, pool: PacketPool, counters: WorkerCounters) {
        let jobs = UnsafeMutablePointer<caead_job>.allocate(capacity: PacketVector.capacity)
        UnsafeMutableRawPointer(jobs).initializeMemory(
            as: UInt8.self, repeating: 0, count: MemoryLayout<caead_job>.stride * PacketVector.capacity)
        let jobPackets = UnsafeMutablePointer<UInt16>.allocate(capacity: PacketVector.capacity)
        jobPackets.initialize(repeating: 0, count: PacketVector.capacity)
        let arrivals = UnsafeMutablePointer<Arrival>.allocate(capacity: Worker.maxArrivals)
        arrivals.initialize(
            repeating: Arrival(source: .udp, buffer: 0, offset: 0, length: 0), count: Worker.maxArrivals)
        let held = UnsafeMutablePointer<UInt32>.allocate(capacity: Worker.maxArrivals)
        held.initialize(repeating: 0, count: Worker.maxArrivals)
        self.port = port
        self.pool = pool
        self.counters = counters
        self.arrivals = arrivals
        self.held = held
        commands = port.commands.makeConsumer()
        injected = port.injected.makeConsumer()
        punts = PuntRings(port)
        rejections = Rejections(pool: pool, counters: counters)
        departures = Departures(pool: pool, counters: counters)
        parking = Parking(pool: pool, counters: counters, limit: configuration.parkedPackets)
        slab = FrameSlab(pool: pool)
        scratch = RouteScratch()
        vector = PacketVector()
        context = StageContext(
            pool: pool, counters: counters, linkSessions: port.linkSessions, flowSessions: port.flowSessions,
            links: LinkTable(capacity: configuration.maxLinks), peers: PeerTable(capacity: configuration.maxPeers),
            aead: configuration.aead, jobs: jobs, jobPackets: jobPackets, ownAddress: configuration.ownAddress,
            entryMode: configuration.entryMode, dataLane: 1, fib: port.snapshots.take(), now: .zero, second: 0)
    }

    deinit {
        context.links.deallocate()
        context.peers.deallocate()
        context.jobs.deallocate()
        context.jobPackets.deallocate()
        rejections.deallocate()
        departures.deallocate()
        slab.deallocate()
        scratch.deallocate()
        vector.deallocate()
        arrivals.deallocate()
        held.deallocate()
    }

    /// Packets that wait inside the worker (parked for a session).
    public var waiting: Int { parking.packets }

    /// When the next turn is due though nothing arrives.
    public var nextDeadline: Instant { nextTick }

    /// One bounded pass over everything that came in. True when there was anything: call again before sleeping.
    public mutating func turn<IO: PacketIO & ~Copyable>(_ io: inout IO, now: Instant) -> TurnResult {
        context.now = now
        context.second = now.nanoseconds / 1_000_000_000
        context.fib = port.snapshots.take()
        counters.add(.turns)
        var busy = takeCommands(&io)
        busy = takeInjected(&io) || busy
        let count = io.receive(into: UnsafeMutableBufferPointer(start: arrivals, count: Worker.maxArrivals))
        if count > 0 {
            busy = true
            if isDraining { refuse(count) } else { take(count, &io) }
        }
        answer(&io)
        if now >= nextTick { tick(&io) }
        departures.flush(context, &io)
        slab.releaseFull()
        io.submit()
        scheduleTick()
        if isDraining, !isDrained, io.inFlight == 0, parking.packets == 0 {
            isDrained = true
            punts.notice(.drained)
        }
        let wake = punts.publish()
        if now >= nextCopy || !busy || isDrained {
            port.counters.copy(counters, waiting: parking.packets + io.inFlight)
            nextCopy = now.advanced(byMilliseconds: 100)
        }
        return TurnResult(isBusy: busy, mustWakeControl: wake)
    }

    /// Before sleeping: true when control has put something into the rings meanwhile. Announces that the worker holds
    /// no snapshot while it sleeps.
    public mutating func prepareToSleep() -> Bool {
        port.workerGoesToSleep()
        guard commands.isEmpty(), injected.isEmpty() else {
            port.workerIsAwake()
            return false
        }
        counters.add(.waits)
        port.snapshots.goOffline()
        return true
    }

    /// After sleeping.
    public func wakeUp() { port.workerIsAwake() }
}

// MARK: - Arrivals

extension Worker {
    private mutating func refuse(_ count: Int) {
        for i in 0..<count {
            let packets = arrivals[i].packetCount
            counters.add(.received, packets)
            counters.drop(.shutdown, packets)
            pool.release(arrivals[i].buffer)
        }
    }

    private mutating func take<IO: PacketIO & ~Copyable>(_ count: Int, _ io: inout IO) {
        // Datagrams first, then the TUN: a vector holds packets of one kind.
        for i in 0..<count where arrivals[i].source == .udp { takeDatagrams(arrivals[i], &io) }
        runLinkVector(&io)
        for i in 0..<count where arrivals[i].source == .tun {
            let arrival = arrivals[i]
            let bytes = pool.base(arrival.buffer) + Int(arrival.offset)
            takeInner(bytes, length: Int(arrival.length), origin: .tun, &io)
            pool.release(arrival.buffer)
        }
        runEntryVector(&io)
    }

    /// Cuts a receive into its datagrams, and runs the vector whenever it is full.
    private mutating func takeDatagrams<IO: PacketIO & ~Copyable>(_ arrival: Arrival, _ io: inout IO) {
        counters.add(.receives)
        counters.add(.receivedBytes, Int(arrival.length))
        held[heldCount] = arrival.buffer
        heldCount += 1
        let stride = arrival.segmentSize == 0 ? arrival.length : UInt32(arrival.segmentSize)
        var offset: UInt32 = 0
        var start = vector.count
        repeat {
            if vector.isFull {
                classify(
                    vector, from: start, sender: arrival.sender, socket: arrival.socket, context, &punts)
                // The buffer at hand is still being cut.
                heldCount -= 1
                runLinkVector(&io)
                held[heldCount] = arrival.buffer
                heldCount += 1
                start = 0
            }
            let length = min(stride, arrival.length &- offset)
            vector.append(Descriptor(buffer: arrival.buffer, offset: arrival.offset &+ offset, length: length))
            counters.add(.received)
            offset &+= max(1, stride)
        } while offset < arrival.length
        classify(vector, from: start, sender: arrival.sender, socket: arrival.socket, context, &punts)
    }

    /// Steps 2 to 6 for classified datagrams.
    private mutating func runLinkVector<IO: PacketIO & ~Copyable>(_ io: inout IO) {
        if vector.count > 0 {
            openLink(vector, context)
            livenessPending = admit(vector, context, &punts) || livenessPending
            route(vector, scratch, context, &punts, &rejections)
            livenessPending =
                openFlow(vector, context, &punts, &rejections, hasTun: io.hasTun) || livenessPending
            livenessPending = stamp(vector, context, &punts) || livenessPending
            sealLink(vector, context)
            departures.send(vector, context, &io)
            vector.removeAll()
        }
        for i in 0..<heldCount { pool.release(held[i]) }
        heldCount = 0
    }
}

// MARK: - Packets that enter the overlay here

extension Worker {
    /// Where an inner packet came from, for counting.
    enum InnerOrigin {
        case tun, own, parked
    }

    /// One read of the TUN, or something like it: decide, then build frames for all its segments.
    private mutating func takeInner<IO: PacketIO & ~Copyable>(
        _ bytes: UnsafeMutableRawPointer, length: Int, origin: InnerOrigin, _ io: inout IO
    ) {
        guard let packet = TunPacket(bytes, length: length) else {
            count(origin, segments: 1, length: length)
            // Multicast and IPv4 that the kernel sends to every interface are no fault.
            let isIPv6 = length > VirtioHeader.size && bytes.load(fromByteOffset: 10, as: UInt8.self) >> 4 == 6
            counters.drop(isIPv6 ? .badPacket : .notOverlay)
            return
        }
        count(origin, segments: packet.segments, length: packet.length)
        switch classifyTun(packet, context, &punts, &rejections) {
        case .drop(let reason): counters.drop(reason, packet.segments)
        case .wait(let id):
            if let peer = context.peers[id] {
                parking.park(bytes, length: length, segments: packet.segments, for: peer, now: context.now)
                livenessPending = true
            }
        case .enter(let entry):
            var next = 0
            var failures = 0
            while next < packet.segments {
                let before = next
                next = buildFrames(packet, from: next, entry, &vector, &slab, context)
                if next < packet.segments { runEntryVector(&io) }
                failures = next == before ? failures + 1 : 0
                if failures == 2 {
                    counters.drop(.noBuffer, packet.segments - next)
                    return
                }
            }
        }
    }

    private func count(_ origin: InnerOrigin, segments: Int, length: Int) {
        switch origin {
        case .tun:
            counters.add(.received, segments)
            counters.add(.tunReceived, segments)
            counters.add(.tunReceivedBytes, length)
        case .own: counters.add(.injected, segments)
        case .parked: break
        }
    }

    /// Steps 4 to 6 for frames built here.
    private mutating func runEntryVector<IO: PacketIO & ~Copyable>(_ io: inout IO) {
        if vector.count > 0 {
            sealFlow(vector, context, &punts)
            livenessPending = stamp(vector, context, &punts) || livenessPending
            sealLink(vector, context)
            departures.send(vector, context, &io)
            vector.removeAll()
        }
        // Full slabs go back only when no open train points into them without a reference: trains hold their own.
        slab.releaseFull()
    }

    /// What waits for a peer goes out.
    private mutating func releaseParked<IO: PacketIO & ~Copyable>(
        _ peer: UnsafeMutablePointer<PeerRecord>, _ io: inout IO
    ) {
        var left = Int(Parking.perPeer)
        while left > 0, let parked = parking.takeFirst(peer) {
            left -= 1
            takeInner(
                pool.base(parked.slot) + Parking.packetOffset, length: parked.length,
                origin: .parked, &io)
            pool.release(parked.slot)
        }
        runEntryVector(&io)
    }
}

// MARK: - Packets made here

extension Worker {
    /// Sends the errors that the turn produced.
    private mutating func answer<IO: PacketIO & ~Copyable>(_ io: inout IO) {
        var i = 0
        while i < rejections.innerCount {
            let piece = rejections.inner[i]
            takeInner(
                pool.base(piece.buffer) + Int(piece.offset), length: Int(piece.length), origin: .own, &io)
            pool.release(piece.buffer)
            i += 1
        }
        rejections.innerCount = 0
        runEntryVector(&io)
        runOwnVector(&io)
    }

    /// Frames in slots: overlay packets to be routed, link messages, packets for the TUN. Their source is this node, so
    /// `route` makes no answers about them.
    private mutating func runOwnVector<IO: PacketIO & ~Copyable>(_ io: inout IO) {
        let own = rejections.own
        guard own.count > 0 else { return }
        route(own, scratch, context, &punts, &rejections)
        sealFlow(own, context, &punts)
        livenessPending = stamp(own, context, &punts) || livenessPending
        sealLink(own, context)
        departures.send(own, context, &io)
        for i in 0..<own.count { pool.release(own.packets[i].buffer) }
        rejections.own.removeAll()
    }

    /// A frame in a slot, `length` bytes of it for `fill` between link header and link tag. Nil when no slot is free.
    private mutating func makeFrame(_ length: Int) -> (frame: Descriptor, bytes: UnsafeMutableRawPointer)? {
        guard !rejections.own.isFull, let slot = pool.takeSlot() else { return nil }
        let frame = Descriptor(
            buffer: slot, offset: UInt32(Rejections.frameOffset),
            length: UInt32(LinkHeader.size + length + LinkHeader.tagSize), mode: .full)
        counters.add(.injected)
        return (frame, pool.base(slot) + Rejections.frameOffset + LinkHeader.size)
    }

    /// A message to the neighbour on a link, under its session in use or under the one in `slot`.
    private mutating func sendLinkMessage(
        _ id: UInt32, under slot: UInt32 = .max, _ bytes: UnsafeRawPointer? = nil, length: Int = 0
    ) {
        guard let made = makeFrame(length) else { return }
        var frame = made.frame
        if let bytes { made.bytes.copyMemory(from: bytes, byteCount: length) }
        frame.link = id
        frame.counter = slot == .max ? 0 : UInt64(slot) + 1
        frame.disposition = .forward
        rejections.own.append(frame)
        if length == 0 { counters.add(.keepalivesSent) }
    }

    /// An empty control body to an end-to-end peer, under the session in `slot`.
    private mutating func sendFlowKeepalive(_ peer: UnsafeMutablePointer<PeerRecord>, under slot: UInt32) {
        let plain = 16
        guard let made = makeFrame(RoutingHeader.size + plain + FlowBody.tagSize) else { return }
        var frame = made.frame
        let place = made.bytes
        RoutingHeader.write(
            place, kind: .data, hopLimit: RoutingHeader.defaultHopLimit, flowHash: 0, source: context.ownAddress,
            destination: peer.pointee.address)
        let body = place + RoutingHeader.size
        body.initializeMemory(as: UInt8.self, repeating: 0, count: plain)
        body.storeBytes(of: UInt8(plain - 1) << 4 | FlowBody.Kind.control.rawValue, as: UInt8.self)
        frame.flow = slot
        rejections.own.append(frame)
        counters.add(.keepalivesSent)
    }
}

// MARK: - Time

extension Worker {
    /// Keepalives that are owed, silence that control should know of, parked packets that are too old.
    private mutating func tick<IO: PacketIO & ~Copyable>(_ io: inout IO) {
        let now = context.now
        var pending = false
        for id in 0..<linkLimit {
            guard let link = context.links[id], link.pointee.exists != 0, link.pointee.liveness.isPending else {
                continue
            }
            if link.pointee.liveness.owesKeepalive(now: now) {
                link.pointee.liveness.owedSince = .zero
                if link.pointee.sendSlot != .max { sendLinkMessage(id) }
            }
            if link.pointee.liveness.isSilent(now: now) {
                punts.notice(.linkSilent, id: id)
                link.pointee.liveness.unansweredSince = now
            }
            pending = pending || link.pointee.liveness.isPending
        }
        for id in 0..<peerLimit {
            guard let peer = context.peers[id], peer.pointee.exists != 0 else { continue }
            if peer.pointee.parkedCount > 0 {
                parking.expire(peer, now: now)
                pending = true
            }
            guard peer.pointee.liveness.isPending else { continue }
            if peer.pointee.liveness.owesKeepalive(now: now) {
                peer.pointee.liveness.owedSince = .zero
                if peer.pointee.sendSlot != .max { sendFlowKeepalive(peer, under: peer.pointee.sendSlot) }
            }
            if peer.pointee.liveness.isSilent(now: now) {
                punts.notice(.flowSilent, id: id)
                peer.pointee.liveness.unansweredSince = now
            }
            pending = pending || peer.pointee.liveness.isPending
        }
        runOwnVector(&io)
        livenessPending = pending
        nextTick = .distantFuture
    }

    private mutating func scheduleTick() {
        if livenessPending, nextTick == .distantFuture {
            nextTick = context.now.advanced(byMilliseconds: Liveness.tickMilliseconds)
        }
    }
}

// MARK: - Control

extension Worker {
    /// Packets that control made. At most as many as a vector holds in one turn.
    private mutating func takeInjected<IO: PacketIO & ~Copyable>(_ io: inout IO) -> Bool {
        var any = false
        var left = PacketVector.capacity / 2
        while left > 0, !rejections.own.isFull, let record = injected.peek() {
            left -= 1
            any = true
            let head = record.load(as: InjectedPacket.self)
            let length = min(Int(head.length), InjectedPacket.maxPacket)
            let bytes = UnsafeRawPointer(record + InjectedPacket.headSize)
            switch head.kind {
            case .datagram: sendDatagram(bytes, length: length, head, &io)
            case .overlay:
                if let (frame, place) = makeFrame(length) {
                    place.copyMemory(from: bytes, byteCount: length)
                    rejections.own.append(frame)
                }
            case .linkControl: sendLinkMessage(head.link, bytes, length: length)
            }
            injected.advance()
        }
        injected.release()
        runOwnVector(&io)
        return any
    }

    /// A ready datagram as a train of one.
    private mutating func sendDatagram<IO: PacketIO & ~Copyable>(
        _ bytes: UnsafeRawPointer, length: Int, _ head: InjectedPacket, _ io: inout IO
    ) {
        counters.add(.injected)
        guard let slot = pool.takeSlot() else {
            counters.drop(.noBuffer)
            return
        }
        (pool.base(slot) + Rejections.frameOffset).copyMemory(from: bytes, byteCount: length)
        departures.sendDatagram(
            slot, offset: Rejections.frameOffset, length: length, to: head.destination, socket: head.socket, &io)
    }

    private mutating func takeCommands<IO: PacketIO & ~Copyable>(_ io: inout IO) -> Bool {
        var any = false
        while let record = commands.peek() {
            any = true
            let command = record.load(as: WorkerCommand.self)
            commands.advance()
            apply(command, &io)
        }
        commands.release()
        if any { runOwnVector(&io) }
        return any
    }

    private mutating func apply<IO: PacketIO & ~Copyable>(_ command: WorkerCommand, _ io: inout IO) {
        if rejections.own.count > PacketVector.capacity / 2 { runOwnVector(&io) }
        switch command.operation {
        case .setLink:
            guard let link = context.links[command.id] else { return }
            if link.pointee.exists == 0 { link.initialize(to: LinkRecord()) }
            link.pointee.exists = 1
            link.pointee.endpoint = command.endpoint
            link.pointee.socket = command.socket
            link.pointee.mtu = command.value & 0xFFFF
            link.pointee.fullOnly = command.value >> 16 != 0 ? 1 : 0
            linkLimit = max(linkLimit, command.id + 1)
        case .removeLink:
            guard let link = context.links[command.id] else { return }
            departures.flush(context, &io)
            link.initialize(to: LinkRecord())
        case .installLinkSession: context.linkSessions.use(command.slot).pointee.installed = 1
        case .sendWithLinkSession:
            guard let link = context.links[command.id] else { return }
            link.pointee.sendSlot = command.slot
            link.pointee.liveness.unansweredSince = .zero
        case .retireLinkSession:
            let owner = context.linkSessions.record(command.slot).pointee.owner
            if let link = context.links[owner], link.pointee.sendSlot == command.slot { link.pointee.sendSlot = .max }
            context.linkSessions.retire(command.slot)
            punts.notice(.linkSessionRetired, id: owner, slot: command.slot)
        case .confirmLinkSession:
            sendLinkMessage(context.linkSessions.record(command.slot).pointee.owner, under: command.slot)
        case .probeLink:
            // An empty PAD: nothing in it, but it asks for a sign of life.
            let pad: (UInt8, UInt8, UInt8) = (0x80, 0, 0)
            if let link = context.links[command.id], link.pointee.sendSlot != .max {
                withUnsafeBytes(of: pad) { sendLinkMessage(command.id, $0.baseAddress, length: 3) }
            }
        case .setPeer:
            guard let peer = context.peers[command.id] else { return }
            if peer.pointee.exists == 0 { peer.initialize(to: PeerRecord()) }
            peer.pointee.exists = 1
            peer.pointee.address = command.endpoint.address
            peer.pointee.ownsPrefix = command.value == 1 ? 1 : 0
            peerLimit = max(peerLimit, command.id + 1)
        case .removePeer:
            guard let peer = context.peers[command.id] else { return }
            parking.dropAll(peer, .noRoute)
            peer.initialize(to: PeerRecord())
        case .installFlowSession: context.flowSessions.use(command.slot).pointee.installed = 1
        case .sendWithFlowSession:
            guard let peer = context.peers[command.id] else { return }
            peer.pointee.sendSlot = command.slot
            peer.pointee.asked = .zero
            peer.pointee.liveness.unansweredSince = .zero
            releaseParked(peer, &io)
        case .retireFlowSession:
            let owner = context.flowSessions.record(command.slot).pointee.owner
            if let peer = context.peers[owner], peer.pointee.sendSlot == command.slot { peer.pointee.sendSlot = .max }
            context.flowSessions.retire(command.slot)
            punts.notice(.flowSessionRetired, id: owner, slot: command.slot)
        case .confirmFlowSession:
            if let peer = context.peers[context.flowSessions.record(command.slot).pointee.owner] {
                sendFlowKeepalive(peer, under: command.slot)
            }
        case .rejectParked:
            guard let peer = context.peers[command.id] else { return }
            peer.pointee.asked = .zero
            rejectParked(peer)
        case .drain:
            isDraining = true
            for id in 0..<peerLimit {
                if let peer = context.peers[id] { parking.dropAll(peer, .shutdown) }
            }
        }
    }

    /// No session can be made: everything that waits is answered with ICMPv6 address unreachable.
    private mutating func rejectParked(_ peer: UnsafeMutablePointer<PeerRecord>) {
        while let parked = parking.takeFirst(peer) {
            let start = pool.base(parked.slot) + Parking.packetOffset + VirtioHeader.size
            rejections.localError(
                .addressUnreachable,
                about: UnsafeRawBufferPointer(start: start, count: parked.length - VirtioHeader.size), context)
            counters.drop(.noRoute, parked.segments)
            pool.release(parked.slot)
        }
    }
}
