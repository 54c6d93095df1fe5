import CAEAD
import HyphaBase
import HyphaControl
import HyphaDataplane
import HyphaFIB
import HyphaIdentity
import HyphaInterchange
import HyphaPacket
import HyphaSession

/// A node while it runs: the worker over packets in memory, control, and the port between them, as the program makes
/// them.
final class WholeMachine {
    /// TCP connections at most.
    static let maxStreams = 32
    static let maxPeers = 64
    private static let parkedPackets = 64
    private static let streamSlots = 256
    private static let streamSlabs = 4

    /// What differs from node to node and from start to start.
    struct Setting {
        var identity: NodeIdentity
        var control: ControlConfiguration
        var entryMode: SealMode
        /// Blocks of each session table, a power of two.
        var sessions: Int
        var seed: UInt64
        var wallSeconds: UInt64
        var now: Instant
    }

    let pool: PacketPool
    let counters: WorkerCounters
    let port: WorkerPort
    var worker: Worker
    var io: MemoryIO
    var control: ControlPort
    /// Dials of `io` that the underlay has taken.
    var dialsSeen = 0
    /// Packets that ran out of hops when a calm time began.
    var hopLimitBefore: UInt64 = 0
    private let links: SessionMemory
    private let flows: SessionMemory
    private let aead: OpaquePointer

    /// Nil without memory.
    init?(_ setting: Setting) {
        guard let links = SessionMemory(capacity: setting.sessions, scope: .link),
            let flows = SessionMemory(capacity: setting.sessions, scope: .flow), let aead = caead_context_create()
        else { return nil }
        let first = ForwardingSnapshot(fib: FIBBuilder().build())
        let port = WorkerPort(snapshot: first, linkSessions: links.table, flowSessions: flows.table)
        let pool = PacketPool(
            slabs: 40 + WholeMachine.streamSlabs,
            slots: 2 * WholeMachine.parkedPackets + 256 + Worker.fragmentSlots + WholeMachine.streamSlots
                + WholeMachine.maxStreams)
        let counters = WorkerCounters()
        var random = Seed(setting.seed)
        var configuration = WorkerConfiguration(
            ownAddress: setting.identity.address, entryMode: setting.entryMode,
            maxLinks: Int(setting.control.links.firstStream), maxPeers: setting.control.maxSessions,
            parkedPackets: WholeMachine.parkedPackets, aead: aead)
        configuration.maxStreams = WholeMachine.maxStreams
        configuration.streamQueueSlots = WholeMachine.streamSlots
        configuration.streamSlabs = WholeMachine.streamSlabs
        configuration.asksForRoutes = true
        let identity = setting.identity
        configuration.stock = StockConfiguration(
            session: setting.control.session, noncePrefix: random.next(), hashKey: random.next(), keys: 256
        ) { key, secret in
            guard let key = PublicKey(bytes: Array(UnsafeBufferPointer(start: key, count: 32))) else { return false }
            return identity.withStockSecret(with: key) { secret.update(from: $0, count: 32) } != nil
        }
        let loop = ControlLoop(
            configuration: setting.control, identity: identity, network: .open, random: SeededRandom(random.next()),
            linkSessions: links.table, flowSessions: flows.table, wallSeconds: setting.wallSeconds, now: setting.now)
        self.links = links
        self.flows = flows
        self.aead = aead
        self.pool = pool
        self.counters = counters
        self.port = port
        control = ControlPort(
            port: port, publisher: SnapshotPublisher(cells: [port.snapshots], first: first), loop: loop)
        io = MemoryIO(pool: pool, counters: counters, hasTun: true)
        io.maxConnections = WholeMachine.maxStreams
        worker = Worker(configuration, port: port, pool: pool, counters: counters)
    }

    deinit {
        pool.deallocate()
        counters.deallocate()
        caead_context_destroy(aead)
    }

    var slotsInUse: Int { pool.slotCount - pool.freeSlotCount }
    var slabsInUse: Int { pool.slabCount - pool.freeSlabCount }
    /// The law: received + injected = sent + delivered + punted + waiting + dropped.
    var isConserved: Bool {
        let got = counters[.received] + counters[.injected]
        let gone = counters[.sent] + counters[.delivered] + counters[.punted] + counters.dropped
        return got == gone + UInt64(worker.waiting + io.inFlight)
    }
}
