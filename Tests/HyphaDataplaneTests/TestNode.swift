import CAEAD
import Glibc
import HyphaBase
import HyphaFIB
import HyphaInterchange
import HyphaSession
import HyphaWire
import Testing

@testable import HyphaDataplane
@testable import HyphaPacket

/// One node in memory: a worker over `MemoryIO`, with control's ends of its port in the hands of the test.
final class TestNode {
    struct Options {
        var entryMode = SealMode.full
        var hasTun = true
        var slabs = 24
        var slots = 64
        var parked = 32
        /// The overlay address; nil for one made from the node's number.
        var address: IPv6Address?
        var maxLinks = 16
        /// TCP connections at most.
        var maxStreams = 0
        var stock = StockConfiguration.nativeOnly
        /// Session blocks of each table.
        var sessions = 16
        var maxPeers = 16
        var asksForRoutes = false
    }

    let name: String
    /// The node's overlay address.
    let address: IPv6Address
    /// Its underlay endpoint.
    let endpoint: SocketAddress
    let pool: PacketPool
    let counters: WorkerCounters
    let port: WorkerPort
    let aead: OpaquePointer
    let numbering: LinkNumbering
    var worker: Worker
    var io: MemoryIO
    var routes = FIBBuilder()
    var linkAllocator: SessionAllocator
    var flowAllocator: SessionAllocator
    private var publisher: SnapshotPublisher
    private var commands: RingProducer
    private var injected: RingProducer
    private var handshakeRing: RingConsumer
    private var puntRing: RingConsumer
    private var noticeRing: RingConsumer
    private let tableMemory: [UnsafeMutableRawPointer]
    private let tableSize: Int
    private var nextLink: UInt32 = 0
    private var nextPeer: UInt32 = 0

    /// False: control is stuck and reads nothing.
    var readsRings = true
    /// What came out since the last `forget`.
    var sent: [MemoryIO.SentTrain] = []
    var delivered: [[UInt8]] = []
    var notices: [Notice] = []
    var punts: [(head: PuntedPacket, bytes: [UInt8])] = []
    var handshakes: [(head: PuntedPacket, bytes: [UInt8])] = []

    init(_ name: String, number: UInt64, _ options: Options = Options()) throws {
        self.name = name
        address =
            options.address
            ?? IPv6Address(
                high: 0x0400_0000_0000_0000 | number << 32 | 0x5A5A, low: 0x1111_2222_3333_0000 | number)
        endpoint = SocketAddress(address: IPv6Address(high: 0xFD00 << 48, low: number), port: 9_651)
        pool = PacketPool(slabs: options.slabs, slots: options.slots)
        counters = WorkerCounters()
        aead = try #require(caead_context_create())
        let bytes = options.sessions * SessionTable.blockSize
        tableSize = bytes
        tableMemory = try (0..<2).map { _ in
            // Zero pages that are touched when used.
            try #require(mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
        }
        let links = SessionTable(memory: tableMemory[0], capacity: options.sessions, scope: .link)
        let flows = SessionTable(memory: tableMemory[1], capacity: options.sessions, scope: .flow)
        linkAllocator = SessionAllocator(table: links)
        flowAllocator = SessionAllocator(table: flows)
        let snapshot = ForwardingSnapshot(fib: FIBBuilder().build())
        let port = WorkerPort(snapshot: snapshot, linkSessions: links, flowSessions: flows)
        self.port = port
        publisher = SnapshotPublisher(cells: [port.snapshots], first: snapshot)
        commands = port.commands.makeProducer()
        injected = port.injected.makeProducer()
        handshakeRing = port.handshakes.makeConsumer()
        puntRing = port.punted.makeConsumer()
        noticeRing = port.notices.makeConsumer()
        io = MemoryIO(pool: pool, counters: counters, hasTun: options.hasTun)
        io.maxConnections = options.maxStreams
        var configuration = WorkerConfiguration(
            ownAddress: address, entryMode: options.entryMode, maxLinks: options.maxLinks,
            maxPeers: options.maxPeers, parkedPackets: options.parked, aead: aead)
        configuration.maxStreams = options.maxStreams
        configuration.streamQueueSlots = options.slots / 4 * 3
        configuration.streamSlabs = options.slabs / 8
        configuration.stock = options.stock
        configuration.asksForRoutes = options.asksForRoutes
        numbering = configuration.links
        worker = Worker(configuration, port: port, pool: pool, counters: counters)
    }

    deinit {
        pool.deallocate()
        counters.deallocate()
        for memory in tableMemory { munmap(memory, tableSize) }
        caead_context_destroy(aead)
    }

    // MARK: control

    func command(_ command: WorkerCommand) {
        guard let record = commands.reserve() else {
            Issue.record("command ring full")
            return
        }
        record.storeBytes(of: command, as: WorkerCommand.self)
        commands.advance()
        commands.publish()
    }

    /// Gives the worker a packet that control made.
    func inject(_ head: InjectedPacket, _ bytes: [UInt8]) {
        guard let record = injected.reserve() else {
            Issue.record("injection ring full")
            return
        }
        record.storeBytes(of: head, as: InjectedPacket.self)
        (record + InjectedPacket.headSize).copyMemory(from: bytes, byteCount: bytes.count)
        injected.advance()
        injected.publish()
    }

