import CAEAD
public import HyphaBase
import HyphaFIB
public import HyphaInterchange
public import HyphaPacket
import HyphaSession
import HyphaWire

/// One forwarding worker: takes packets in, runs them through the stages to completion, sends them.
///
/// | step | from an HL1 link | from a TCP link | from the TUN |
/// |---|---|---|---|
/// | 1 | `classify` | `StreamHub.next` | `classifyTun` |
/// | 2 | `openLink`, `admit` | | `buildFrames` |
/// | 3 | `route` | `route` | |
/// | 4 | `openStock`, `openFlow` (packets for this node) | the same | `sealFlow`, `sealStock` |
/// | 5 | `split` (stock bodies that are too large), `stamp`, `sealLink` | `reframeForLinks`, the same | the same |
/// | 6 | `Departures.send` | `Departures.send` | `Departures.send` |
///
/// Nothing here knows the kernel or a clock: packets come and go through `PacketIO`, time comes in. A turn allocates
/// nothing, takes no lock and counts no references. Owned by one thread.
public struct Worker: ~Copyable {
    /// Receives taken in one turn at most; what is left waits in the kernel.
    static let maxArrivals = 16

    let port: WorkerPort
    let pool: PacketPool
    let counters: WorkerCounters
    var context: StageContext
    var commands: RingConsumer
    var injected: RingConsumer
    var punts: PuntRings
    var rejections: Rejections
    var departures: Departures
    var parking: Parking
    var streams: Streams
    var reassembly: Reassembly
    var routes: RouteParking
    var stock: StockEnds
    var slab: FrameSlab
    /// Where pieces become packets and packets become pieces.
    var fragmentSlab: FrameSlab
    let scratch: RouteScratch
    let hints: ErrorHints
    var vector: PacketVector
    /// Packets of a vector from the first one on that leaves in pieces.
    var pieces: PacketVector
    let arrivals: UnsafeMutablePointer<Arrival>
    /// Arrivals whose buffers the vector points into.
    let held: UnsafeMutablePointer<UInt32>
    var heldCount = 0
    /// One past the highest link and peer ids seen.
    var linkLimit: UInt32 = 0
    var peerLimit: UInt32 = 0
    var livenessPending = false
    var nextTick = Instant.distantFuture
    var nextCopy = Instant.zero
    var isDraining = false
    /// True once drained: nothing is in flight or waits, the loop may end.
    public internal(set) var isDrained = false

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
        streams = Streams(configuration, pool: pool)
        reassembly = Reassembly(pool: pool, counters: counters, links: configuration.maxLinks)
        routes = RouteParking(
            pool: pool, counters: counters,
            RouteParking.Bounds(prefixes: 256, packets: configuration.parkedPackets, timeoutMilliseconds: 16_000))
        stock = StockEnds(configuration.stock, pool: pool, counters: counters)
        slab = FrameSlab(pool: pool)
        fragmentSlab = FrameSlab(pool: pool)
        scratch = RouteScratch()
        hints = ErrorHints()
        vector = PacketVector()
        pieces = PacketVector()
        context = StageContext(
            pool: pool, counters: counters, linkSessions: port.linkSessions, flowSessions: port.flowSessions,
            links: LinkTable(capacity: configuration.links.count), peers: PeerTable(capacity: configuration.maxPeers),
            aead: configuration.aead, jobs: jobs, jobPackets: jobPackets, ownAddress: configuration.ownAddress,
            entryMode: configuration.entryMode, dataLane: 1, asksForRoutes: configuration.asksForRoutes,
            fib: port.snapshots.take(), now: .zero, second: 0)
    }

    deinit {
        context.links.deallocate()
        context.peers.deallocate()
        context.jobs.deallocate()
        context.jobPackets.deallocate()
        context.routeUse.deallocate()
        rejections.deallocate()
        departures.deallocate()
        reassembly.deallocate()
        routes.deallocate()
        stock.deallocate()
        slab.deallocate()
        fragmentSlab.deallocate()
        scratch.deallocate()
        hints.deallocate()
        vector.deallocate()
        pieces.deallocate()
        arrivals.deallocate()
        held.deallocate()
    }

    /// Bytes on the wire (UDP payload) of an inner packet of `innerLength` bytes that enters the overlay.
    public static func wireSize(innerLength: Int) -> Int { frameSize(innerLength: innerLength) }

    /// Slots that pieces of packets may fill while they wait: the pool needs as many beyond those for other things.
    public static var fragmentSlots: Int { Reassembly.capacity }

    /// Slots in which control frames of so many TCP connections, and what is behind them, may wait for control.
    public static func pauseSlots(connections: Int) -> Int { StreamPauses.slots(connections: connections) }

    /// Packets that wait inside the worker: for a session, for a route, for the key of their source, for the other piece,
    /// or in the queues of TCP links.
    public var waiting: Int {
        parking.packets &+ routes.packets &+ stock.waiting.packets &+ reassembly.waiting &+ streams.waiting
    }

    /// When the next turn is due though nothing arrives.
    public var nextDeadline: Instant {
        let next = min(nextTick, streams.nextDeadline)
        // Control wakes nobody when it has made room.
        return streams.pauses.count > 0 ? min(next, context.now.advanced(byMilliseconds: 1)) : next
    }

    /// One bounded pass over everything that came in. True when there was anything: call again before sleeping.
    public mutating func turn<IO: StreamIO & ~Copyable>(_ io: inout IO, now: Instant) -> TurnResult {
        context.now = now
        context.second = now.nanoseconds / 1_000_000_000
        context.fib = port.snapshots.take()
        counters.add(.turns)
        var busy = takeCommands(&io)
        busy = takeInjected(&io) || busy
        if streams.pauses.count > 0 { resumeStreams(&io) }
        let count = io.receive(into: UnsafeMutableBufferPointer(start: arrivals, count: Worker.maxArrivals))
        if count > 0 {
            busy = true
            if isDraining { refuse(count) } else { take(count, &io) }
        }
        busy = takeConnectionEvents(&io) || busy
        answer(&io)
        if now >= nextTick { tick(&io) }
        driveStreams(&io)
        departures.flush(context, &io)
        slab.releaseFull()
        fragmentSlab.releaseFull()
        io.submit()
        scheduleTick()
        if isDraining, !isDrained, io.inFlight == 0, waiting == 0 {
            isDrained = punts.notice(.drained)
        }
        context.routeUse.tell(&punts)
        let wake = punts.publish()
        if now >= nextCopy || !busy || isDrained {
            port.counters.copy(counters, waiting: waiting + io.inFlight)
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
        port.snapshots.goOffline()
        return true
    }

    /// After sleeping.
    public func wakeUp() { port.workerIsAwake() }
}

// MARK: - Arrivals

extension Worker {
    mutating func refuse(_ count: Int) {
        for i in 0..<count {
            let packets = arrivals[i].packetCount
            counters.add(.received, packets)
            counters.drop(.shutdown, packets)
            pool.release(arrivals[i].buffer)
        }
    }

    mutating func take<IO: StreamIO & ~Copyable>(_ count: Int, _ io: inout IO) {
        // Datagrams first, then streams, then the TUN: a vector holds packets of one kind.
        for i in 0..<count where arrivals[i].source == .udp { takeDatagrams(arrivals[i], &io) }
        runLinkVector(&io)
        takeStreams(count, &io)
        for i in 0..<count where arrivals[i].source == .tun {
            let arrival = arrivals[i]
            let bytes = pool.base(arrival.buffer) + Int(arrival.offset)
            takeInner(bytes, length: Int(arrival.length), origin: .tun, &io)
            pool.release(arrival.buffer)
        }
        runEntryVector(&io)
    }

    /// Cuts a receive into its datagrams, and runs the vector whenever it is full.
    mutating func takeDatagrams<IO: StreamIO & ~Copyable>(_ arrival: Arrival, _ io: inout IO) {
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
    mutating func runLinkVector<IO: StreamIO & ~Copyable>(_ io: inout IO) {
        if vector.count > 0 {
            openLink(vector, context)
            livenessPending = admit(vector, context, &punts, &reassembly, &fragmentSlab) || livenessPending
            runRouted(&io)
            reassembly.releaseWholes()
        }
        for i in 0..<heldCount { pool.release(held[i]) }
        heldCount = 0
    }

    /// Steps 3 to 6 for opened packets.
    mutating func runRouted<IO: StreamIO & ~Copyable>(_ io: inout IO) {
        route(vector, scratch, context, &punts, &rejections, hints, &stock)
        openStock(vector, &stock, context, &punts, &rejections, hints, hasTun: io.hasTun)
        livenessPending =
            openFlow(vector, context, &punts, &rejections, hasTun: io.hasTun) || livenessPending
        reframeForLinks(vector, &slab, context)
        leave(vector, &io)
        vector.removeAll()
    }

    /// Steps 5 and 6. From the first packet on that leaves in pieces all go through `pieces`, so that order is kept.
    mutating func leave<IO: StreamIO & ~Copyable>(_ vector: PacketVector, _ io: inout IO) {
        var next = firstTooLarge(vector, context)
        var ready = vector
        ready.count = next
        depart(ready, &io)
        while next < vector.count {
            next = split(vector, from: next, into: &pieces, &fragmentSlab, context)
            depart(pieces, &io)
            pieces.removeAll()
            fragmentSlab.releaseFull()
        }
    }

    mutating func depart<IO: StreamIO & ~Copyable>(_ vector: PacketVector, _ io: inout IO) {
        livenessPending = stamp(vector, context, &punts) || livenessPending
        sealLink(vector, context)
        departures.send(vector, context, &streams, &io)
    }
}

// MARK: - Packets that enter the overlay here

extension Worker {
    /// One read of the TUN, or something like it: decide, then build frames for all its segments.
    mutating func takeInner<IO: StreamIO & ~Copyable>(
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
        switch classifyTun(packet, from: origin, &stock, context, &rejections) {
        case .drop(let reason): counters.drop(reason, packet.segments)
        case .negotiate(let id): negotiate(packet, bytes, length: length, peer: id, &io)
        case .awaitRoute(let prefix):
            awaitRoute(bytes, length: length, packets: packet.segments, for: prefix)
        case .enter(let entry):
            var next = 0
            var failures = 0
            while next < packet.segments {
                let before = next
                next =
                    entry.isStock
                    ? buildStockFrames(packet, from: next, entry, &vector, &slab, stock, context)
                    : buildFrames(packet, from: next, entry, &vector, &slab, context)
                if next < packet.segments { runEntryVector(&io) }
                failures = next == before ? failures + 1 : 0
                if failures == 2 {
                    counters.drop(.noBuffer, packet.segments - next)
                    return
                }
            }
        }
    }

    func count(_ origin: InnerOrigin, segments: Int, length: Int) {
        switch origin {
        case .tun:
            counters.add(.received, segments)
            counters.add(.tunReceived, segments)
            counters.add(.tunReceivedBytes, length)
        case .own: counters.add(.injected, segments)
        case .parked, .released, .routed: break
        }
    }

    /// Steps 4 to 6 for frames built here.
    mutating func runEntryVector<IO: StreamIO & ~Copyable>(_ io: inout IO) {
        if vector.count > 0 {
            sealFlow(vector, context, &punts, hints)
            sealStock(vector, &stock, context, &punts)
            leave(vector, &io)
            vector.removeAll()
        }
        // Full slabs go back only when no open train points into them without a reference: trains hold their own.
        slab.releaseFull()
    }
}