    func addLink(to endpoint: SocketAddress, mtu: Int = 1_452, fullOnly: Bool = false) -> UInt32 {
        let id = nextLink
        nextLink += 1
        setLink(id, to: endpoint, mtu: mtu, fullOnly: fullOnly)
        return id
    }

    func setLink(_ id: UInt32, to endpoint: SocketAddress, mtu: Int = 1_452, fullOnly: Bool = false) {
        command(WorkerCommand(.setLink, id: id, value: UInt32(mtu) | (fullOnly ? 1 << 16 : 0), endpoint: endpoint))
    }

    func addPeer(_ address: IPv6Address, ownsPrefix: Bool = true, key: [UInt8] = [], bits: UInt32 = 0) -> UInt32 {
        let id = nextPeer
        nextPeer += 1
        setPeer(id, address, ownsPrefix: ownsPrefix, key: key, bits: bits)
        return id
    }

    func setPeer(_ id: UInt32, _ address: IPv6Address, ownsPrefix: Bool = true, key: [UInt8], bits: UInt32 = 0) {
        var peer = WorkerCommand(
            .setPeer, id: id, value: bits | (ownsPrefix ? 1 : 0), endpoint: SocketAddress(address: address, port: 0))
        peer.key = WorkerCommand.KeyBytes(key)
        command(peer)
    }

    func route(_ prefix: Prefix, _ nextHop: NextHop, alternates: [NextHop] = []) {
        routes.insert(prefix, nextHop, alternates: alternates)
        let isPublished = publishRoutes()
        #expect(isPublished, "too many snapshots in use")
    }

    /// The whole /64 of an address.
    func route(_ address: IPv6Address, _ nextHop: NextHop, alternates: [NextHop] = []) {
        route(Prefix(address, length: 64), nextHop, alternates: alternates)
    }

    /// False when too many snapshots are in use.
    func publishRoutes() -> Bool { publisher.publish(ForwardingSnapshot(fib: routes.build())) }

    // MARK: work

    /// One turn; checks the conservation law and takes what came out.
    @discardableResult
    func turn(_ now: Instant, _ comment: Comment? = nil) -> TurnResult {
        let result = worker.turn(&io, now: now)
        let got = counters[.received] + counters[.injected]
        let gone = counters[.sent] + counters[.delivered] + counters[.punted] + counters.dropped
        let waiting = UInt64(worker.waiting + io.inFlight)
        if got != gone + waiting {
            Issue.record("\(name): packets in \(got), out \(gone), waiting \(waiting); \(comment ?? "")")
        }
        sent += io.sent
        delivered += io.delivered
        io.clearOutput()
        if readsRings { takeRings() }
        return result
    }

    /// Takes what the worker put into its rings.
    func takeRings() {
        while let record = noticeRing.peek() {
            notices.append(record.load(as: Notice.self))
            noticeRing.advance()
        }
        noticeRing.release()
        while let record = puntRing.peek() {
            punts.append(TestNode.read(record))
            puntRing.advance()
        }
        puntRing.release()
        while let record = handshakeRing.peek() {
            handshakes.append(TestNode.read(record))
            handshakeRing.advance()
        }
        handshakeRing.release()
    }

    private static func read(_ record: UnsafeMutableRawPointer) -> (head: PuntedPacket, bytes: [UInt8]) {
        let head = record.load(as: PuntedPacket.self)
        let bytes = UnsafeRawBufferPointer(start: record + PuntedPacket.headSize, count: Int(head.length))
        return (head, Array(bytes))
    }

    /// Forgets what came out.
    func forget() {
        sent.removeAll()
        delivered.removeAll()
        notices.removeAll()
        punts.removeAll()
        handshakes.removeAll()
    }

    /// Datagrams sent, trains cut.
    var datagrams: [[UInt8]] { sent.flatMap(\.datagrams) }

    /// Packets written to the TUN without their virtio headers.
    var packets: [[UInt8]] { delivered.map { Array($0.dropFirst(VirtioHeader.size)) } }

    /// Drops by name, those that are not zero.
    var drops: [String: UInt64] {
        var all: [String: UInt64] = [:]
        for reason in DropReason.allCases where counters[reason] > 0 { all[reason.name] = counters[reason] }
        return all
    }

    /// Slots in which packets wait.
    var parkedSlots: Int {
        worker.parking.count + worker.routes.count + worker.stock.waiting.count + worker.reassembly.waiting
    }

    /// With nothing in flight: every buffer is free but the two slabs at hand and the slots of what waits.
    func expectNoLeak(_ comment: Comment? = nil) {
        #expect(io.inFlight == 0, comment)
        #expect(pool.freeSlabCount >= pool.slabCount - 2, comment)
        #expect(worker.streams.waiting == 0, comment)
        #expect(pool.freeSlotCount == pool.slotCount - parkedSlots, comment)
        var references = 0
        for buffer in 0..<pool.slabCount + pool.slotCount { references += pool.holders(UInt32(buffer)) }
        #expect(references == pool.slabCount - pool.freeSlabCount + pool.slotCount - pool.freeSlotCount, comment)
    }
}
